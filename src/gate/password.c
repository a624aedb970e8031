/*
 * libcrypt: crypt_rn makes the hash again with the setting that stands in front of it.
 */
#include "gate/password.h"

#include <crypt.h>
#include <string.h>

#include "base/check.h"

/* How long the last part of a hash is, by how it begins (crypt(5)). */
static const struct method {
    const char *prefix;
    size_t digest_bytes; /* behind the last '$' */
    size_t bytes;        /* of the whole, where it is always the same */
} methods[] = {
    {"$2a$", 0, 60}, {"$2b$", 0, 60}, {"$2y$", 0, 60}, {"$5$", 43, 0},
    {"$6$", 86, 0},  {"$y$", 43, 0},  {"$gy$", 43, 0}, {"$7$", 43, 0},
};

static bool is_hash_byte(char byte)
{
    return byte > 0x20 && byte < 0x7f && byte != '*' && byte != '!' && byte != '\\';
}

static const struct method *method_of(const char *hash)
{
    for (size_t index = 0; index < sizeof(methods) / sizeof(methods[0]); index++) {
        if (strncmp(hash, methods[index].prefix, strlen(methods[index].prefix)) == 0)
            return &methods[index];
    }
    return NULL;
}

static bool is_whole(const char *hash)
{
    size_t len = strlen(hash);
    const char *last = strrchr(hash, '$');
    const struct method *method = method_of(hash);

    for (size_t at = 0; at < len; at++) {
        if (!is_hash_byte(hash[at]))
            return false;
    }
    if (!method)
        return last && strlen(last + 1) >= 22; /* 128 bits: one that is newer than this table */
    return method->bytes ? len == method->bytes : last && strlen(last + 1) == method->digest_bytes;
}

const char *password_hash_fault(const char *hash)
{
    if (strncmp(hash, "$apr1$", 6) == 0 || strncmp(hash, "{SHA}", 5) == 0)
        return "is one of Apache's own, and weak: make it anew with htpasswd -B";
    if (hash[0] != '$')
        return "is a plain text, or of a method too weak: make it anew with htpasswd -B";
    if (strlen(hash) > PASSWORD_HASH_BYTES_MAX)
        return "is too long";
    switch (crypt_checksalt(hash)) {
    case CRYPT_SALT_OK:
    case CRYPT_SALT_TOO_CHEAP:
        break;
    case CRYPT_SALT_METHOD_LEGACY: /* to libcrypt SHA-256 is too */
        if (method_of(hash))
            break;
        return "is of a method too weak: make it anew with htpasswd -B";
    default:
        return "is of a method that this libcrypt does not know";
    }
    return is_whole(hash) ? NULL : "is not whole";
}

size_t password_work_bytes(void)
{
    return sizeof(struct crypt_data);
}

static bool equal_in_constant_time(const char *left, const char *right, size_t len)
{
    unsigned char difference = 0;

    for (size_t at = 0; at < len; at++)
        difference |= (unsigned char)(left[at] ^ right[at]);
    return difference == 0;
}

bool password_check(const char *password, const char *hash, void *work)
{
    const char *made = crypt_rn(password, hash, work, (int)sizeof(struct crypt_data));
    size_t len = strlen(hash);
    bool is_same = made && strlen(made) == len && equal_in_constant_time(made, hash, len);

    CHECK(work && strlen(password) <= PASSWORD_BYTES_MAX);
    CHECK(strlen(hash) <= PASSWORD_HASH_BYTES_MAX);
    explicit_bzero(work, sizeof(struct crypt_data));
    return is_same;
}
