/*
 * The file of users under any text: it is read, and every name in it is found, or it is refused
 * with a line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "gate/password.h"
#include "gate/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct siphash_key key = {3, 4};
    struct users users;
    px_error error;
    char *text = malloc(len + 1);

    must(text != NULL);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    px_err err = users_init(&users, &alloc_libc, &key, text, len, "f", &error);

    if (err != PX_OK) {
        must(err == PX_ERR_INVALID && strncmp(error.text, "f:", 2) == 0);
        must(!strchr(error.text, '\n'));
        return 0;
    }
    must(users.count > 0);
    for (uint32_t index = 0; index < users.count; index++) {
        must(users_find(&users, users.items[index].name) == &users.items[index]);
        must(password_hash_fault(users.items[index].hash) == NULL);
    }
    users_deinit(&users);
    return 0;
}
