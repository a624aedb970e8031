/*
 * From flags to a px_tls.
 *
 * Happy path: certificates, then what is stapled to them.  It can fail by a file that is not there,
 * cannot be read, or holds something else; the library's line says which.
 */
#include "main/secure.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

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

/* "expired on 2026-01-02, 3 days ago", or how long it is still good; false when there is nothing to
 * say.  What is said of the last 30, 7 and 1 days is a warning before it is too late. */
static bool date_say(const px_tls_certificate *certificate, int64_t now, char *out_text,
                     size_t room)
{
    enum { DAY_S = 24 * 3600 };
    bool early = certificate->not_before > now, expired = certificate->not_after < now;
    int64_t when = early ? certificate->not_before : certificate->not_after;
    int64_t days = (when > now ? when - now : now - when) / DAY_S;
    struct tm tm;
    char date[16] = "";

    if (!early && !expired && days >= 30)
        return false;
    if (gmtime_r(&(time_t){(time_t)when}, &tm))
        strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    snprintf(out_text, room, "%s %s, %s%" PRId64 " day%s%s",
             early     ? "is not valid before"
             : expired ? "expired on"
                       : "expires on",
             date, expired ? "" : "in ", days, days == 1 ? "" : "s", expired ? " ago" : "");
    return true;
}

/* RFC 5280 section 4.1.2.5: dates that do not hold make a warning, or an error where that is asked
 * for. */
static enum exit_code secure_judge(const px_tls *tls, bool strict)
{
    int64_t now = (int64_t)time(NULL);
    px_tls_certificate certificate;
    enum exit_code code = CODE_OK;
    char text[128];

    for (size_t i = 0; px_tls_certificate_at(tls, i, &certificate) == PX_OK; i++) {
        bool invalid = certificate.not_before > now || certificate.not_after < now;

        if (!certificate.file || !date_say(&certificate, now, text, sizeof(text)))
            continue;
        diagnostics_say("%sthe certificate in %s %s",
                        strict && invalid ? "" : "warning: ", certificate.file, text);
        if (strict && invalid)
            code = CODE_CONFIG;
    }
    return code;
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
    enum exit_code code = secure_judge(tls, options->secure.strict);

    if (code != CODE_OK) {
        px_tls_destroy(tls);
        return code;
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
