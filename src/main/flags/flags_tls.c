/*
 * Flags of TLS: certificates, which clients may connect, what is spoken.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"
#include "main/listen/address.h"

enum {
    HSTS_S_DEFAULT = 365 * 24 * 3600,
    HSTS_S_MOST = 10 * HSTS_S_DEFAULT, /* browsers cap it earlier */
};

/* Adds to a list of paths. */
static px_err add_path(const char **paths, uint32_t *count, const struct flag *flag,
                       const char *value, px_error *out_error)
{
    if (flag_check_path(flag, value, out_error) != PX_OK)
        return PX_ERR_INVALID;
    if (*count == CERTIFICATE_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: at most %d of them", flag->name,
                         value, CERTIFICATE_COUNT_MAX);
    paths[(*count)++] = value;
    return PX_OK;
}

static px_err add_certificate(struct options *options, const struct flag *flag, const char *value,
                              px_error *out_error)
{
    struct secure_options *secure = &options->secure;

    return add_path(secure->certificates, &secure->certificate_count, flag, value, out_error);
}

static px_err add_key(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error)
{
    struct secure_options *secure = &options->secure;

    return add_path(secure->keys, &secure->key_count, flag, value, out_error);
}

static px_err add_staple(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    struct secure_options *secure = &options->secure;

    return add_path(secure->staples, &secure->staple_count, flag, value, out_error);
}

static px_err set_self_signed(struct options *options, const struct flag *flag, const char *value,
                              px_error *out_error)
{
    struct secure_options *secure = &options->secure;

    if (secure->certificate_count == CERTIFICATE_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s: at most %d of them", flag->name,
                         CERTIFICATE_COUNT_MAX);
    secure->made_names[secure->certificate_count++] = value;
    secure->made_count++;
    return PX_OK;
}

/* A word of a list, as its number; 0 to `count` - 1. */
static px_err set_word(const struct flag *flag, const char *value, const char *const *words,
                       uint32_t count, uint32_t *out_number, px_error *out_error)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(value, words[i]) == 0) {
            *out_number = i;
            return PX_OK;
        }
    }
    return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is one of %s%s%s%s%s", flag->name,
                     value, words[0], count > 1 ? ", " : "", count > 1 ? words[1] : "",
                     count > 2 ? ", " : "", count > 2 ? words[2] : "");
}

static px_err take_profile(struct options *options, uint32_t profile, px_error *out_error)
{
    struct secure_options *secure = &options->secure;

    if (secure->profile_given && secure->tls.profile != profile)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--tls-profile says both intermediate and modern: leave one of them out");
    secure->profile_given = true;
    secure->tls.profile = profile;
    return PX_OK;
}

static px_err set_profile(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    static const char *const words[] = {"intermediate", "modern"};
    uint32_t profile = 0;

    if (set_word(flag, value, words, ARRAY_COUNT(words), &profile, out_error) != PX_OK)
        return PX_ERR_INVALID;
    return take_profile(options, profile, out_error);
}

static px_err set_modern(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    (void)flag;
    (void)value;
    return take_profile(options, PX_TLS_MODERN, out_error);
}

static px_err set_strict(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    (void)flag;
    (void)value;
    (void)out_error;
    options->secure.strict = true;
    return PX_OK;
}

static px_err set_client(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    static const char *const words[] = {"off", "optional", "required"};

    options->secure.client_given = true;
    return set_word(flag, value, words, ARRAY_COUNT(words), &options->secure.tls.client, out_error);
}

/* A command line that names authorities of client certificates wants to see some. */
static px_err set_client_ca(struct options *options, const struct flag *flag, const char *value,
                            px_error *out_error)
{
    if (!options->secure.client_given)
        options->secure.tls.client = PX_TLS_CLIENT_REQUIRED;
    return flag_set_path(options, flag, value, out_error);
}

