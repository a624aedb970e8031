/*
 * The object behind px_tls: what it was told, and the generation of contexts made of that.
 *
 * A generation (struct tls_context) is made whole and never changed; a reload makes the next one
 * and lets the last one go when its last session has ended.
 */
#ifndef PX_TLS_TLS_H
#define PX_TLS_TLS_H

#include <stdbool.h>

#include "pollux/tls.h"
#include "tls/tls_ticket.h"

struct tls_certificate;
struct tls_context;

enum tls_source_kind { TLS_SOURCE_FILES, TLS_SOURCE_MADE, TLS_SOURCE_OCSP };

/* Something that a reload reads again. */
struct tls_source {
    struct tls_source *next; /* owned */
    enum tls_source_kind kind;
    char *path;                   /* owned: certificate or response; NULL for a made one */
    char *key_path;               /* owned, or NULL */
    struct tls_certificate *made; /* owned: TLS_SOURCE_MADE */
    char *made_names;             /* owned: ... for these, as they were given */
    /* Of a certificate that could not be used when it was read last, or of a response that was not
     * stapled: */
    bool refused;
    bool mended;                   /* it can be used in the generation that is being made */
    struct tls_certificate *named; /* owned: its names, without a key; NULL: not known */
    char why[PX_ERROR_TEXT_BYTES];
};

struct px_tls {
    px_allocator allocator;
    px_tls_options options;      /* with the defaults filled in; its strings are those below */
    char *client_ca_file;        /* owned, or NULL */
    char *ticket_keys_file;      /* owned, or NULL */
    struct tls_source *sources;  /* owned, in the order they were added */
    struct tls_context *context; /* a reference: the generation for new sessions; NULL at first */
    struct tls_tickets tickets;
    bool http2; /* h2 is offered by ALPN: there is a server to speak it */
};

/* A copy of a text, NULL of NULL. */
px_err tls_text_copy(px_tls *tls, const char *text, char **out_copy);

/* A source that is not in the list yet, its paths copied (NULL: none); NULL without memory. */
struct tls_source *tls_source_make(px_tls *tls, enum tls_source_kind kind, const char *path,
                                   const char *key_path, px_error *out_error);

/* Frees one that is in no list; NULL is fine. */
void tls_source_free(px_tls *tls, struct tls_source *source);

/* Makes the next generation of all sources; on failure the last one stays. */
px_err tls_renew(px_tls *tls, px_error *out_error);

/* Whether a host name that no certificate serves is, or may be, one of a certificate that cannot be
 * used (px_tls_add_refused). */
bool tls_refuses(const px_tls *tls, const char *name);

#endif
