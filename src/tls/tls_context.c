/*
 * Making a generation of contexts, and finding the certificates for a name.
 *
 * Happy path: every name of every certificate is sorted, names that share their certificates share
 * an SSL_CTX, a look-up is two binary searches (the name, then its wildcard).  It can fail while it
 * is made: OpenSSL refuses a certificate (too weak a key), or memory runs out.
 */
#include "tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "tls/tls_accept.h"
#include "tls/tls_bio.h"
#include "tls/tls_error.h"
#include "tls/tls_profile.h"

/* --- An SSL_CTX for a set --------------------------------------------------------------------- */

static px_err ctx_use(SSL_CTX *ctx, const struct tls_certificate *certificate, px_error *out_error)
{
    if (SSL_CTX_use_cert_and_key(ctx, certificate->leaf, certificate->key, certificate->chain, 1) ==
        1)
        return PX_OK;
    return tls_error(out_error, PX_ERR_INVALID, "the certificate for %s cannot be used",
                     certificate->names ? certificate->names->text : "no name");
}

/* The authorities of client certificates, and that certificates are asked for. */
static px_err ctx_ask_client(const px_tls *tls, SSL_CTX *ctx, px_error *out_error)
{
    int mode = SSL_VERIFY_PEER;

    if (tls->options.client == PX_TLS_CLIENT_OFF)
        return PX_OK;
    if (tls->options.client == PX_TLS_CLIENT_REQUIRED)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    if (SSL_CTX_load_verify_file(ctx, tls->client_ca_file) != 1) {
        unsigned long first = ERR_peek_error();

        return ERR_SYSTEM_ERROR(first)
                   ? tls_error_open(out_error, "the client certificate authorities",
                                    tls->client_ca_file)
                   : tls_error(out_error, PX_ERR_INVALID, "there is no certificate in %s",
                               tls->client_ca_file);
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(tls->client_ca_file);

    if (!names)
        return tls_error(out_error, PX_ERR_INVALID, "cannot read %s", tls->client_ca_file);
    SSL_CTX_set_client_CA_list(ctx, names);
    SSL_CTX_set_verify(ctx, mode, NULL);
    return PX_OK;
}

static px_err set_arm(struct tls_context *context, struct tls_set *set, px_error *out_error)
{
    const px_tls *tls = context->tls;

    set->ctx = SSL_CTX_new(TLS_server_method());
    if (!set->ctx)
        return tls_error(out_error, PX_ERR_MEMORY, "out of memory");
    px_err err = tls_profile_apply(set->ctx, (px_tls_profile)tls->options.profile, out_error);

    for (int type = 0; err == PX_OK && type < TLS_KEY_TYPE_COUNT; type++) {
        if (set->certificates[type])
            err = ctx_use(set->ctx, set->certificates[type], out_error);
    }
    if (err == PX_OK)
        err = ctx_ask_client(tls, set->ctx, out_error);
    if (err != PX_OK)
        return err;
    tls_tickets_attach(set->ctx);
    tls_accept_attach(set->ctx);
    return PX_OK;
}

px_err tls_context_accepts(const px_tls *tls, const struct tls_certificate *certificate,
                           px_error *out_error)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

    if (!ctx)
        return tls_error(out_error, PX_ERR_MEMORY, "out of memory");
    px_err err = tls_profile_apply(ctx, (px_tls_profile)tls->options.profile, out_error);

    if (err == PX_OK)
        err = ctx_use(ctx, certificate, out_error);
    SSL_CTX_free(ctx);
    return err;
}

static struct tls_set *set_of(struct tls_context *context,
                              const struct tls_certificate *const *certificates,
                              px_error *out_error)
{
    const px_allocator *allocator = &context->tls->allocator;
    size_t bytes = sizeof(context->sets->certificates);
    struct tls_set *set;

    /* The names of one certificate follow each other, so the last set is most often the one. */
    for (set = context->sets; set; set = set->next) {
        if (memcmp(set->certificates, certificates, bytes) == 0)
            return set;
    }
    set = alloc_take_zeroed(allocator, sizeof(*set));
    if (!set) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    memcpy(set->certificates, certificates, bytes);
    set->next = context->sets;
    context->sets = set;
    return set_arm(context, set, out_error) == PX_OK ? set : NULL;
}

/* --- Names ------------------------------------------------------------------------------------ */

/* A name of a certificate, before names that are the same are joined. */
struct claim {
    const struct tls_name *name;
    const struct tls_certificate *certificate;
    uint32_t order; /* the first certificate of a type keeps its name */
};

static int name_compare(const char *left, size_t left_len, const char *right, size_t right_len)
{
    size_t len = left_len < right_len ? left_len : right_len;
    int order = memcmp(left, right, len);

    return order != 0 ? order : (left_len > right_len) - (left_len < right_len);
}

