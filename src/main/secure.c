/*
 * From flags to a px_tls.
 *
 * Happy path: certificates, then what is stapled to them.  It can fail by a file that is not there,
 * cannot be read, or holds something else; the library's line says which.
 */
#include "main/secure.h"

#include "main/address.h"
#include "main/diagnostics.h"

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

static bool is_asked_for(const struct options *options)
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
    if (!is_asked_for(options))
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
