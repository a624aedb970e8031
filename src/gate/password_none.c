/*
 * A build without libcrypt: there is no hash that it can check.
 */
#include "gate/password.h"

const char *password_hash_fault(const char *hash)
{
    (void)hash;
    return "cannot be checked: pollux was built without libcrypt";
}

size_t password_work_bytes(void)
{
    return 1;
}

bool password_check(const char *password, const char *hash, void *work)
{
    (void)password;
    (void)hash;
    (void)work;
    return false;
}