static int claim_compare(const void *left, const void *right)
{
    const struct claim *a = left, *b = right;
    int order = name_compare(a->name->text, a->name->len, b->name->text, b->name->len);

    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static struct claim *claims_make(struct tls_context *context, uint32_t *out_count)
{
    uint32_t count = 0;

    for (uint32_t index = 0; index < context->certificate_count; index++) {
        for (struct tls_name *name = context->certificates[index]->names; name; name = name->next)
            count++;
    }
    struct claim *claims =
        alloc_take(&context->tls->allocator, (count > 0 ? count : 1) * sizeof(*claims));

    *out_count = count;
    count = 0;
    for (uint32_t index = 0; claims && index < context->certificate_count; index++) {
        const struct tls_certificate *certificate = context->certificates[index];

        for (struct tls_name *name = certificate->names; name; name = name->next)
            claims[count++] = (struct claim){name, certificate, index};
    }
    if (claims)
        qsort(claims, count, sizeof(*claims), claim_compare);
    return claims;
}

/* Joins the claims of each name to a host. */
static px_err hosts_join(struct tls_context *context, const struct claim *claims, uint32_t count,
                         px_error *out_error)
{
    for (uint32_t index = 0; index < count;) {
        const struct tls_certificate *certificates[TLS_KEY_TYPE_COUNT] = {NULL};
        const struct tls_name *name = claims[index].name;

        for (; index < count && name_compare(name->text, name->len, claims[index].name->text,
                                             claims[index].name->len) == 0;
             index++) {
            enum tls_key_type type = claims[index].certificate->key_type;

            if (!certificates[type])
                certificates[type] = claims[index].certificate;
        }
        const struct tls_set *set = set_of(context, certificates, out_error);

        if (!set)
            return PX_ERR_INVALID;
        context->hosts[context->host_count++] = (struct tls_host){name, set};
    }
    return PX_OK;
}

static px_err hosts_make(struct tls_context *context, px_error *out_error)
{
    const px_allocator *allocator = &context->tls->allocator;
    uint32_t count;
    struct claim *claims = claims_make(context, &count);
    px_err err = PX_ERR_MEMORY;

    context->hosts = alloc_take(allocator, (count > 0 ? count : 1) * sizeof(*context->hosts));
    if (claims && context->hosts)
        err = hosts_join(context, claims, count, out_error);
    else
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    alloc_put(allocator, claims);
    return err;
}

static const struct tls_set *host_find(const struct tls_context *context, const char *text,
                                       size_t len)
{
    uint32_t low = 0, high = context->host_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct tls_name *name = context->hosts[middle].name;
        int order = name_compare(text, len, name->text, name->len);

        if (order == 0)
            return context->hosts[middle].set;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct tls_set *tls_context_find(const struct tls_context *context, px_str name)
{
    char wildcard[TLS_NAME_BYTES_MAX + 1];
    const struct tls_set *set = host_find(context, name.ptr, name.len);
    const char *dot = name.len > 0 ? memchr(name.ptr, '.', name.len) : NULL;

    /* RFC 6125 section 6.4.3: the star stands for one whole label, the left-most. */
    if (set || !dot || dot == name.ptr || name.len > TLS_NAME_BYTES_MAX)
        return set;
    size_t rest = name.len - (size_t)(dot - name.ptr);

    wildcard[0] = '*';
    memcpy(wildcard + 1, dot, rest);
    return host_find(context, wildcard, rest + 1);
}

/* --- Making and ending ------------------------------------------------------------------------ */

/* A client that gets here without a known name sees the first certificate, and those of other key
 * types that share its first name. */
static px_err fallback_make(struct tls_context *context, px_error *out_error)
{
    const struct tls_certificate *first = context->certificates[0];
    const struct tls_certificate *certificates[TLS_KEY_TYPE_COUNT] = {NULL};

    certificates[first->key_type] = first;
    if (first->names) {
        const struct tls_set *set = host_find(context, first->names->text, first->names->len);

        if (set && set->certificates[first->key_type] == first)
            context->fallback = set;
    }
    if (!context->fallback)
        context->fallback = set_of(context, certificates, out_error);
    return context->fallback ? PX_OK : PX_ERR_INVALID;
}

/* Sessions are resumed only under the rules for client certificates that they began with. */
static px_err client_digest(struct tls_context *context, px_error *out_error)
{
    const px_tls *tls = context->tls;
    unsigned char mode = (unsigned char)tls->options.client;
    char bytes[4096];
    unsigned len;
    int count = 0;
    BIO *bio = NULL;
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool fine = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(digest, &mode, 1) == 1;

    if (fine && tls->client_ca_file && (bio = BIO_new_file(tls->client_ca_file, "rb"))) {
        while (fine && (count = BIO_read(bio, bytes, sizeof(bytes))) > 0)
            fine = EVP_DigestUpdate(digest, bytes, (size_t)count) == 1;
    }
    fine = fine && EVP_DigestFinal_ex(digest, context->client_digest, &len) == 1;
    BIO_free(bio);
    EVP_MD_CTX_free(digest);
    ERR_clear_error();
    return fine ? PX_OK : error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
}

struct tls_context *tls_context_create(px_tls *tls, struct tls_certificate **certificates,
                                       uint32_t count, px_error *out_error)
{
    struct tls_context *context = alloc_take_zeroed(&tls->allocator, sizeof(*context));

    if (!context) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    ERR_clear_error();
    context->tls = tls;
    context->references = 1;
    context->certificates = certificates;
    context->certificate_count = count;
    context->bio_method = tls_bio_method();
    if (!context->bio_method)
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (context->bio_method && client_digest(context, out_error) == PX_OK &&
        hosts_make(context, out_error) == PX_OK && fallback_make(context, out_error) == PX_OK)
        return context;
    context->certificates = NULL; /* they stay the caller's */
    context->certificate_count = 0;
    tls_context_put(context);
    return NULL;
}

struct tls_context *tls_context_take(struct tls_context *context)
{
    context->references++;
    return context;
}

void tls_context_put(struct tls_context *context)
{
    if (!context || --context->references > 0)
        return;
    const px_allocator *allocator = &context->tls->allocator;

    while (context->sets) {
        struct tls_set *set = context->sets;

        context->sets = set->next;
        SSL_CTX_free(set->ctx);
        alloc_put(allocator, set);
    }
    for (uint32_t index = 0; index < context->certificate_count; index++)
        tls_certificate_free(context->certificates[index]);
    alloc_put(allocator, context->certificates);
    alloc_put(allocator, context->hosts);
    BIO_meth_free(context->bio_method);
    alloc_put(allocator, context);
}
