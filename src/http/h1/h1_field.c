/*
 * The meaning of the fields that frame a message or steer its connection.
 *
 * Happy path: most fields are told apart by the length of their name alone.  Every doubt about
 * framing is a refusal (RFC 9112 section 11.2 tells why): two readings of one message are an
 * attack.
 */
#include "http/h1/h1_field.h"

#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "base/text.h"
#include "http/message/host.h"

bool h1_field_refuse(struct h1_parser *parser, uint16_t status, const char *reason)
{
    parser->status = parser->role == H1_RESPONSE ? 502 : status;
    parser->too_large = status == 414 || status == 431;
    parser->reason = reason;
    return false;
}

static inline uint64_t load8(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

static inline uint32_t load4(const char *at)
{
    uint32_t word;

    memcpy(&word, at, sizeof(word));
    return word;
}

/* Whether `text` is `lower` in any case, for 4 bytes or more; with a literal it is two comparisons
 * or three.  `lower` has letters in lower case, digits and "-", for which setting 0x20 is exact as
 * long as `text` has no control bytes.  The words may overlap. */
static inline bool token_is(const char *text, const char *lower, size_t len)
{
    const uint64_t bits = 0x2020202020202020;
    size_t at = 0;

    if (len < 8)
        return (load4(text) | (uint32_t)bits) == load4(lower) &&
               (load4(text + len - 4) | (uint32_t)bits) == load4(lower + len - 4);
    for (; at + 8 < len; at += 8) {
        if ((load8(text + at) | bits) != load8(lower + at))
            return false;
    }
    return (load8(text + len - 8) | bits) == load8(lower + len - 8);
}

/* RFC 9112 section 3.2. */
static bool note_host(struct h1_parser *parser, const char *head, struct http_span value)
{
    if (parser->role == H1_RESPONSE)
        return true;
    if (parser->seen & H1_SEEN_HOST)
        return h1_field_refuse(parser, 400, "Host twice");
    if (!host_valid(head + value.at, value.len))
        return h1_field_refuse(parser, 400, "bad Host");
    parser->seen |= H1_SEEN_HOST;
    parser->host = value;
    return true;
}

/* RFC 9112 section 6.3: an informational answer ends with its head, whatever it says of framing, so
 * that there is nothing to doubt. */
static bool ends_with_head(const struct h1_parser *parser)
{
    return parser->role == H1_RESPONSE && parser->response_status < 200 &&
           parser->response_status != 101;
}

/* RFC 9112 section 6.3 allows to merge equal lengths; repeated ones are a doubt, hence refused. */
__attribute__((noinline)) static bool note_content_length(struct h1_parser *parser,
                                                          const char *head, struct http_span value)
{
    uint64_t length = 0;

    if (ends_with_head(parser))
        return true;
    if (parser->seen & H1_SEEN_CONTENT_LENGTH)
        return h1_field_refuse(parser, 400, "Content-Length twice");
    if (!number_read(px_str_make(head + value.at, value.len), INT64_MAX, &length))
        return h1_field_refuse(parser, 400, "bad Content-Length");
    parser->seen |= H1_SEEN_CONTENT_LENGTH;
    parser->content_length = length;
    return true;
}

/* Takes the next element of a list of tokens (RFC 9110 section 5.6.1) from *at on, and moves *at
 * behind its comma, or past `end` when it was the last.  False when it is not a token; an empty
 * element is one of length 0. */
static bool next_token(const char *head, uint32_t *at, uint32_t end, struct http_span *out_token)
{
    uint32_t from = *at;
    uint32_t stop;

    while (from < end && text_is_blank(head[from]))
        from++;
    stop = from;
    while (stop < end && (char_class[(uint8_t)head[stop]] & CHAR_TOKEN))
        stop++;
    *out_token = (struct http_span){from, stop - from};
    while (stop < end && text_is_blank(head[stop]))
        stop++;
    if (stop < end && head[stop] != ',')
        return false;
    *at = stop + 1;
    return true;
}

/* RFC 9112 sections 6.1 and 7.  Only chunked is ours; another coding alone or before chunked is
 * well-formed and unknown, which is answered with 501 when the head has ended. */
__attribute__((noinline)) static bool
note_transfer_encoding(struct h1_parser *parser, const char *head, struct http_span value)
{
    uint32_t end = value.at + value.len;

    if (ends_with_head(parser))
        return true;
    if (parser->seen & H1_SEEN_TRANSFER_ENCODING)
        return h1_field_refuse(parser, 400, "Transfer-Encoding twice");
    parser->seen |= H1_SEEN_TRANSFER_ENCODING;
    for (uint32_t at = value.at; at <= end;) {
        struct http_span token;

        if (!next_token(head, &at, end, &token) || token.len == 0)
            return h1_field_refuse(parser, 400, "bad Transfer-Encoding");
        if (parser->seen & H1_SEEN_CODING_CHUNKED)
            return h1_field_refuse(parser, 400, "chunked is not the last transfer coding");
        if (token.len == 7 && token_is(head + token.at, "chunked", 7))
            parser->seen |= H1_SEEN_CODING_CHUNKED;
        else
            parser->seen |= H1_SEEN_CODING_UNKNOWN;
    }
    return true;
}

/* Fields that Connection must not name: dropping them would change what the message is. */
static bool connection_option_forbidden(const char *text, size_t len)
{
    switch (len) {
    case 4:
        return token_is(text, "host", 4);
    case 13:
        return token_is(text, "authorization", 13);
    case 14:
        return token_is(text, "content-length", 14);
    case 17:
        return token_is(text, "transfer-encoding", 17);
    }
    return false;
}

/* RFC 9110 section 7.6.1. */
__attribute__((noinline)) static bool note_connection(struct h1_parser *parser, const char *head,
                                                      struct http_span value)
{
    uint32_t end = value.at + value.len;

    for (uint32_t at = value.at; at <= end;) {
        struct http_span token;

        if (!next_token(head, &at, end, &token))
            return h1_field_refuse(parser, 400, "bad Connection");

        const char *text = head + token.at;

        if (token.len == 5 && token_is(text, "close", 5))
            parser->seen |= H1_SEEN_CONNECTION_CLOSE;
        else if (token.len == 10 && token_is(text, "keep-alive", 10))
            parser->seen |= H1_SEEN_CONNECTION_KEEP;
        else if (token.len == 7 && token_is(text, "upgrade", 7))
            parser->seen |= H1_SEEN_CONNECTION_UPGRADE;
        else if (connection_option_forbidden(text, token.len))
            return h1_field_refuse(parser, 400, "Connection names a field of the message");
    }
    return true;
}

/* RFC 9110 section 10.1.1: to be ignored on HTTP/1.0. */
static bool note_expect(struct h1_parser *parser, const char *head, struct http_span value)
{
    if (value.len != 12 || !token_is(head + value.at, "100-continue", 12))
        parser->seen |= H1_SEEN_EXPECT_UNKNOWN;
    else if (parser->minor_version == 1)
        parser->seen |= H1_SEEN_EXPECT_CONTINUE;
    return true;
}

bool h1_field_note_known(struct h1_parser *parser, const char *head, struct http_span name,
                         struct http_span value)
{
    const char *text = head + name.at;

    switch (name.len) {
    case 4:
        if (token_is(text, "host", 4))
            return note_host(parser, head, value);
        return true;
    case 6:
        if (token_is(text, "expect", 6))
            return note_expect(parser, head, value);
        return true;
    case 7:
        if (token_is(text, "upgrade", 7))
            parser->seen |= H1_SEEN_UPGRADE;
        return true;
    case 10:
        if (token_is(text, "connection", 10))
            return note_connection(parser, head, value);
        return true;
    case 14:
        if (token_is(text, "content-length", 14))
            return note_content_length(parser, head, value);
        return true;
    case 17:
        if (token_is(text, "transfer-encoding", 17))
            return note_transfer_encoding(parser, head, value);
        return true;
    }
    return true;
}
