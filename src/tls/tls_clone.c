/*
 * A px_tls made of another.
 *
 * Happy path: one with the same options or with given ones, and with copies of what the other was
 * told of, out of which one generation is made; then the secret of its tickets.  Whatever fails,
 * the other is as it was, and there is no new one.
 */
#include "base/error.h"
#include "tls/tls.h"
#include "tls/tls_certificate.h"

static struct tls_source *source_copy(px_tls *tls, const struct tls_source *from,
                                      px_error *out_error)
{
    struct tls_source *source =
        tls_source_make(tls, from->kind, from->path, from->key_path, out_error);

    if (!source)
        return NULL;
    source->refused = from->refused;
    if (from->kind != TLS_SOURCE_MADE)
        return source;
    source->made = tls_certificate_copy(from->made, &tls->allocator);
    if (source->made && tls_text_copy(tls, from->made_names, &source->made_names) == PX_OK)
        return source;
    tls_source_free(tls, source);
    error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    return NULL;
}

static px_err sources_copy(px_tls *tls, const px_tls *from, px_error *out_error)
{
    struct tls_source **end = &tls->sources;

    for (const struct tls_source *source = from->sources; source; source = source->next) {
        *end = source_copy(tls, source, out_error);
        if (!*end)
            return out_error->code;
        end = &(*end)->next;
    }
    return tls_renew(tls, out_error);
}

px_tls *px_tls_clone(const px_tls *from, const px_tls_options *options, px_error *out_error)
{
    px_error error = {0};
    px_error *where = out_error ? out_error : &error;
    px_tls_options same = from->options;

    same.struct_size = sizeof(same);
    same.allocator = &from->allocator;
    px_tls *tls = px_tls_create(options ? options : &same, where);

    if (!tls)
        return NULL;
    if (sources_copy(tls, from, where) == PX_OK) {
        px_tls_take_tickets(tls, from);
        return tls;
    }
    px_tls_destroy(tls);
    return NULL;
}
