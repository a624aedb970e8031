/*
 * From flags to a px_tls.
 *
 * Happy path: certificates, then what is stapled to them.  A file that is not there, cannot be
 * read, or holds something else is an error where nothing is left to serve, and a warning where
 * others are; the library's line says which.  Dates are a warning.
 */
#include "main/secure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/listen/address.h"
#include "pollux/pollux.h"

enum { FINGERPRINT_BYTES = 96 };

/* What is wrong with one certificate alone, so that others can be served without it. */
static bool is_of_one(px_err err)
{
    return err == PX_ERR_NOT_FOUND || err == PX_ERR_PERMISSION || err == PX_ERR_INVALID;
}

/* One that was made before is kept, so that clients that trust it go on. */
static px_err made_add(px_tls *tls, const char *names, const px_tls *before, px_error *out_error)
{
    if (before && px_tls_keep_self_signed(tls, names, before, out_error) == PX_OK)
        return PX_OK;
    return px_tls_add_self_signed(tls, names, out_error);
}

/* Adds them in their order: the first one is also served to clients that name no host.  One that
 * cannot be used is refused by its names, unless it is an error where that is asked for, or there
 * is no other. */
static px_err certificates_add(px_tls *tls, const struct secure_options *secure,
                               const px_tls *before, px_error *out_error)
{
    px_tls_certificate good = PX_TLS_CERTIFICATE_INIT;
    px_error first = {.code = PX_OK};
    px_err err = PX_OK;

    /* One key for each certificate of a file, or none at all. */
    CHECK(secure->key_count == 0 ||
          secure->key_count >= secure->certificate_count - secure->made_count);
    for (uint32_t i = 0; i < secure->certificate_count && err == PX_OK; i++) {
        const char *certificate = secure->certificates[i];
        const char *key = secure->key_count > 0 ? secure->keys[i] : NULL;

        if (!certificate) {
            err = made_add(tls, secure->made_names[i], before, out_error);
            continue;
        }
        err = px_tls_add_certificate(tls, certificate, key, out_error);
        if (err == PX_OK || secure->strict || !is_of_one(err))
            continue;
        if (first.code == PX_OK)
            first = *out_error;
        err = px_tls_add_refused(tls, certificate, key, out_error);
    }
    if (err == PX_OK && first.code != PX_OK &&
        px_tls_certificate_at(tls, 0, &good) == PX_ERR_NOT_FOUND) {
        *out_error = first;
        err = first.code;
    }
    return err;
}

static px_err secure_fill(px_tls *tls, const struct secure_options *secure, const px_tls *before,
                          px_error *out_error)
{
    px_err err = certificates_add(tls, secure, before, out_error);
    const char *why;

    for (uint32_t i = 0; i < secure->staple_count && err == PX_OK; i++)
        err = px_tls_add_ocsp(tls, secure->staples[i], out_error);
    if (err == PX_OK && secure->strict && px_tls_unstapled_at(tls, 0, &why) == PX_OK)
        err = error_set(out_error, PX_ERR_INVALID, 0, "%s", why);
    return err;
}

/* How near the end of a certificate is. */
enum date_step { DATE_GOOD, DATE_MONTH, DATE_WEEK, DATE_DAY, DATE_EXPIRED, DATE_EARLY };

enum { HOUR_S = 3600, DAY_S = 24 * HOUR_S };

static enum date_step date_step_of(const px_tls_certificate *certificate, int64_t now)
{
    int64_t left_s = certificate->not_after - now;

    if (certificate->not_before > now)
        return DATE_EARLY;
    if (left_s < 0)
        return DATE_EXPIRED;
    if (left_s < DAY_S)
        return DATE_DAY;
    if (left_s < 7 * (int64_t)DAY_S)
        return DATE_WEEK;
    return left_s < 30 * (int64_t)DAY_S ? DATE_MONTH : DATE_GOOD;
}

/* "expired on 2026-01-02, 3 days ago", or how long it is still good. */
static void date_write(const px_tls_certificate *certificate, enum date_step step, int64_t now,
                       char *out_text, size_t room)
{
    int64_t when = step == DATE_EARLY ? certificate->not_before : certificate->not_after;
    int64_t days = (when > now ? when - now : now - when) / DAY_S;
    struct tm tm;
    char date[16] = "";

    if (gmtime_r(&(time_t){(time_t)when}, &tm))
        strftime(date, sizeof(date), "%Y-%m-%d", &tm);
    snprintf(out_text, room, "%s %s, %s%" PRId64 " day%s%s",
             step == DATE_EARLY     ? "is not valid before"
             : step == DATE_EXPIRED ? "expired on"
                                    : "expires on",
             date, step == DATE_EXPIRED ? "" : "in ", days, days == 1 ? "" : "s",
             step == DATE_EXPIRED ? " ago" : "");
}

enum exit_code secure_judge(const px_tls *tls, struct secure_dates *dates, int64_t now, bool strict)
{
    px_tls_certificate certificate = PX_TLS_CERTIFICATE_INIT;
    enum exit_code code = CODE_OK;
    char text[128];

