/*
 * Response heads.  Field names and values were checked when the handler set them, so nothing here
 * can break out of its line.
 */
#include "http/h1/h1_write.h"

#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "http/fields/date.h"
#include "http/message/status.h"

static const char status_line_ok[] = "HTTP/1.1 200 OK\r\n";

void h1_stamp_init(struct h1_stamp *stamp, px_str server_name)
{
    char *out = TEXT_WRITE_LITERAL(stamp->text, status_line_ok);

    CHECK(server_name.len <= H1_SERVER_NAME_MAX);
    stamp->server_at = (uint16_t)(out - stamp->text);
    if (server_name.len > 0) {
        out = TEXT_WRITE_LITERAL(out, "Server: ");
        out = text_write_str(out, server_name);
        out = TEXT_WRITE_LITERAL(out, "\r\n");
    }
    stamp->date_at = (uint16_t)(out - stamp->text);
    stamp->unix_time = INT64_MIN;
    stamp->len = stamp->date_at;
}

void h1_stamp_update(struct h1_stamp *stamp, int64_t unix_time)
{
    if (PX_LIKELY(stamp->unix_time == unix_time))
        return;
    char *out = stamp->text + stamp->date_at;

    stamp->unix_time = unix_time;
    if (unix_time < 0)
        unix_time = 0; /* a clock before 1970 is wrong; a date must be sent all the same */
    out = TEXT_WRITE_LITERAL(out, "Date: ");
    date_format(unix_time, out);
    out += DATE_BYTES;
    out = TEXT_WRITE_LITERAL(out, "\r\n");
    stamp->len = (uint16_t)(out - stamp->text);
}

size_t h1_fields_room(const px_field *fields, uint32_t field_count)
{
    size_t room = 0;

    for (uint32_t index = 0; index < field_count; index++)
        room += fields[index].name.len + fields[index].value.len + 4;
    return room;
}

static char *put_status_line(char *out, unsigned status)
{
    px_str reason = status_reason(status);

    out = TEXT_WRITE_LITERAL(out, "HTTP/1.1 ");
    *out++ = (char)('0' + status / 100);
    *out++ = (char)('0' + status / 10 % 10);
    *out++ = (char)('0' + status % 10);
    *out++ = ' ';
    out = text_write_str(out, reason);
    return TEXT_WRITE_LITERAL(out, "\r\n");
}

static char *put_stamp(char *out, const struct h1_response_head *head, const struct h1_stamp *stamp)
{
    if (!head->no_server)
        out = text_write(out, stamp->text + stamp->server_at,
                         (size_t)(stamp->date_at - stamp->server_at));
    if (!head->no_date)
        out = text_write(out, stamp->text + stamp->date_at, (size_t)(stamp->len - stamp->date_at));
    return out;
}

static char *put_fields(char *out, const px_field *fields, uint32_t field_count)
{
    for (uint32_t index = 0; index < field_count; index++) {
        out = text_write_str(out, fields[index].name);
        out = TEXT_WRITE_LITERAL(out, ": ");
        out = text_write_str(out, fields[index].value);
        out = TEXT_WRITE_LITERAL(out, "\r\n");
    }
    return out;
}

static char *put_connection(char *out, const struct h1_response_head *head)
{
    switch ((enum h1_connection)head->connection) {
    case H1_CONNECTION_KEEP:
        break;
    case H1_CONNECTION_KEEP_ALIVE:
        return TEXT_WRITE_LITERAL(out, "Connection: keep-alive\r\n");
    case H1_CONNECTION_CLOSE:
        return TEXT_WRITE_LITERAL(out, "Connection: close\r\n");
    case H1_CONNECTION_UPGRADE:
    case H1_CONNECTION_CLOSE_UPGRADE:
        out = TEXT_WRITE_LITERAL(out, "Connection: ");
        if (head->connection == H1_CONNECTION_CLOSE_UPGRADE)
            out = TEXT_WRITE_LITERAL(out, "close, ");
        out = TEXT_WRITE_LITERAL(out, "Upgrade\r\nUpgrade: ");
        out = text_write_str(out, head->upgrade);
        return TEXT_WRITE_LITERAL(out, "\r\n");
    }
    return out;
}

char *h1_write_head(char *out, const struct h1_response_head *head, const struct h1_stamp *stamp)
{
    if (PX_LIKELY(head->status == 200 && !head->no_server && !head->no_date)) {
        out = text_write(out, stamp->text, stamp->len);
    } else {
        out = put_status_line(out, head->status);
        out = put_stamp(out, head, stamp);
    }
    if (head->type.len > 0) {
        out = TEXT_WRITE_LITERAL(out, "Content-Type: ");
        out = text_write(out, head->type.ptr, head->type.len);
        out = TEXT_WRITE_LITERAL(out, "\r\n");
    }
    if (head->field_count > 0)
        out = put_fields(out, head->fields, head->field_count);
    if (PX_UNLIKELY(head->connection != H1_CONNECTION_KEEP))
        out = put_connection(out, head);
    if (PX_LIKELY(head->has_length)) {
        out = TEXT_WRITE_LITERAL(out, "Content-Length: ");
        out = text_write_number(out, head->length);
        return TEXT_WRITE_LITERAL(out, "\r\n\r\n");
    }
    if (head->chunked)
        out = TEXT_WRITE_LITERAL(out, "Transfer-Encoding: chunked\r\n");
    return TEXT_WRITE_LITERAL(out, "\r\n");
}

char *h1_write_inform(char *out, unsigned status, const px_field *fields, uint32_t field_count)
{
    out = put_status_line(out, status);
    out = put_fields(out, fields, field_count);
    return TEXT_WRITE_LITERAL(out, "\r\n");
}

void h1_write_chunk_head(char out[H1_CHUNK_HEAD_BYTES], uint32_t bytes)
{
    static const char hex[] = "0123456789abcdef";

    CHECK(bytes > 0 && bytes <= 0xffff);
    out[0] = hex[bytes >> 12];
    out[1] = hex[bytes >> 8 & 15];
    out[2] = hex[bytes >> 4 & 15];
    out[3] = hex[bytes & 15];
    out[4] = '\r';
    out[5] = '\n';
}
