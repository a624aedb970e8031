/*
 * From flags to a px_tls.
 *
 * Happy path: certificates, then what is stapled to them.  It can fail by a file that is not there,
 * cannot be read, or holds something else; the library's line says which.
 */
#include "main/secure.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "main/address.h"
#include "main/diagnostics.h"
#include "pollux/pollux.h"

enum { FINGERPRINT_BYTES = 96 };

static px_err secure_fill(px_tls *tls, const struct secure_options *secure, px_error *out_error)
{
    px_err err = PX_OK;

    for (uint32_t i = 0; i < secure->certificate_count && err == PX_OK; i++)
        err = px_tls_add_certificate(tls, secure->certificates[i],
                                     secure->key_count > 0 ? secure->keys[i] : NULL, out_error);
    if (err == PX_OK && secure->self_signed)
        err = px_tls_add_self_signed(tls, secure->self_signed_names, out_error);
    for (uint32_t i = 0; i < secure->staple_count && err == PX_OK; i++)
        err = px_tls_add_ocsp(tls, secure->staples[i], out_error);
    return err;
}

bool options_are_secure(const struct options *options)
{
    for (uint32_t i = 0; i < options->listen_count; i++)
        if (address_is_secure(options->listen[i]))
            return true;
    return false;
}

/* What is wrong in a file is wrong in the configuration, not on the command line. */
static enum exit_code code_of(px_err err)
{
    return err == PX_ERR_INVALID ? CODE_CONFIG : exit_code_of(err);
}

enum exit_code secure_open(const struct options *options, px_tls **out_tls)
{
    char fingerprint[FINGERPRINT_BYTES];
    px_error error;

    *out_tls = NULL;
    if (!options_are_secure(options))
        return CODE_OK;
    px_tls *tls = px_tls_create(&options->secure.tls, &error);

    if (!tls || secure_fill(tls, &options->secure, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        px_tls_destroy(tls);
        return code_of(error.code);
    }
    if (options->secure.self_signed && options->secure.certificate_count == 0 && !options->quiet) {
        px_tls_fingerprint(tls, fingerprint, sizeof(fingerprint));
        diagnostics_say("self-signed certificate, SHA-256 %s", fingerprint);
    }
    *out_tls = tls;
    return CODE_OK;
}

/* RFC 6797 section 7.2: never on answers that did not come over TLS. */
static int on_head(px_exchange *exchange, void *context, void **out_state)
{
    const struct options *options = context;
    char text[32];

    *out_state = NULL;
    if (!px_request_is_https(exchange))
        return 0;
    int len = snprintf(text, sizeof(text), "max-age=%" PRIu64, options->secure.hsts_s);

    px_response_set_field(exchange, px_str_of("Strict-Transport-Security"),
                          px_str_make(text, (size_t)len));
    return 0;
}

px_err secure_register(px_server *server, const struct options *options, px_error *out_error)
{
    static const px_filter filter = {.struct_size = sizeof(filter), .on_head = on_head};

    if (!options->secure.hsts)
        return error_clear(out_error);
    return px_server_filter(server, &filter, (void *)(uintptr_t)options, NULL, out_error);
}
