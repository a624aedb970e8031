/*
 * Loading certificates and keys, and what is wrong with them in one line.
 *
 * Happy path: the leaf, its chain and its key are read, the key fits, each certificate signs the
 * one before it, the names are taken from subjectAltName.  Everything else is an error here and
 * now, and not a handshake that fails later.  Dates are no error: a certificate that has expired is
 * served, since a client may take it and a server that does not start serves nothing
 * (px_tls_certificate_at tells them).
 */
#include "tls/tls_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "tls/tls_error.h"

/* --- Names ------------------------------------------------------------------------------------ */

static px_err name_add(struct tls_certificate *certificate, const char *text, size_t len)
{
    struct tls_name **end = &certificate->names;
    uint32_t count = 0;

    /* A NUL inside of a name is an old trick; such a name serves no host. */
    if (len == 0 || len > TLS_NAME_BYTES_MAX || memchr(text, '\0', len))
        return PX_OK;
    for (; *end; end = &(*end)->next)
        count++;
    if (count == TLS_NAMES_MAX)
        return PX_ERR_LIMIT;
    struct tls_name *name = alloc_take(certificate->allocator, sizeof(*name) + len + 1);

    if (!name)
        return PX_ERR_MEMORY;
    name->next = NULL;
    name->len = len;
    for (size_t index = 0; index < len; index++) {
        char byte = text[index];

        name->text[index] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
    }
    name->text[len] = '\0';
    *end = name;
    return PX_OK;
}

/* Without any subjectAltName the common name serves, as it did before RFC 6125. */
static px_err name_add_common(struct tls_certificate *certificate)
{
    char text[TLS_NAME_BYTES_MAX + 1];
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate->leaf), NID_commonName,
                                        text, sizeof(text));

    return len > 0 ? name_add(certificate, text, (size_t)len) : PX_OK;
}

static px_err names_read(struct tls_certificate *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate->leaf, NID_subject_alt_name, NULL, NULL);
    px_err err = PX_OK;

    for (int index = 0; err == PX_OK && index < sk_GENERAL_NAME_num(names); index++) {
        int type;
        const ASN1_STRING *value =
            GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, index), &type);

        if (type == GEN_DNS)
            err = name_add(certificate, (const char *)ASN1_STRING_get0_data(value),
                           (size_t)ASN1_STRING_length(value));
    }
    GENERAL_NAMES_free(names);
    if (err == PX_OK && !certificate->names)
        err = name_add_common(certificate);
    return err;
}

/* --- Making and ending ------------------------------------------------------------------------ */

static bool key_type_of(const EVP_PKEY *key, enum tls_key_type *out_type)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
        *out_type = TLS_KEY_RSA;
        return true;
    case EVP_PKEY_EC:
        *out_type = TLS_KEY_EC;
        return true;
    case EVP_PKEY_ED25519:
        *out_type = TLS_KEY_ED25519;
        return true;
    case EVP_PKEY_ED448:
        *out_type = TLS_KEY_ED448;
        return true;
    }
    return false;
}

