/*
 * px_tls: options, sources, and the generation made of them.
 *
 * Happy path: created, given certificates, served.  Every addition and every reload makes the next
 * generation whole before it takes the place of the last, so that a failure changes nothing.
 */
#include "tls/tls.h"

#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/options.h"
#include "tls/tls_context.h"
#include "tls/tls_ocsp.h"

enum { KEPT_S_LEAST = 30 * 24 * 3600 }; /* a made certificate with less left is made anew */

static const char names_default[] = "localhost,127.0.0.1,::1";

/* --- Making and ending ------------------------------------------------------------------------ */

px_err tls_text_copy(px_tls *tls, const char *text, char **out_copy)
{
    size_t bytes = text ? strlen(text) + 1 : 0;

    *out_copy = NULL;
    if (!text)
        return PX_OK;
    *out_copy = alloc_take(&tls->allocator, bytes);
    if (!*out_copy)
        return PX_ERR_MEMORY;
    memcpy(*out_copy, text, bytes);
    return PX_OK;
}

static px_err options_settle(px_tls_options *options, px_error *out_error)
{
    if (options->profile > PX_TLS_MODERN)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such TLS profile: %u", options->profile);
    if (options->client > PX_TLS_CLIENT_REQUIRED)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such rule for client certificates: %u",
                         options->client);
    if (options->client != PX_TLS_CLIENT_OFF && !options->client_ca_file)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "client certificates need a file with the authorities that sign them");
    if (options->handshake_timeout_ms == 0)
        options->handshake_timeout_ms = TLS_HANDSHAKE_TIMEOUT_MS_DEFAULT;
    if (options->handshakes_max == 0)
        options->handshakes_max = TLS_HANDSHAKES_DEFAULT;
    return PX_OK;
}

static px_err tls_init(px_tls *tls, const px_tls_options *options, px_error *out_error)
{
    tls->options = *options;
    if (tls_text_copy(tls, options->client_ca_file, &tls->client_ca_file) != PX_OK ||
        tls_text_copy(tls, options->ticket_keys_file, &tls->ticket_keys_file) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    tls->options.client_ca_file = tls->client_ca_file;
    tls->options.ticket_keys_file = tls->ticket_keys_file;
    return tls->ticket_keys_file ? tls_tickets_load(&tls->tickets, tls->ticket_keys_file, out_error)
                                 : tls_tickets_init(&tls->tickets, out_error);
}

px_tls *px_tls_create(const px_tls_options *given, px_error *out_error)
{
    px_tls_options options;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "TLS options: unknown or missing struct_size");
        return NULL;
    }
    if (options_settle(&options, out_error) != PX_OK)
        return NULL;
    const px_allocator *allocator = options.allocator ? options.allocator : &alloc_libc;
    px_tls *tls = alloc_take_zeroed(allocator, sizeof(*tls));

    if (!tls) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    tls->allocator = *allocator;
    if (tls_init(tls, &options, out_error) == PX_OK)
        return tls;
    px_tls_destroy(tls);
    return NULL;
}

void tls_source_free(px_tls *tls, struct tls_source *source)
{
    if (!source)
        return;
    alloc_put(&tls->allocator, source->path);
    alloc_put(&tls->allocator, source->key_path);
    tls_certificate_free(source->made);
    alloc_put(&tls->allocator, source->made_names);
    tls_certificate_free(source->named);
    alloc_put(&tls->allocator, source);
}

void px_tls_destroy(px_tls *tls)
{
    if (!tls)
        return;
    px_allocator allocator = tls->allocator;

    tls_context_put(tls->context);
    while (tls->sources) {
        struct tls_source *source = tls->sources;

        tls->sources = source->next;
        tls_source_free(tls, source);
    }
    tls_tickets_wipe(&tls->tickets);
    alloc_put(&allocator, tls->client_ca_file);
    alloc_put(&allocator, tls->ticket_keys_file);
    alloc_put(&allocator, tls);
}

/* --- Generations ------------------------------------------------------------------------------ */

