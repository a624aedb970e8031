/*
 * Escaping what peers sent, so that it can neither forge a line nor drive a terminal.
 */
#include "server/site/log_line.h"

#include "http/message/uri.h"

static void put_hex(struct log_line *line, const char *prefix, unsigned char byte)
{
    static const char hex[] = "0123456789ABCDEF";

    put_text(line, prefix);
    *line->at++ = hex[byte >> 4];
    *line->at++ = hex[byte & 15];
}

void put_escaped(struct log_line *line, px_str text, enum log_escape escape)
{
    for (size_t index = 0; index < text.len; index++) {
        unsigned char byte = (unsigned char)text.ptr[index];

        if (byte < 0x20 || byte >= 0x7f) {
            if (escape == ESCAPE_HEAD && (byte == '\r' || byte == '\n'))
                *line->at++ = (char)byte;
            else
                put_hex(line, escape == ESCAPE_JSON ? "\\u00" : "\\x", byte);
        } else if ((byte == '"' || byte == '\\') && escape == ESCAPE_QUOTED) {
            put_hex(line, "\\x", byte);
        } else {
            if ((byte == '"' || byte == '\\') && escape == ESCAPE_JSON)
                *line->at++ = '\\';
            *line->at++ = (char)byte;
        }
    }
}

void put_target(struct log_line *line, px_str target, enum log_escape escape)
{
    if (target.len > 0 && target.ptr[0] == '/')
        line->at = uri_target_write(line->at, target, URI_QUERY);
    else
        put_escaped(line, target, escape);
}
