/*
 * Lines of an own format.
 */
#include "server/site/log_template.h"

#include <string.h>

#include "base/error.h"
#include "pollux/site.h"

/* --- Making ----------------------------------------------------------------------------------- */

/* Names that templates and JSON lines share mean in a line what templates say, but for the status:
 * that of a client that has left is the log's own.  A line says what was received, so {uri} is the
 * target, and not what it was rewritten to. */
static bool find(px_str name, struct template_piece *out_piece, size_t *out_len)
{
    for (uint32_t field = 0; field < LOG_FIELD_COUNT; field++) {
        if (px_str_equal(name, log_name_text(&log_fields[field].json))) {
            out_piece->outside = field + 1;
            *out_len = name.len;
            break;
        }
    }
    if (px_str_equal(name, px_str_of("uri"))) {
        out_piece->outside = LOG_TARGET + 1;
        *out_len = name.len;
        return true;
    }
    if (out_piece->outside == LOG_STATUS + 1)
        return true;
    out_piece->placeholder = template_placeholder_find(name, out_len);
    return out_piece->placeholder || out_piece->outside > 0;
}

/* Where a literal would end the line, or drive a terminal. */
static const char *control_byte(px_str text)
{
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.ptr[at];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            return text.ptr + at;
    }
    return NULL;
}

px_template *px_log_template_create(px_str text, const px_allocator *allocator, size_t *out_at,
                                    px_error *out_error)
{
    const char *control = control_byte(text);

    if (!control)
        return template_create(text, find, allocator, out_at, out_error);
    if (out_at)
        *out_at = (size_t)(control - text.ptr);
    error_set(out_error, PX_ERR_INVALID, 0, "a log line has no control bytes");
    return NULL;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Targets are bounded already, and are not cut in lines of other formats. */
static px_str cut(const struct template_piece *piece, px_str text)
{
    bool is_target = piece->placeholder && piece->placeholder->form >= FORM_TARGET &&
                     piece->placeholder->form <= FORM_PATH;

    if (piece->outside == LOG_TARGET + 1)
        is_target = true;
    return is_target ? text : http_glimpse_cut(text);
}

/* A field of the entry; without one the peer is the client. */
static void field_take(const struct template_piece *piece, const struct log_entry *entry,
                       struct log_value *value)
{
    enum log_field_id field = (enum log_field_id)(piece->outside - 1);

    log_value_take(value, entry, field);
    if (value->kind == VALUE_NONE && field == LOG_CLIENT)
        log_value_take(value, entry, LOG_PEER);
}

/* Of a request that was refused before it was one only the entry knows. */
static bool is_read(const struct template_piece *piece, const struct log_entry *entry)
{
    return piece->placeholder && entry->exchange;
}

size_t log_template_read(const px_template *template_, const struct log_entry *entry,
                         px_str texts[TEMPLATE_PIECES_MAX])
{
    size_t bytes = 0;

    for (uint32_t index = 0; index < template_->piece_count; index++) {
        const struct template_piece *piece = &template_->pieces[index];
        struct template_reading reading = {entry->exchange, piece->name, PX_TEMPLATE_PLAIN};
        struct log_value value;

        texts[index] = piece->text;
        if (is_read(piece, entry)) {
            texts[index] = cut(piece, piece->placeholder->read(&reading));
        } else if (piece->outside > 0) {
            field_take(piece, entry, &value);
            /* What lies in the value itself is short, and taken again when it is written. */
            bytes += value.kind == VALUE_NUMBER ? TEXT_NUMBER_BYTES : value.text.len;
        }
        bytes += texts[index].len + 1;
    }
    return bytes;
}

static void put_field(struct log_line *line, const struct template_piece *piece,
                      const struct log_entry *entry)
{
    struct log_value value;

    field_take(piece, entry, &value);
    if (value.kind == VALUE_NUMBER)
        put_number(line, value.number);
    else if (value.kind == VALUE_TARGET && value.text.len > 0)
        put_target(line, value.text, TEXT_QUOTED);
    else if (value.kind == VALUE_NONE || value.text.len == 0)
        put_text(line, "-");
    else
        put_escaped(line, cut(piece, value.text), TEXT_QUOTED);
}

void log_put_template(struct log_line *line, const px_template *template_,
                      const struct log_entry *entry, const px_str texts[TEMPLATE_PIECES_MAX])
{
    for (uint32_t index = 0; index < template_->piece_count; index++) {
        const struct template_piece *piece = &template_->pieces[index];

        if (!piece->placeholder && piece->outside == 0)
            put(line, piece->text);
        else if (!is_read(piece, entry) && piece->outside > 0)
            put_field(line, piece, entry);
        else
            put_escaped(line, texts[index].len > 0 ? texts[index] : px_str_make("-", 1),
                        TEXT_QUOTED);
    }
}