static uint32_t certificate_sources(const px_tls *tls)
{
    uint32_t count = 0;

    for (const struct tls_source *source = tls->sources; source; source = source->next)
        count += source->kind != TLS_SOURCE_OCSP;
    return count;
}

/* What is wrong with a certificate stops all, but where that was known before and it is one of
 * several.  Too little memory is nothing that is wrong with it. */
static px_err source_refuse(px_tls *tls, struct tls_source *source, const px_error *error)
{
    if (!source->refused || error->code == PX_ERR_MEMORY)
        return error->code;
    tls_certificate_free(source->named);
    source->named = tls_certificate_names(&tls->allocator, source->path);
    memcpy(source->why, error->text, sizeof(source->why));
    return PX_OK;
}

/* Loads a certificate of files; NULL with PX_OK: it is refused still. */
static px_err files_load(px_tls *tls, struct tls_source *source,
                         struct tls_certificate **out_certificate, px_error *out_error)
{
    struct tls_certificate *certificate =
        tls_certificate_load(&tls->allocator, source->path, source->key_path, out_error);

    source->mended = false;
    *out_certificate = NULL;
    if (!certificate)
        return source_refuse(tls, source, out_error);
    if (source->refused && tls_context_accepts(tls, certificate, out_error) != PX_OK) {
        tls_certificate_free(certificate);
        return source_refuse(tls, source, out_error);
    }
    source->mended = source->refused;
    *out_certificate = certificate;
    return PX_OK;
}

/* Staples a response; one that cannot be stapled now is left out, and tried again with the next
 * generation: its certificate may be refused still, or be newer. */
static px_err staple_load(struct tls_source *source, struct tls_certificate **certificates,
                          uint32_t count, px_error *out_error)
{
    px_err err = tls_ocsp_staple(certificates, count, source->path, out_error);

    source->refused = err == PX_ERR_CONFLICT;
    if (!source->refused)
        return err;
    memcpy(source->why, out_error->text, sizeof(source->why));
    return PX_OK;
}

/* Loads one source: a certificate more, or a staple for one of those before. */
static px_err source_load(px_tls *tls, struct tls_source *source,
                          struct tls_certificate **certificates, uint32_t *count,
                          px_error *out_error)
{
    struct tls_certificate *certificate = NULL;
    px_err err = PX_OK;

    switch (source->kind) {
    case TLS_SOURCE_OCSP:
        return staple_load(source, certificates, *count, out_error);
    case TLS_SOURCE_FILES:
        err = files_load(tls, source, &certificate, out_error);
        break;
    case TLS_SOURCE_MADE:
        certificate = tls_certificate_copy(source->made, &tls->allocator);
        if (!certificate)
            err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        break;
    }
    if (!certificate)
        return err;
    certificate->file = source->path;
    certificates[(*count)++] = certificate;
    return PX_OK;
}

/* What can be used again is a certificate like the others from now on. */
static void sources_settle(px_tls *tls)
{
    for (struct tls_source *source = tls->sources; source; source = source->next)
        source->refused = source->refused && !source->mended;
}

px_err tls_renew(px_tls *tls, px_error *out_error)
{
    uint32_t room = certificate_sources(tls), count = 0;
    struct tls_certificate **certificates;
    struct tls_context *context;
    px_err err = PX_OK;

    if (room == 0)
        return PX_OK;
    certificates = alloc_take(&tls->allocator, room * sizeof(struct tls_certificate *));
    if (!certificates)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    for (struct tls_source *source = tls->sources; source && err == PX_OK; source = source->next)
        err = source_load(tls, source, certificates, &count, out_error);
    if (err == PX_OK && count == 0) { /* all of them are refused: there is nothing to serve yet */
        alloc_put(&tls->allocator, certificates);
        return error_clear(out_error);
    }
    context = err == PX_OK ? tls_context_create(tls, certificates, count, out_error) : NULL;
    if (context) {
        tls_context_put(tls->context);
        tls->context = context;
        sources_settle(tls);
        return error_clear(out_error);
    }
    while (count > 0)
        tls_certificate_free(certificates[--count]);
    alloc_put(&tls->allocator, certificates);
    return out_error->code;
}