struct tls_certificate *tls_certificate_of(const px_allocator *allocator, X509 *leaf, EVP_PKEY *key,
                                           STACK_OF(X509) * chain, px_error *out_error)
{
    struct tls_certificate *certificate = alloc_take_zeroed(allocator, sizeof(*certificate));

    if (!certificate) {
        X509_free(leaf);
        EVP_PKEY_free(key);
        tls_chain_free(chain);
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    certificate->allocator = allocator;
    certificate->leaf = leaf;
    certificate->key = key;
    certificate->chain = chain;
    if (!key_type_of(key, &certificate->key_type)) {
        error_set(out_error, PX_ERR_INVALID, 0, "keys must be RSA, ECDSA, Ed25519 or Ed448");
        tls_certificate_free(certificate);
        return NULL;
    }
    px_err err = names_read(certificate);

    if (err != PX_OK) {
        error_set(out_error, err, 0,
                  err == PX_ERR_MEMORY ? "out of memory"
                                       : "a certificate has "
                                         "too many names");
        tls_certificate_free(certificate);
        return NULL;
    }
    return certificate;
}

struct tls_certificate *tls_certificate_copy(const struct tls_certificate *certificate,
                                             const px_allocator *allocator)
{
    STACK_OF(X509) *chain = NULL;

    if (certificate->chain && !(chain = X509_chain_up_ref(certificate->chain)))
        return NULL;
    X509_up_ref(certificate->leaf);
    EVP_PKEY_up_ref(certificate->key);
    return tls_certificate_of(allocator, certificate->leaf, certificate->key, chain, NULL);
}

void tls_certificate_free(struct tls_certificate *certificate)
{
    if (!certificate)
        return;
    while (certificate->names) {
        struct tls_name *name = certificate->names;

        certificate->names = name->next;
        alloc_put(certificate->allocator, name);
    }
    X509_free(certificate->leaf);
    EVP_PKEY_free(certificate->key);
    tls_chain_free(certificate->chain);
    alloc_put(certificate->allocator, certificate->staple);
    alloc_put(certificate->allocator, certificate);
}

static bool date_read(const ASN1_TIME *date, int64_t *out_unix_time)
{
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days, seconds;
    bool fine = epoch && ASN1_TIME_diff(&days, &seconds, epoch, date) == 1;

    ASN1_TIME_free(epoch);
    if (fine)
        *out_unix_time = (int64_t)days * (24 * 3600) + seconds;
    return fine;
}

px_err tls_certificate_dates(const struct tls_certificate *certificate, int64_t *out_from,
                             int64_t *out_until)
{
    int64_t from, until;

    if (!date_read(X509_get0_notBefore(certificate->leaf), &from) ||
        !date_read(X509_get0_notAfter(certificate->leaf), &until)) {
        ERR_clear_error();
        return PX_ERR_INVALID;
    }
    *out_from = from;
    *out_until = until;
    return PX_OK;
}

size_t tls_certificate_fingerprint(const struct tls_certificate *certificate, char *out_text,
                                   size_t room)
{
    static const char digits[] = "0123456789ABCDEF";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned count = 0;

    if (room == 0)
        return 0;
    out_text[0] = '\0';
    if (!X509_digest(certificate->leaf, EVP_sha256(), digest, &count) || room < 3 * (size_t)count)
        return 0;
    for (unsigned index = 0; index < count; index++) {
        out_text[3 * index] = digits[digest[index] >> 4];
        out_text[3 * index + 1] = digits[digest[index] & 15];
        out_text[3 * index + 2] = ':';
    }
    out_text[3 * count - 1] = '\0';
    return 3 * (size_t)count - 1;
}

/* --- Loading ---------------------------------------------------------------------------------- */

/* The end of a PEM file is an error of its own kind: "no start line". */
static bool pem_ended(void)
{
    unsigned long last = ERR_peek_last_error();

    if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE)
        return false;
    ERR_clear_error();
    return true;
}

static STACK_OF(X509) * chain_read(BIO *bio, const char *path, px_error *out_error)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    size_t bytes = 0;
    X509 *next;

    if (!chain) {
        tls_error(out_error, PX_ERR_MEMORY, "out of memory");
        return NULL;
    }
    while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        int len = i2d_X509(next, NULL);

        bytes += len > 0 ? (size_t)len : 0;
        if (bytes > TLS_CHAIN_BYTES_MAX || !sk_X509_push(chain, next)) {
            X509_free(next);
            tls_error(out_error, PX_ERR_LIMIT, "the chain in %s is longer than %d bytes", path,
                      TLS_CHAIN_BYTES_MAX);
            tls_chain_free(chain);
            return NULL;
        }
    }
    if (pem_ended())
        return chain;
    tls_error(out_error, PX_ERR_INVALID, "a certificate of the chain in %s is damaged", path);
    tls_chain_free(chain);
    return NULL;
}

