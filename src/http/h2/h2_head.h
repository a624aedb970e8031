/*
 * A request's head or trailer section as HTTP/2 brings it: one field after the other (RFC 9113
 * section 8), checked as they come.
 *
 * Happy path: h2_head_add copies name and value into the object, h2_head_end says that the head is
 * good, h2_head_take copies it once into the exchange's arena as the HTTP/1 parser does, so that
 * handlers see no difference: cookie crumbs are joined, :authority is the Host field where there is
 * none, an extended CONNECT (RFC 8441) is a GET that asks for an upgrade.  It can fail in two ways:
 * malformed (the stream is reset), or refused with a status that the stream can still carry.
 */
#ifndef PX_HTTP_H2_HEAD_H
#define PX_HTTP_H2_HEAD_H

#include "base/arena.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/pool.h"
#include "http/message/glimpse.h"
#include "http/message/message.h"
#include "http/message/method.h"
#include "http/scan/scan.h"

/* The pseudo-fields of requests (RFC 9113 section 8.3.1, RFC 8441 section 4). */
enum h2_pseudo {
    H2_PSEUDO_METHOD,
    H2_PSEUDO_SCHEME,
    H2_PSEUDO_AUTHORITY,
    H2_PSEUDO_PATH,
    H2_PSEUDO_PROTOCOL,
    H2_PSEUDO_COUNT
};

/* What the other fields have said, a bit each. */
enum h2_said {
    H2_SAID_HOST = 1 << 0,
    H2_SAID_LENGTH = 1 << 1,
    H2_SAID_PRIORITY = 1 << 2,
    H2_SAID_EXPECT_CONTINUE = 1 << 3,
    H2_SAID_EXPECT_UNKNOWN = 1 << 4 /* anything but 100-continue */
};

struct h2_session;

struct h2_head {
    struct pool_item item;
    struct list node;                 /* of those that are not whole: the oldest first */
    struct h2_session *session;       /* borrowed: whose it is */
    const struct scan_table *scan;    /* borrowed: static */
    const struct http_limits *limits; /* borrowed: outlives the head */
    char *text;                       /* in the object: names and values, each with its NUL; and
                                       * from its end downwards the crumbs of Cookie */
    uint64_t content_length;          /* with H2_SAID_LENGTH */
    const char *reason;               /* refused: why, static, a few words */
    struct http_span pseudo[H2_PSEUDO_COUNT];
    struct http_span host;
    struct http_span priority;
    uint32_t text_len;
    uint32_t crumbs_at;  /* where the last crumb begins */
    uint32_t bytes;      /* as an HTTP/1 head would count them; goes on when nothing is kept */
    uint32_t path_bytes; /* of the path, its query left out */
    uint16_t field_count;
    uint16_t crumb_count;
    uint16_t status;   /* refused: what to answer */
    uint8_t method_id; /* enum http_method */
    uint8_t seen;      /* of the pseudo-fields, a bit each */
    uint8_t said;      /* of enum h2_said */
    bool trailers;     /* it is a trailer section */
    bool malformed;    /* RFC 9113 section 8.1.1: a stream error */
    bool regular_seen; /* pseudo-fields are over */
    bool extended;     /* extended CONNECT, when done */
    struct http_span crumbs[H2_CRUMBS_MAX];
    struct http_field_span fields[]; /* field_count_max, and then the text */
};

/* What an object must have for these limits. */
size_t h2_head_object_bytes(const struct http_limits *limits);

/* Makes ready for a new head, or for a trailer section. */
void h2_head_init(struct h2_head *head, const struct scan_table *scan,
                  const struct http_limits *limits, bool trailers);

/* The next field.  What is wrong with it is remembered; later fields are then only counted. */
void h2_head_add(struct h2_head *head, px_str name, px_str value);

/* The same, of a field that stands in a table: what is found of it is noted there (0 at first), and
 * is not looked for again when it comes again.  A note holds for heads of the same limits.  NULL:
 * it stands in none. */
void h2_head_add_noted(struct h2_head *head, px_str name, px_str value, uint16_t *note);

/* All fields are there: PX_OK, PX_ERR_MALFORMED (reset the stream with PROTOCOL_ERROR), or
 * PX_ERR_LIMIT (answer with head->status: 400, 414 or 431). */
PX_MUST_CHECK px_err h2_head_end(struct h2_head *head);

/* What there is of a head that is refused: borrowed as the head is. */
void h2_head_glimpse(const struct h2_head *head, struct http_glimpse *out_glimpse);

/* Bytes that h2_head_take takes. */
size_t h2_head_bytes(const struct h2_head *head);

/* Copies a good head once into `arena`: PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err h2_head_take(const struct h2_head *head, struct arena *arena,
                                  struct http_request *out_request);

/* Likewise a good trailer section; fields that have no business there are dropped. */
PX_MUST_CHECK px_err h2_head_take_trailers(const struct h2_head *head, struct arena *arena,
                                           px_field **out_fields, uint32_t *out_count);

static inline bool h2_head_has(const struct h2_head *head, enum h2_pseudo pseudo)
{
    return head->seen & 1 << pseudo;
}

static inline px_str h2_head_text(const struct h2_head *head, struct http_span span)
{
    return px_str_make(head->text + span.at, span.len);
}

/* Fields decode to far more than they took: a peer that sends that attacks. */
static inline bool h2_head_is_bomb(const struct h2_head *head)
{
    return head->bytes / H2_HEAD_EXCESS_MAX > head->limits->head_bytes_max;
}

#endif
