/*
 * The HTTP/1 head parser (RFC 9112), for requests and for responses, without I/O.
 *
 * It works where the bytes were received, can stop after any byte and go on when more are there,
 * and gives the same result for any split.  It is strict: whatever two parsers could read in two
 * ways is refused.  Happy path: one pass over the head, classes checked by table and SIMD, fields
 * noted as offsets; then h1_request_take copies the head once into the exchange's arena.
 * It can fail by a refusal: `status` and a static `reason` are set, and the parser stays refused.
 */
#ifndef PX_HTTP_H1_PARSE_H
#define PX_HTTP_H1_PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "http/message/message.h"
#include "http/message/method.h"
#include "http/scan/scan.h"

enum h1_role { H1_REQUEST, H1_RESPONSE };

/* How the content after the head is delimited (RFC 9112 section 6.3). */
enum h1_framing {
    H1_FRAMING_NONE,    /* no content */
    H1_FRAMING_LENGTH,  /* content_length bytes, which may be 0 */
    H1_FRAMING_CHUNKED, /* chunked coding */
    H1_FRAMING_CLOSE    /* until the connection closes: responses only */
};

/* The form of a request target (RFC 9112 section 3.2). */
enum h1_target_form {
    H1_TARGET_ORIGIN,
    H1_TARGET_ABSOLUTE,
    H1_TARGET_AUTHORITY,
    H1_TARGET_ASTERISK
};

/* What the fields of a head have said, a bit each. */
enum h1_seen {
    H1_SEEN_HOST = 1 << 0,
    H1_SEEN_CONTENT_LENGTH = 1 << 1,
    H1_SEEN_TRANSFER_ENCODING = 1 << 2,
    H1_SEEN_CODING_CHUNKED = 1 << 3,     /* the last (and only) transfer coding is chunked */
    H1_SEEN_CODING_UNKNOWN = 1 << 4,     /* a transfer coding that is not ours */
    H1_SEEN_CONNECTION_CLOSE = 1 << 5,   /* Connection has close */
    H1_SEEN_CONNECTION_KEEP = 1 << 6,    /* ... keep-alive */
    H1_SEEN_CONNECTION_UPGRADE = 1 << 7, /* ... upgrade */
    H1_SEEN_EXPECT_CONTINUE = 1 << 8,    /* on HTTP/1.1 only */
    H1_SEEN_EXPECT_UNKNOWN = 1 << 9, /* anything but 100-continue: framing is known, answer 417 */
    H1_SEEN_UPGRADE = 1 << 10
};

/* Everything is an offset from the head's first byte, so the bytes may move between two calls. */
struct h1_parser {
    const struct scan_table *scan;    /* borrowed: static */
    const struct http_limits *limits; /* borrowed: outlives the parser */
    struct http_field_span *fields;   /* borrowed: field_count_max entries */
    uint64_t content_length;          /* with H1_FRAMING_LENGTH */
    uint32_t offset;                  /* bytes looked at so far */
    uint32_t mark;                    /* where the piece being read began */
    uint32_t head_bytes;              /* when done: the head with its empty line */
    struct http_span method;          /* requests */
    struct http_span target;          /* requests */
    struct http_span authority;       /* of the target: absolute and authority-form */
    struct http_span path;            /* of the target, without its query; may be empty */
    uint32_t query_at;                /* behind the target's "?", or 0 */
    struct http_span host;            /* the Host field's value */
    struct http_span reason_phrase;   /* responses */
    const char *reason;               /* after a refusal: why, static, one line */
    uint16_t status;                  /* after a refusal: what to answer */
    uint16_t response_status;         /* responses: 100 to 999 */
    uint16_t field_count;
    uint8_t state;         /* private to h1_parse.c */
    uint8_t role;          /* enum h1_role */
    uint8_t method_id;     /* enum http_method */
    uint8_t target_form;   /* enum h1_target_form */
    uint8_t minor_version; /* 0 or 1; a larger one counts as 1 */
    uint8_t framing;       /* enum h1_framing, set when done */
    uint8_t empty_lines;   /* skipped before the request line */
    uint8_t step;          /* private: bytes of the version or status read */
    uint8_t hex_left;      /* private: digits to come of a %XX */
    struct text_utf8 utf8; /* private: of the target's character at hand */
    uint16_t seen;         /* of enum h1_seen */
    bool head_response; /* responses, set by the caller after init: it answers a HEAD or is a 2xx to
                           CONNECT, so there is no content whatever the fields say */
    bool too_large;     /* after a refusal: a limit was reached */
    bool keep_alive;    /* when done: the connection persists after this message (RFC 9112 9.3) */
};

/* Makes ready for a new head.  `fields` has room for limits->field_count_max entries. */
void h1_parser_init(struct h1_parser *parser, enum h1_role role, const struct scan_table *scan,
                    const struct http_limits *limits, struct http_field_span *fields);

/* Goes on with the head that starts at `head`; `len` bytes are there, of which the first
 * parser->offset were seen before.  Empty lines before a request line are part of the head.
 *   PX_OK             done: head_bytes, framing, keep_alive and the rest are set.
 *   PX_AGAIN          more bytes are needed.
 *   PX_ERR_MALFORMED  refused: status (400, 414, 431, 501, 505; 502 for a response) and reason are
 *                     set.  It comes with the first byte that cannot stand; what depends on a whole
 *                     field comes at the end of its line, what depends on the head at its end. */
PX_MUST_CHECK px_err h1_parse(struct h1_parser *parser, const char *head, size_t len);

/* States what must hold between two calls; for tests. */
void h1_parser_check(const struct h1_parser *parser);

/* Copies a finished request head (head_bytes at `head`) once into `arena`, puts the NULs in place
 * and fills `out_request`.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err h1_request_take(const struct h1_parser *parser, const char *head,
                                     struct arena *arena, struct http_request *out_request);

/* Likewise a finished response head.  What kind it is, how its content is framed and whether the
 * connection persists stay in the parser: framing, content_length, keep_alive. */
PX_MUST_CHECK px_err h1_response_take(const struct h1_parser *parser, const char *head,
                                      struct arena *arena, struct http_response *out_response);

#endif
