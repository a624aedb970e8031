/*
 * Request heads.  The check comes first and looks at every byte; the writing cannot fail.
 */
#include "http/h1/h1_request.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/fields/field.h"
#include "http/message/host.h"

/* What a head has beside the caller's bytes: the version, names, blanks and line ends, digits. */
enum { HEAD_REST_BYTES = 256, FIELD_REST_BYTES = 4 };

size_t h1_request_room(const struct h1_request_head *head)
{
    size_t room =
        HEAD_REST_BYTES + head->method.len + head->target.len + head->host.len + head->upgrade.len;

    for (uint32_t index = 0; index < head->field_count; index++)
        room += head->fields[index].name.len + head->fields[index].value.len + FIELD_REST_BYTES;
    return room;
}

/* --- What may be written ---------------------------------------------------------------------- */

static bool begins_with(px_str text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len > len && field_name_is(px_str_make(text.ptr, len), prefix);
}

/* RFC 9112 section 3.2, byte by byte: visible ASCII but "#"; uri_target_encode makes it so.  What
 * else a target may be is for its maker to know; here it must not end its line, nor look like more
 * than one target. */
static bool target_is_good(const struct h1_request_head *head)
{
    px_str target = head->target;
    struct host_parts parts;

    if (head->form == H1_TARGET_ASTERISK)
        return px_str_equal(head->method, px_str_make("OPTIONS", 7));
    if (target.len == 0 || scan_short(target.ptr, 0, target.len, CHAR_QUERY) < target.len)
        return false;
    switch ((enum h1_target_form)head->form) {
    case H1_TARGET_ORIGIN:
        return target.ptr[0] == '/';
    case H1_TARGET_ABSOLUTE:
        return begins_with(target, "http://") || begins_with(target, "https://");
    case H1_TARGET_AUTHORITY:
        return host_split(target, &parts) && parts.port >= 0;
    case H1_TARGET_ASTERISK:
        break;
    }
    return false;
}

/* Host is written here, from head->host. */
static const char *fields_reason(const struct h1_request_head *head)
{
    for (uint32_t index = 0; index < head->field_count; index++) {
        const px_field *field = &head->fields[index];

        if (!field_name_valid(field->name))
            return "a field name is no token";
        if (!field_value_valid(field->value))
            return "a field value has a byte that it may not have";
        if (field_is_framing(field->name) || field_name_is(field->name, "host"))
            return "a field is one that frames or routes the request";
    }
    return NULL;
}

static const char *head_reason(const struct h1_request_head *head)
{
    bool connect = px_str_equal(head->method, px_str_make("CONNECT", 7));

    if (!field_name_valid(head->method) || head->method.len > METHOD_BYTES_MAX)
        return "the method is no token";
    /* RFC 9112 section 3.2.3: authority-form is for CONNECT and CONNECT for it. */
    if (connect != (head->form == H1_TARGET_AUTHORITY) || !target_is_good(head))
        return "the target does not have its form";
    if (!host_valid(head->host.ptr, head->host.len))
        return "the host is none";
    if (head->framing == H1_FRAMING_CLOSE ||
        (head->framing == H1_FRAMING_LENGTH && head->length > INT64_MAX))
        return "a request cannot be framed so";
    if (connect && head->framing != H1_FRAMING_NONE)
        return "CONNECT has no content";
    if (head->connection == H1_CONNECTION_UPGRADE &&
        (head->upgrade.len == 0 || !field_value_valid(head->upgrade)))
        return "the protocol to upgrade to is none";
    return fields_reason(head);
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* RFC 9110 section 7.6.1: whatever speaks of this connection alone is named in Connection. */
static char *write_connection(char *out, const struct h1_request_head *head)
{
    const char *option = NULL;

    switch ((enum h1_connection)head->connection) {
    case H1_CONNECTION_KEEP:
        break;
    case H1_CONNECTION_KEEP_ALIVE:
        option = "keep-alive";
        break;
    case H1_CONNECTION_CLOSE:
        option = "close";
        break;
    case H1_CONNECTION_UPGRADE:
    case H1_CONNECTION_CLOSE_UPGRADE:
        option = head->connection == H1_CONNECTION_UPGRADE ? "Upgrade" : "close, Upgrade";
        out = TEXT_WRITE_LITERAL(out, "Upgrade: ");
        out = text_write_str(out, head->upgrade);
        out = TEXT_WRITE_LITERAL(out, "\r\n");
        break;
    }
    if (head->trailers)
        out = TEXT_WRITE_LITERAL(out, "TE: trailers\r\n");
    if (!option && !head->trailers)
        return out;
    out = TEXT_WRITE_LITERAL(out, "Connection: ");
    out = text_write_str(out, px_str_of(option));
    if (option && head->trailers)
        out = TEXT_WRITE_LITERAL(out, ", ");
    if (head->trailers)
        out = TEXT_WRITE_LITERAL(out, "TE");
    return TEXT_WRITE_LITERAL(out, "\r\n");
}

px_err h1_check_request(const struct h1_request_head *head, const char **out_reason)
{
    const char *reason = head_reason(head);

    if (!reason)
        return PX_OK;
    *out_reason = reason;
    return PX_ERR_INVALID;
}

char *h1_write_request(const struct h1_request_head *head, char *out)
{
    char *at = out;

    ASSERT(!head_reason(head));
    at = text_write_str(at, head->method);
    *at++ = ' ';
    at = head->form == H1_TARGET_ASTERISK ? TEXT_WRITE_LITERAL(at, "*")
                                          : text_write_str(at, head->target);
    at = TEXT_WRITE_LITERAL(at, " HTTP/1.1\r\nHost: ");
    at = text_write_str(at, head->host);
    at = TEXT_WRITE_LITERAL(at, "\r\n");
    for (uint32_t index = 0; index < head->field_count; index++) {
        at = text_write_str(at, head->fields[index].name);
        at = TEXT_WRITE_LITERAL(at, ": ");
        at = text_write_str(at, head->fields[index].value);
        at = TEXT_WRITE_LITERAL(at, "\r\n");
    }
    at = write_connection(at, head);
    if (head->framing == H1_FRAMING_CHUNKED) {
        at = TEXT_WRITE_LITERAL(at, "Transfer-Encoding: chunked\r\n");
    } else if (head->framing == H1_FRAMING_LENGTH) {
        at = TEXT_WRITE_LITERAL(at, "Content-Length: ");
        at = text_write_number(at, head->length);
        at = TEXT_WRITE_LITERAL(at, "\r\n");
    }
    at = TEXT_WRITE_LITERAL(at, "\r\n");
    CHECK((size_t)(at - out) <= h1_request_room(head));
    return at;
}