    dates->due = now + HOUR_S;
    for (size_t i = 0; px_tls_certificate_at(tls, i, &certificate) == PX_OK; i++) {
        enum date_step step = date_step_of(&certificate, now);
        bool wrong = strict && step >= DATE_EXPIRED;

        if (!certificate.file || i >= CERTIFICATE_COUNT_MAX)
            continue;
        struct secure_date *said = &dates->said[i];
        bool news = said->until != certificate.not_after || said->step != step;

        *said = (struct secure_date){.until = certificate.not_after, .step = (uint8_t)step};
        if (step == DATE_GOOD || (!news && !wrong))
            continue;
        date_write(&certificate, step, now, text, sizeof(text));
        if (!wrong) {
            diagnostics_warn("the certificate in %s %s", certificate.file, text);
            continue;
        }
        diagnostics_say("the certificate in %s %s", certificate.file, text);
        code = CODE_CONFIG;
    }
    return code;
}

/* What is served without some of what it was told to serve says so, and what to do. */
static void left_out_tell(const px_tls *tls)
{
    const char *why;

    for (size_t i = 0; px_tls_refused_at(tls, i, &why) == PX_OK; i++)
        diagnostics_warn("%s; clients that ask for its names are refused until the file is mended",
                         why);
    for (size_t i = 0; px_tls_unstapled_at(tls, i, &why) == PX_OK; i++)
        diagnostics_warn("%s; it is not stapled", why);
}

void secure_look(const px_tls *tls, struct secure_dates *dates)
{
    int64_t now = (int64_t)time(NULL);

    /* The clock may have been set back. */
    if (tls && (now >= dates->due || now < dates->due - HOUR_S))
        (void)secure_judge(tls, dates, now, false);
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

/* Whether one of its certificates has this fingerprint; NULL: none has. */
static bool has_fingerprint(const px_tls *tls, const char *fingerprint)
{
    char text[FINGERPRINT_BYTES];

    for (size_t i = 0; tls && px_tls_fingerprint_at(tls, i, text, sizeof(text)) > 0; i++)
        if (strcmp(text, fingerprint) == 0)
            return true;
    return false;
}

/* What is made has no other place where its fingerprint could be read; each is said once. */
static void made_tell(const px_tls *tls, const px_tls *before)
{
    char fingerprint[FINGERPRINT_BYTES];
    px_tls_certificate certificate = PX_TLS_CERTIFICATE_INIT;

    for (size_t i = 0; px_tls_certificate_at(tls, i, &certificate) == PX_OK; i++) {
        if (certificate.file ||
            px_tls_fingerprint_at(tls, i, fingerprint, sizeof(fingerprint)) == 0)
            continue;
        if (!has_fingerprint(before, fingerprint))
            diagnostics_tell(LEVEL_NOTICE, "self-signed certificate for %s, SHA-256 %s",
                             certificate.name, fingerprint);
    }
}

enum exit_code secure_open(const struct options *options, struct secure_dates *dates,
                           const px_tls *before, px_tls **out_tls)
{
    px_error error;

    *out_tls = NULL;
    if (!options_are_secure(options))
        return CODE_OK;
    px_tls *tls = px_tls_create(&options->secure.tls, &error);

    if (!tls || secure_fill(tls, &options->secure, before, &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        px_tls_destroy(tls);
        return code_of(error.code);
    }
    enum exit_code code = secure_judge(tls, dates, (int64_t)time(NULL), options->secure.strict);

    if (code != CODE_OK) {
        px_tls_destroy(tls);
        return code;
    }
    if (options->secure.made_count > 0 && !options->quiet)
        made_tell(tls, before);
    left_out_tell(tls);
    *out_tls = tls;
    return CODE_OK;
}

/* Where dates are errors, they are before anything is replaced. */
static bool would_open(const struct options *options, const struct secure_dates *dates,
                       const px_tls *now)
{
    struct secure_dates scratch = *dates;
    px_tls *tls;

    if (!options->secure.strict || options->secure.certificate_count == options->secure.made_count)
        return true;
    if (secure_open(options, &scratch, now, &tls) != CODE_OK)
        return false;
    px_tls_destroy(tls);
    return true;
}

px_err secure_reload(const struct options *options, px_tls *tls, struct secure_dates *dates)
{
    px_error error;

    if (!tls)
        return PX_OK;
    if (!would_open(options, dates, tls)) {
        diagnostics_say("not reloaded: --tls-strict takes no such certificate");
        return PX_ERR_INVALID;
    }
    if (px_tls_reload(tls, &error) != PX_OK) {
        diagnostics_say("not reloaded: %s", error.text);
        return error.code;
    }
    (void)secure_judge(tls, dates, (int64_t)time(NULL), false);
    left_out_tell(tls);
    return PX_OK;
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

    CHECK(len > 0 && (size_t)len < sizeof(text));
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
