/*
 * The text of refusals.
 *
 * Happy path: "400 Bad Request" and LF, after a head that is as short as a head can be.  Nothing
 * can go wrong: statuses, reasons and hints are our own, and fit.
 */
#include "server/site/refusal_text.h"

#include <string.h>

#include "http/message/status.h"

/* Seconds; long enough for a crowd to disperse, short enough to be worth waiting for. */
static const char retry_after_s[] = "5";

size_t refusal_text(unsigned status, const char *hint, char out_text[REFUSAL_TEXT_BYTES])
{
    size_t len = status_text(status, out_text), hint_len = hint ? strlen(hint) : 0;

    if (hint) {
        memcpy(out_text + len, ": ", 2);
        memcpy(out_text + len + 2, hint, hint_len);
        len += 2 + hint_len;
    }
    out_text[len] = '\n';
    return len + 1;
}

char *refusal_write(px_server *server, unsigned status, const char *hint, char *out)
{
    const px_field retry = {px_str_make("Retry-After", 11), px_str_make(retry_after_s, 1)};
    char text[REFUSAL_TEXT_BYTES];
    struct h1_response_head head = {
        .status = (uint16_t)status,
        .has_length = true,
        .length = refusal_text(status, hint, text),
        .connection = H1_CONNECTION_CLOSE,
        .type = REFUSAL_TYPE,
        .fields = &retry,
        .field_count = status == 503,
    };

    h1_stamp_update(&server->stamp, server->loop->unix_time);
    out = h1_write_head(out, &head, &server->stamp);
    memcpy(out, text, (size_t)head.length);
    return out + head.length;
}
