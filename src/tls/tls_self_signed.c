/*
 * A certificate for development: ECDSA on P-256, signed by itself, never written anywhere.
 *
 * It lives for as long as the process and is good for a year; browsers take it after a warning, or
 * once its fingerprint was compared.
 */
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "tls/tls_certificate.h"
#include "tls/tls_error.h"

enum { VALID_DAYS = 365, CLOCK_SKEW_S = 3600, SECONDS_PER_DAY = 86400 };

/* "localhost,127.0.0.1" as OpenSSL wants it: "DNS:localhost,IP:127.0.0.1". */
static bool names_write(const char *names, char *out_text, size_t room)
{
    size_t at = 0;

    while (*names) {
        size_t len = strcspn(names, ",");
        bool address = memchr(names, ':', len) != NULL || strspn(names, "0123456789.") >= len;

        /* What stands in a name goes into a text with a syntax of its own. */
        for (size_t index = 0; index < len; index++) {
            if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:*",
                        names[index]))
                return false;
        }
        int count = snprintf(out_text + at, room - at, "%s%s:%.*s", at > 0 ? "," : "",
                             address ? "IP" : "DNS", (int)len, names);

        if (len == 0 || count < 0 || (size_t)count >= room - at)
            return false;
        at += (size_t)count;
        if (names[len] == '\0')
            return true;
        names += len + 1;
    }
    return false; /* nothing, or nothing behind the last comma */
}

static bool extension_add(X509 *leaf, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, leaf, leaf, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool fine = extension && X509_add_ext(leaf, extension, -1) == 1;

    X509_EXTENSION_free(extension);
    return fine;
}

static bool leaf_fill(X509 *leaf, EVP_PKEY *key, const char *names)
{
    char common[65], alternatives[2048];
    uint64_t serial;

    snprintf(common, sizeof(common), "%.*s", (int)strcspn(names, ","), names);
    if (!names_write(names, alternatives, sizeof(alternatives)) ||
        RAND_bytes((unsigned char *)&serial, sizeof(serial)) != 1)
        return false;
    X509_NAME *name = X509_get_subject_name(leaf);

    return X509_set_version(leaf, X509_VERSION_3) == 1 &&
           ASN1_INTEGER_set_uint64(X509_get_serialNumber(leaf), serial >> 1 | 1) == 1 &&
           X509_gmtime_adj(X509_getm_notBefore(leaf), -CLOCK_SKEW_S) &&
           X509_gmtime_adj(X509_getm_notAfter(leaf), (long)VALID_DAYS * SECONDS_PER_DAY) &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (unsigned char *)common, -1, -1,
                                      0) == 1 &&
           X509_set_issuer_name(leaf, name) == 1 && X509_set_pubkey(leaf, key) == 1 &&
           extension_add(leaf, NID_subject_alt_name, alternatives) &&
           extension_add(leaf, NID_basic_constraints, "critical,CA:FALSE") &&
           extension_add(leaf, NID_key_usage, "critical,digitalSignature") &&
           extension_add(leaf, NID_ext_key_usage, "serverAuth") &&
           extension_add(leaf, NID_subject_key_identifier, "hash") &&
           X509_sign(leaf, key, EVP_sha256()) > 0;
}

struct tls_certificate *tls_certificate_make(const px_allocator *allocator, const char *names,
                                             px_error *out_error)
{
    ERR_clear_error();
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = X509_new();

    if (key && leaf && leaf_fill(leaf, key, names))
        return tls_certificate_of(allocator, leaf, key, NULL, out_error);
    X509_free(leaf);
    EVP_PKEY_free(key);
    tls_error(out_error, PX_ERR_INVALID, "cannot make a certificate for '%s'", names);
    return NULL;
}
