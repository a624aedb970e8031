/*
 * Hashes of passwords, as libcrypt knows them.  A build without it knows none.
 */
#ifndef PX_GATE_PASSWORD_H
#define PX_GATE_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

#include "pollux/str.h"

enum {
    PASSWORD_BYTES_MAX = 511, /* what libcrypt takes (CRYPT_MAX_PASSPHRASE_SIZE), less its NUL */
    PASSWORD_HASH_BYTES_MAX = 383 /* likewise CRYPT_OUTPUT_SIZE */
};

/* NULL where a text is a whole hash that passwords can be checked against; else what is wrong with
 * it, behind "its hash ".  Ends in NUL. */
const char *password_hash_fault(const char *hash);

/* Memory that one check needs while it runs, in bytes. */
size_t password_work_bytes(void);

/* Whether it is the password of that hash.  Takes from milliseconds to seconds, whatever the
 * password; the texts are compared in constant time.  `work`: password_work_bytes, zeroed before
 * and after.  Any thread. */
bool password_check(const char *password, const char *hash, void *work);

#endif