/* Appends a source and renews; takes the source over in any case. */
static px_err source_add(px_tls *tls, struct tls_source *source, px_error *out_error)
{
    struct tls_source **end = &tls->sources;

    while (*end)
        end = &(*end)->next;
    *end = source;
    px_err err = certificate_sources(tls) <= TLS_CERTIFICATES_MAX
                     ? tls_renew(tls, out_error)
                     : error_set(out_error, PX_ERR_LIMIT, 0, "at most %d certificates",
                                 TLS_CERTIFICATES_MAX);

    if (err == PX_OK)
        return PX_OK;
    *end = NULL;
    tls_source_free(tls, source);
    return err;
}

struct tls_source *tls_source_make(px_tls *tls, enum tls_source_kind kind, const char *path,
                                   const char *key_path, px_error *out_error)
{
    struct tls_source *source = alloc_take_zeroed(&tls->allocator, sizeof(*source));

    if (source) {
        source->kind = kind;
        if (tls_text_copy(tls, path, &source->path) == PX_OK &&
            tls_text_copy(tls, key_path, &source->key_path) == PX_OK)
            return source;
    }
    tls_source_free(tls, source);
    error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    return NULL;
}

static px_err files_add(px_tls *tls, const char *certificate_file, const char *key_file,
                        bool refused, px_error *out_error)
{
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;

    error_clear(where);
    struct tls_source *source =
        tls_source_make(tls, TLS_SOURCE_FILES, certificate_file, key_file, where);

    if (!source)
        return where->code;
    source->refused = refused;
    return source_add(tls, source, where);
}

px_err px_tls_add_certificate(px_tls *tls, const char *certificate_file, const char *key_file,
                              px_error *out_error)
{
    return files_add(tls, certificate_file, key_file, false, out_error);
}

px_err px_tls_add_refused(px_tls *tls, const char *certificate_file, const char *key_file,
                          px_error *out_error)
{
    return files_add(tls, certificate_file, key_file, true, out_error);
}

static px_err why_at(const px_tls *tls, enum tls_source_kind kind, size_t index,
                     const char **out_why)
{
    for (const struct tls_source *source = tls->sources; source; source = source->next) {
        if (source->kind != kind || !source->refused || index-- > 0)
            continue;
        *out_why = source->why;
        return PX_OK;
    }
    return PX_ERR_NOT_FOUND;
}

px_err px_tls_refused_at(const px_tls *tls, size_t index, const char **out_why)
{
    return why_at(tls, TLS_SOURCE_FILES, index, out_why);
}

px_err px_tls_unstapled_at(const px_tls *tls, size_t index, const char **out_why)
{
    return why_at(tls, TLS_SOURCE_OCSP, index, out_why);
}

/* RFC 6125 section 6.4.3: the star stands for one whole label, the left-most. */
static bool name_covers(const struct tls_name *name, const char *host)
{
    const char *dot = strchr(host, '.');

    if (strcmp(name->text, host) == 0)
        return true;
    return name->text[0] == '*' && dot && dot != host && strcmp(name->text + 1, dot) == 0;
}

bool tls_refuses(const px_tls *tls, const char *host)
{
    for (const struct tls_source *source = tls->sources; source; source = source->next) {
        if (source->kind != TLS_SOURCE_FILES || !source->refused)
            continue;
        if (!source->named)
            return true;
        for (const struct tls_name *name = source->named->names; name; name = name->next) {
            if (name_covers(name, host))
                return true;
        }
    }
    return false;
}

/* Adds a made certificate with the names it was made for; takes it over in any case.  NULL: there
 * is none, and `out_error` says why. */
static px_err made_add(px_tls *tls, struct tls_certificate *made, const char *names,
                       px_error *out_error)
{
    struct tls_source *source =
        made ? tls_source_make(tls, TLS_SOURCE_MADE, NULL, NULL, out_error) : NULL;

    if (!source) {
        tls_certificate_free(made);
        return out_error->code;
    }
    source->made = made;
    if (tls_text_copy(tls, names, &source->made_names) == PX_OK)
        return source_add(tls, source, out_error);
    tls_source_free(tls, source);
    return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
}