static px_err chain_check(X509 *leaf, STACK_OF(X509) * chain, const char *path, px_error *out_error)
{
    X509 *subject = leaf;

    for (int index = 0; index < sk_X509_num(chain); index++) {
        X509 *issuer = sk_X509_value(chain, index);

        if (X509_check_issued(issuer, subject) != X509_V_OK)
            return tls_error(out_error, PX_ERR_INVALID,
                             "the chain in %s is out of order: certificate %d was not signed by "
                             "certificate %d",
                             path, index + 1, index + 2);
        subject = issuer;
    }
    return PX_OK;
}

/* There is no terminal to type a pass phrase at. */
static int no_pass_phrase(char *buf, int size, int writing, void *context)
{
    (void)buf;
    (void)size;
    (void)writing;
    *(bool *)context = true;
    return -1;
}

static EVP_PKEY *key_read(const char *path, px_error *out_error)
{
    BIO *bio = BIO_new_file(path, "r");
    bool encrypted = false;

    if (!bio) {
        tls_error_open(out_error, "the key", path);
        return NULL;
    }
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, &encrypted);

    BIO_free(bio);
    if (key)
        return key;
    if (encrypted)
        tls_error(out_error, PX_ERR_INVALID,
                  "the key in %s is encrypted: decrypt it with `openssl pkey -in %s`", path, path);
    else
        error_set(out_error, PX_ERR_INVALID, 0, "there is no private key in %s (PEM is expected)",
                  path);
    ERR_clear_error();
    return NULL;
}

static X509 *leaf_read(const char *path, STACK_OF(X509) * *out_chain, px_error *out_error)
{
    BIO *bio = BIO_new_file(path, "r");
    X509 *leaf;

    if (!bio) {
        tls_error_open(out_error, "the certificate", path);
        return NULL;
    }
    leaf = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
    if (!leaf && pem_ended())
        error_set(out_error, PX_ERR_INVALID, 0, "there is no certificate in %s (PEM is expected)",
                  path);
    else if (!leaf)
        tls_error(out_error, PX_ERR_INVALID, "the certificate in %s cannot be read", path);
    STACK_OF(X509) *chain = leaf ? chain_read(bio, path, out_error) : NULL;

    BIO_free(bio);
    if (!chain) {
        X509_free(leaf);
        return NULL;
    }
    *out_chain = chain;
    return leaf;
}

struct tls_certificate *tls_certificate_load(const px_allocator *allocator,
                                             const char *certificate_file, const char *key_file,
                                             px_error *out_error)
{
    const char *key_path = key_file ? key_file : certificate_file;
    STACK_OF(X509) *chain = NULL;
    EVP_PKEY *key = NULL;
    px_err err = PX_OK;

    ERR_clear_error();
    X509 *leaf = leaf_read(certificate_file, &chain, out_error);

    if (!leaf)
        return NULL;
    key = key_read(key_path, out_error);
    if (!key)
        goto fail;
    if (X509_check_private_key(leaf, key) != 1) {
        ERR_clear_error();
        err = error_set(out_error, PX_ERR_INVALID, 0,
                        "the key in %s does not belong to the certificate in %s", key_path,
                        certificate_file);
    }
    if (err == PX_OK)
        err = chain_check(leaf, chain, certificate_file, out_error);
    if (err != PX_OK)
        goto fail;
    return tls_certificate_of(allocator, leaf, key, chain, out_error);

fail:
    X509_free(leaf);
    EVP_PKEY_free(key);
    tls_chain_free(chain);
    return NULL;
}

struct tls_certificate *tls_certificate_names(const px_allocator *allocator,
                                              const char *certificate_file)
{
    STACK_OF(X509) *chain = NULL;
    px_error error;

    ERR_clear_error();
    X509 *leaf = leaf_read(certificate_file, &chain, &error);
    struct tls_certificate *named = leaf ? alloc_take_zeroed(allocator, sizeof(*named)) : NULL;

    if (!named) {
        X509_free(leaf);
        tls_chain_free(chain);
        return NULL;
    }
    named->allocator = allocator;
    named->leaf = leaf;
    named->chain = chain;
    if (names_read(named) == PX_OK)
        return named;
    tls_certificate_free(named);
    return NULL;
}
