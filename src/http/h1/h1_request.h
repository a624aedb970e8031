/*
 * Writing HTTP/1.1 request heads (RFC 9112 section 3), without I/O.
 *
 * Happy path: h1_check_request finds a head good, once; h1_request_room says how many bytes it may
 * take, h1_write_request writes it: request line, Host, fields, how the connection goes on,
 * framing.  What a server could read in two ways is refused, so that no caller can smuggle: CR, LF
 * and NUL anywhere, blanks in the target, fields that frame.
 */
#ifndef PX_HTTP_H1_REQUEST_H
#define PX_HTTP_H1_REQUEST_H

#include "http/h1/h1_parse.h"
#include "http/h1/h1_write.h"

struct h1_request_head {
    px_str method; /* a token */
    px_str
        target;  /* by its form: "/path?query", "http://host/path", "host:443"; not read for "*" */
    px_str host; /* host with an optional port, the value of Host */
    px_str upgrade; /* with H1_CONNECTION_UPGRADE: a protocol's name */
    const px_field *fields;
    uint64_t length; /* with H1_FRAMING_LENGTH */
    uint32_t field_count;
    uint8_t form;       /* enum h1_target_form */
    uint8_t framing;    /* enum h1_framing: none, a length, or chunked */
    uint8_t connection; /* enum h1_connection */
    bool trailers;      /* a trailer section is welcome: "TE: trailers" (RFC 9110 section 10.1.4) */
};

/* At least the bytes that h1_write_request needs. */
size_t h1_request_room(const struct h1_request_head *head);

/* Whether it may be written: PX_OK, or PX_ERR_INVALID and a static reason in one line. */
PX_MUST_CHECK px_err h1_check_request(const struct h1_request_head *head, const char **out_reason);

/* Writes a head that h1_check_request has found good, with its empty line, at `out`, where
 * h1_request_room bytes are; returns one past its end. */
char *h1_write_request(const struct h1_request_head *head, char *out);

#endif
