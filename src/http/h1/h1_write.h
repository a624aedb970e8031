/*
 * Writing HTTP/1 response heads (RFC 9112 section 4) and chunk framing, without I/O.
 *
 * Happy path: what is the same for a second (status line of 200, Server, Date) is rendered once a
 * second and copied in one go; type and length follow.  The caller provides the room that
 * h1_head_room asks for, so writing cannot fail.
 */
#ifndef PX_HTTP_H1_WRITE_H
#define PX_HTTP_H1_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/fields/date.h"
#include "pollux/field.h"

enum { H1_STAMP_BYTES = 192, H1_SERVER_NAME_MAX = 96, H1_CHUNK_HEAD_BYTES = 6 };

/* "HTTP/1.1 200 OK", Server and Date, rendered once a second. */
struct h1_stamp {
    int64_t unix_time; /* what the text is for */
    uint16_t len;
    uint16_t server_at; /* where the Server field begins, behind the status line */
    uint16_t date_at;   /* where the Date field begins */
    char text[H1_STAMP_BYTES];
};

/* `server_name` has at most H1_SERVER_NAME_MAX bytes; empty: no Server field. */
void h1_stamp_init(struct h1_stamp *stamp, px_str server_name);
void h1_stamp_update(struct h1_stamp *stamp, int64_t unix_time);

/* The date alone, if it is of that second; else absent. */
static inline px_str h1_stamp_date(const struct h1_stamp *stamp, int64_t unix_time)
{
    return stamp->unix_time == unix_time && unix_time >= 0
               ? px_str_make(stamp->text + stamp->date_at + sizeof("Date: ") - 1, DATE_BYTES)
               : px_str_make(NULL, 0);
}

/* How the connection goes on after this response. */
enum h1_connection {
    H1_CONNECTION_KEEP,       /* says nothing: HTTP/1.1 persists */
    H1_CONNECTION_KEEP_ALIVE, /* says keep-alive, for a client of HTTP/1.0 that asked */
    H1_CONNECTION_CLOSE,
    H1_CONNECTION_UPGRADE,
    H1_CONNECTION_CLOSE_UPGRADE /* closes, and names what the peer may upgrade to next time */
};

struct h1_response_head {
    uint16_t status;
    bool chunked;    /* Transfer-Encoding: chunked */
    bool has_length; /* Content-Length: length */
    bool no_server;  /* a field replaces it, or none is wanted */
    bool no_date;
    uint8_t connection; /* enum h1_connection */
    px_str type;        /* Content-Type, or absent */
    px_str upgrade;     /* Upgrade, with H1_CONNECTION_*UPGRADE */
    uint64_t length;
    const px_field *fields;
    uint32_t field_count;
};

/* The bytes that fields need. */
size_t h1_fields_room(const px_field *fields, uint32_t field_count);

/* At least the bytes that h1_write_head needs. */
static inline size_t h1_head_room(const struct h1_response_head *head)
{
    return H1_STAMP_BYTES + 256 + head->type.len + head->upgrade.len +
           (head->field_count > 0 ? h1_fields_room(head->fields, head->field_count) : 0);
}

/* Writes the head with its empty line at `out`; returns one past its end. */
char *h1_write_head(char *out, const struct h1_response_head *head, const struct h1_stamp *stamp);

/* Writes an informational response (1xx); returns one past its end.  `out` has room for 64 bytes
 * more than the fields. */
char *h1_write_inform(char *out, unsigned status, const px_field *fields, uint32_t field_count);

/* Writes the head of a chunk of 1 to 65,535 bytes: always H1_CHUNK_HEAD_BYTES, so that room can be
 * left for it before the size is known (leading zeros are part of RFC 9112 section 7.1's grammar).
 */
void h1_write_chunk_head(char out[H1_CHUNK_HEAD_BYTES], uint32_t bytes);

#endif
