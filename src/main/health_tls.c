/*
 * The client's side of TLS by OpenSSL, on two memory BIOs.
 *
 * The happy path: handshake, one write, reads until the peer ends or the caller has seen enough. It
 * can fail by a certificate that nobody trusts or that is for another name, by an alert, and by an
 * answer that does not end.
 */
#include "main/health_tls.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "main/health_wire.h"

enum {
    WIRE_BYTES = 16 * 1024, /* sent at once */
    COMPLAINT_BYTES = 256,
};

struct health_tls {
    SSL_CTX *context; /* owned */
    SSL *ssl;         /* owned */
    BIO *in;          /* owned by ssl, as is out */
    BIO *out;
    const char *request; /* borrowed */
    bool is_asked;
    size_t answer_len;
    char complaint[COMPLAINT_BYTES];
    char wire[WIRE_BYTES];
    char answer[HEALTH_ANSWER_BYTES_MAX];
};

static px_err trust(SSL_CTX *context, const struct healthcheck_options *options,
                    px_error *out_error)
{
    SSL_CTX_set_verify(context, options->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    if (options->insecure)
        return PX_OK;
    if (!options->ca_file)
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? PX_OK
                   : error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (SSL_CTX_load_verify_file(context, options->ca_file) == 1)
        return PX_OK;
    return error_set(out_error, PX_ERR_NOT_FOUND, 0, "--ca %s: no certificate can be read there",
                     options->ca_file);
}

/* Whom the certificate must be for: an address is no name, and is not sent as one (RFC 6066
 * section 3). */
static bool expect(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
        return true;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

px_err health_tls_create(struct health_tls **out_tls, const struct healthcheck_options *options,
                         const char *host, const char *request, px_error *out_error)
{
    struct health_tls *tls = calloc(1, sizeof(*tls));
    px_err err = PX_ERR_MEMORY;

    if (!tls)
        return error_set(out_error, err, 0, "out of memory");
    tls->request = request;
    tls->context = SSL_CTX_new(TLS_client_method());
    if (!tls->context || SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION) != 1)
        goto fail;
    err = trust(tls->context, options, out_error);
    if (err != PX_OK)
        goto fail;
    err = PX_ERR_MEMORY;
    tls->ssl = SSL_new(tls->context);
    if (!tls->ssl || !expect(tls->ssl, host))
        goto fail;
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->in || !tls->out) {
        BIO_free(tls->in);
        BIO_free(tls->out);
        goto fail;
    }
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    *out_tls = tls;
    return error_clear(out_error);

fail:
    if (err == PX_ERR_MEMORY)
        (void)error_set(out_error, err, 0, "out of memory");
    health_tls_destroy(tls);
    return err;
}

/* What OpenSSL wants to say; `result` is of the call that failed. */
static px_err complain(struct health_tls *tls, int result)
{
    long verdict = SSL_get_verify_result(tls->ssl);
    int reason = SSL_get_error(tls->ssl, result);
    const char *text = ERR_reason_error_string(ERR_peek_error());

    if (reason == SSL_ERROR_WANT_READ)
        return PX_OK;
    if (reason == SSL_ERROR_ZERO_RETURN)
        snprintf(tls->complaint, sizeof(tls->complaint),
                 "the connection was closed before an answer");
    else if (verdict != X509_V_OK)
        snprintf(tls->complaint, sizeof(tls->complaint), "its certificate is not trusted: %s",
                 X509_verify_cert_error_string(verdict));
    else
        snprintf(tls->complaint, sizeof(tls->complaint), "TLS failed: %s",
                 text ? text : "the peer speaks something else");
    return PX_ERR_MALFORMED;
}

/* All that can be done with the bytes that are there. */
static px_err step(struct health_tls *tls)
{
    size_t used = 0;

    ERR_clear_error();
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1)
        return complain(tls, result);
    if (!tls->is_asked && SSL_write_ex(tls->ssl, tls->request, strlen(tls->request), &used) != 1)
        return complain(tls, 0);
    tls->is_asked = true;
    while (tls->answer_len < sizeof(tls->answer) &&
           SSL_read_ex(tls->ssl, tls->answer + tls->answer_len,
                       sizeof(tls->answer) - tls->answer_len, &used) == 1)
        tls->answer_len += used;
    /* The end, orderly or not, counts only where nothing was said before it. */
    return tls->answer_len > 0 ? PX_OK : complain(tls, 0);
}

px_err health_tls_receive(struct health_tls *tls, px_str bytes, px_str *out_answer)
{
    if (bytes.len > 0 &&
        (bytes.len > INT_MAX || BIO_write(tls->in, bytes.ptr, (int)bytes.len) != (int)bytes.len)) {
        snprintf(tls->complaint, sizeof(tls->complaint), "out of memory");
        return PX_ERR_MEMORY;
    }
    px_err err = step(tls);
    if (err == PX_OK)
        *out_answer = px_str_make(tls->answer, tls->answer_len);
    return err;
}

px_str health_tls_pending(struct health_tls *tls)
{
    int bytes = BIO_read(tls->out, tls->wire, sizeof(tls->wire));

    return px_str_make(tls->wire, bytes > 0 ? (size_t)bytes : 0);
}

const char *health_tls_complaint(const struct health_tls *tls)
{
    return tls->complaint;
}

void health_tls_destroy(struct health_tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->context);
    free(tls);
}