px_err px_tls_add_self_signed(px_tls *tls, const char *names, px_error *out_error)
{
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;
    const char *given = names ? names : names_default;

    error_clear(where);
    return made_add(tls, tls_certificate_make(&tls->allocator, given, where), given, where);
}

static bool is_good_for_long(const struct tls_certificate *certificate)
{
    int64_t from, until;

    return tls_certificate_dates(certificate, &from, &until) == PX_OK &&
           until - (int64_t)time(NULL) >= KEPT_S_LEAST;
}

px_err px_tls_keep_self_signed(px_tls *tls, const char *names, const px_tls *from,
                               px_error *out_error)
{
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;
    const char *given = names ? names : names_default;
    const struct tls_source *kept = from->sources;
    struct tls_certificate *made;

    error_clear(where);
    while (kept && (kept->kind != TLS_SOURCE_MADE || strcmp(kept->made_names, given) != 0 ||
                    !is_good_for_long(kept->made)))
        kept = kept->next;
    if (!kept)
        return error_set(where, PX_ERR_NOT_FOUND, 0, "no certificate was made for %s", given);
    made = tls_certificate_copy(kept->made, &tls->allocator);
    if (!made)
        error_set(where, PX_ERR_MEMORY, 0, "out of memory");
    return made_add(tls, made, given, where);
}

px_err px_tls_add_ocsp(px_tls *tls, const char *response_file, px_error *out_error)
{
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;

    error_clear(where);
    struct tls_source *source = tls_source_make(tls, TLS_SOURCE_OCSP, response_file, NULL, where);

    if (!source)
        return where->code;
    if (certificate_sources(tls) > 0)
        return source_add(tls, source, where);
    tls_source_free(tls, source);
    return error_set(where, PX_ERR_INVALID, 0, "an OCSP response needs its certificate first");
}

px_err px_tls_reload(px_tls *tls, px_error *out_error)
{
    struct tls_tickets tickets = tls->tickets;
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;
    px_err err = PX_OK;

    error_clear(where);
    if (tls->ticket_keys_file)
        err = tls_tickets_load(&tickets, tls->ticket_keys_file, where);
    if (err == PX_OK)
        err = tls_renew(tls, where);
    if (err == PX_OK)
        tls->tickets = tickets;
    tls_tickets_wipe(&tickets);
    return err;
}

void px_tls_take_tickets(px_tls *tls, const px_tls *from)
{
    if (!tls->ticket_keys_file && !from->ticket_keys_file)
        tls->tickets = from->tickets;
}

px_err px_tls_certificate_at(const px_tls *tls, size_t index, px_tls_certificate *out_certificate)
{
    const struct tls_context *context = tls->context;
    px_tls_certificate found = {.struct_size = sizeof(found)};

    if (!context || index >= context->certificate_count)
        return PX_ERR_NOT_FOUND;
    const struct tls_certificate *certificate = context->certificates[index];

    found.name = certificate->names ? certificate->names->text : "";
    found.file = certificate->file;
    px_err err = tls_certificate_dates(certificate, &found.not_before, &found.not_after);

    if (err == PX_OK)
        *out_certificate = found;
    return err;
}

px_err px_tls_name_at(const px_tls *tls, size_t index, size_t name_index, const char **out_name)
{
    const struct tls_context *context = tls->context;
    const struct tls_name *name;

    if (!context || index >= context->certificate_count)
        return PX_ERR_NOT_FOUND;
    for (name = context->certificates[index]->names; name && name_index > 0; name_index--)
        name = name->next;
    if (!name)
        return PX_ERR_NOT_FOUND;
    *out_name = name->text;
    return PX_OK;
}

size_t px_tls_fingerprint(const px_tls *tls, char *out_text, size_t room)
{
    return px_tls_fingerprint_at(tls, 0, out_text, room);
}

size_t px_tls_fingerprint_at(const px_tls *tls, size_t index, char *out_text, size_t room)
{
    if (tls->context && index < tls->context->certificate_count)
        return tls_certificate_fingerprint(tls->context->certificates[index], out_text, room);
    if (room > 0)
        out_text[0] = '\0';
    return 0;
}