static px_err set_hsts(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error)
{
    options->secure.hsts = true;
    options->secure.hsts_s = HSTS_S_DEFAULT;
    if (value && !value_count(value, 0, HSTS_S_MOST, &options->secure.hsts_s))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s %s: it is a number of seconds; 0 takes it back", flag->name, value);
    return PX_OK;
}

/* ADDR, or ADDR=PORT where clients meet another port than the one that is listened on; then its
 * options. */
static px_err set_redirect(struct options *options, const struct flag *flag, const char *value,
                           px_error *out_error)
{
    struct secure_options *secure = &options->secure;
    px_str address = px_str_make(value, strcspn(value, ","));
    const char *behind = value + address.len, *equals = memrchr(value, '=', address.len);
    char port_text[sizeof("65535")] = "";
    uint64_t port = 0;
    px_err err;

    if (equals) {
        size_t port_len = (size_t)(behind - equals) - 1;

        if (port_len < sizeof(port_text))
            memcpy(port_text, equals + 1, port_len);
        address.len = (size_t)(equals - value);
    }
    if (secure->redirect || address_is_secure(value) ||
        address.len + strlen(behind) >= sizeof(secure->redirect_address) ||
        (equals && !value_count(port_text, 1, UINT16_MAX, &port)))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s %s: it is one address without https, as :80, or with the port that "
                         "clients are sent to, as :80=443",
                         flag->name, value);
    snprintf(secure->redirect_address, sizeof(secure->redirect_address), "%.*s%s", (int)address.len,
             address.ptr, behind);
    err = options_listen(options, flag->name, secure->redirect_address, out_error);
    if (err != PX_OK)
        return err;
    secure->redirect = options->listen[options->listen_count - 1];
    secure->redirect_port = (uint32_t)port;
    return PX_OK;
}

const struct flag flags_tls[] = {
    {"tls-cert", 0, "FILE", FOR_SERVING, add_certificate, 0,
     "PEM: a certificate and its chain; repeat for more names"},
    {"tls-key", 0, "FILE", FOR_SERVING, add_key, 0,
     "PEM: its key, one for each --tls-cert (default: in the same file)"},
    {"tls-self-signed", 0, "[NAMES]", FOR_SERVING, set_self_signed, 0,
     "a certificate for development, kept in memory; repeat"},
    {"tls-profile", 0, "NAME", FOR_SERVING, set_profile, 0,
     "intermediate (default: TLS 1.3 and 1.2), modern (1.3 alone)"},
    {"tls-modern", 0, NULL, FOR_SERVING, set_modern, 0, "the same as --tls-profile modern"},
    {"tls-client-ca", 0, "FILE", FOR_SERVING, set_client_ca, FLAG_AT(secure.tls.client_ca_file),
     "PEM: authorities of client certificates"},
    {"tls-client", 0, "RULE", FOR_SERVING, set_client, 0,
     "required (default with --tls-client-ca), optional, off"},
    {"tls-ticket-keys", 0, "FILE", FOR_SERVING, flag_set_path, FLAG_AT(secure.tls.ticket_keys_file),
     "keys of session tickets that machines share"},
    {"tls-ocsp", 0, "FILE", FOR_SERVING, add_staple, 0, "DER: an OCSP response to staple; repeat"},
    {"tls-strict", 0, NULL, FOR_SERVING, set_strict, 0,
     "a certificate that is bad or out of its dates is an error"},
    {"timeout-handshake", 0, "TIME", FOR_SERVING, flag_set_duration,
     FLAG_AT(secure.tls.handshake_timeout_ms), "for a TLS handshake (default 10s), or off"},
    {"max-handshakes", 0, "N", FOR_SERVING, flag_set_count, FLAG_AT(secure.tls.handshakes_max),
     "TLS handshakes in flight, per worker (default 1024)"},
    {"hsts", 0, "[SECONDS]", FOR_SERVING, set_hsts, 0,
     "Strict-Transport-Security on answers over TLS (default a year)"},
    {"https-redirect", 0, "ADDR[=PORT]", FOR_SERVING, set_redirect, 0,
     "redirects to https (default PORT: that of -l https://)"},
    {0},
};
