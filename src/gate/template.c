/*
 * Templates: a list of pieces, each literal or a placeholder.
 *
 * The happy path: measure all pieces for a request, take so much of the exchange's memory, write
 * them.  It can fail by the cap of that memory or of the text, and at its creation by a name that
 * is not known.
 */
#include "gate/template.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "http/fields/field.h"
#include "http/message/uri.h"

enum { NAME_SHOWN_MAX = 40 };

/* --- Taking apart ----------------------------------------------------------------------------- */

struct taking {
    px_template *template_;
    template_find_fn find;
    px_str text;
    size_t at;
    char *bytes; /* where the next literal goes */
    px_error *error;
    bool has_query; /* a literal so far has a question mark */
};

static px_err wrong(struct taking *taking, const char *what, px_str name)
{
    int shown = name.len > NAME_SHOWN_MAX ? NAME_SHOWN_MAX : (int)name.len;

    return error_set(taking->error, PX_ERR_INVALID, 0, "%s%.*s%s", what, shown,
                     name.len > 0 ? name.ptr : "", name.len > 0 ? "}" : "");
}

static struct template_piece *add_piece(struct taking *taking)
{
    px_template *template_ = taking->template_;

    if (template_->piece_count == TEMPLATE_PIECES_MAX) {
        error_set(taking->error, PX_ERR_INVALID, 0, "a template has at most 64 pieces");
        return NULL;
    }
    CHECK(template_->piece_count < template_->piece_room);
    return &template_->pieces[template_->piece_count++];
}

static px_err take_literal(struct taking *taking)
{
    char *start = taking->bytes;

    while (taking->at < taking->text.len) {
        char byte = taking->text.ptr[taking->at];
        bool is_double =
            taking->at + 1 < taking->text.len && taking->text.ptr[taking->at + 1] == byte;

        if ((byte == '{' || byte == '}') && !is_double) {
            if (byte == '{')
                break;
            return wrong(taking, "a brace that closes nothing; write }} for a brace",
                         px_str_make(NULL, 0));
        }
        *taking->bytes++ = byte;
        taking->at += byte == '{' || byte == '}' ? 2 : 1;
    }
    if (taking->bytes == start)
        return PX_OK;
    struct template_piece *piece = add_piece(taking);

    if (!piece)
        return PX_ERR_INVALID;
    piece->text = px_str_make(start, (size_t)(taking->bytes - start));
    taking->has_query |= memchr(start, '?', piece->text.len) != NULL;
    return PX_OK;
}

/* Names of queries may hold anything that ends a C string no sooner. */
static bool name_valid(px_str name)
{
    for (size_t at = 0; at < name.len; at++) {
        unsigned char byte = (unsigned char)name.ptr[at];

        if (byte < 0x20 || byte == 0x7f || byte == '{')
            return false;
    }
    return true;
}

static bool is_unreserved(unsigned char byte)
{
    unsigned char lower = byte | 0x20;

    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '.' || byte == '_' || byte == '~';
}

/* What could be the name of a placeholder: not what a text in braces begins with. */
static bool is_like_name(px_str name)
{
    for (size_t at = 0; at < name.len; at++) {
        unsigned char byte = (unsigned char)name.ptr[at];

        if (!is_unreserved(byte) && byte != '$')
            return false;
    }
    return name.len > 0;
}

static px_err take_placeholder(struct taking *taking)
{
    const char *open = taking->text.ptr + taking->at;
    const char *close = memchr(open, '}', taking->text.len - taking->at);
    size_t len;

    if (!close)
        return wrong(taking, "a brace that is not closed; write {{ for a brace",
                     px_str_make(NULL, 0));
    px_str name = px_str_make(open + 1, (size_t)(close - open) - 1);
    struct template_piece found = {0};

    if (!taking->find(name, &found, &len))
        return is_like_name(name)
                   ? wrong(taking, "there is no placeholder {", name)
                   : wrong(taking, "a brace that begins no placeholder; write {{ for a brace",
                           px_str_make(NULL, 0));
    px_str behind = px_str_make(name.ptr + len, name.len - len);

    if (behind.len > 0 && !name_valid(behind))
        return wrong(taking, "no request has a name as in {", name);
    struct template_piece *piece = add_piece(taking);

    if (!piece)
        return PX_ERR_INVALID;
    *piece = found;
    piece->is_in_query = taking->has_query;
    piece->name = taking->bytes;
    taking->bytes = text_write_str(taking->bytes, behind);
    *taking->bytes++ = '\0';
    taking->at += name.len + 2;
    return PX_OK;
}

/* At most so many pieces: one for each brace that opens, and one behind each. */
static uint32_t pieces_of(px_str text)
{
    uint32_t count = 1;

    for (size_t at = 0; at < text.len && count < TEMPLATE_PIECES_MAX; at++)
        count += text.ptr[at] == '{' ? 2 : 0;
    return count < TEMPLATE_PIECES_MAX ? count : TEMPLATE_PIECES_MAX;
}

px_template *template_create(px_str text, template_find_fn find, const px_allocator *allocator,
                             size_t *out_at, px_error *out_error)
{
    const px_allocator *used = allocator ? allocator : &alloc_libc;
    struct taking taking = {.text = text, .find = find, .error = out_error};
    uint32_t room = pieces_of(text);
    size_t pieces_bytes = room * sizeof(struct template_piece);
    px_err err = PX_OK;

    /* A placeholder has two braces, and needs one byte beside its name. */
    taking.template_ =
        alloc_take_zeroed(used, sizeof(*taking.template_) + pieces_bytes + text.len + 1);
    if (!taking.template_) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    taking.template_->allocator = *used;
    taking.template_->piece_room = room;
    taking.template_->bytes = (char *)taking.template_->pieces + pieces_bytes;
    taking.bytes = taking.template_->bytes;
    while (taking.at < text.len && err == PX_OK) {
        err = take_literal(&taking);
        if (err == PX_OK && taking.at < text.len)
            err = take_placeholder(&taking);
    }
    CHECK(taking.bytes <= taking.template_->bytes + text.len + 1);
    if (err == PX_OK) {
        error_clear(out_error);
        return taking.template_;
    }
    if (out_at)
        *out_at = taking.at;
    px_template_destroy(taking.template_);
    return NULL;
}

static bool find_placeholder(px_str name, struct template_piece *out_piece, size_t *out_len)
{
    out_piece->placeholder = template_placeholder_find(name, out_len);
    return out_piece->placeholder != NULL;
}

px_template *px_template_create(px_str text, const px_allocator *allocator, size_t *out_at,
                                px_error *out_error)
{
    return template_create(text, find_placeholder, allocator, out_at, out_error);
}

void px_template_destroy(px_template *template_)
{
    if (template_) {
        px_allocator allocator = template_->allocator;

        alloc_put(&allocator, template_);
    }
}

int px_template_is_constant(const px_template *template_)
{
    for (uint32_t index = 0; index < template_->piece_count; index++) {
        if (template_->pieces[index].placeholder || template_->pieces[index].outside > 0)
            return 0;
    }
    return 1;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Whether a byte of a piece is percent-encoded in a target (RFC 3986 section 2.1). */
static bool is_encoded(unsigned char byte, enum template_form form)
{
    if (form == FORM_TEXT)
        return byte <= 0x20 || byte >= 0x7f || strchr("\"<>\\^`{|}", byte) != NULL;
    return !is_unreserved(byte) && !(form == FORM_PATH && byte == '/');
}

static enum template_form form_of(const struct template_piece *piece)
{
    if (!piece->placeholder)
        return FORM_TEXT;
    /* "?next={uri}": a target in a query is a part of it, and its & is no end of that. */
    if (piece->placeholder->form == FORM_TARGET && piece->is_in_query)
        return FORM_DATA;
    return piece->placeholder->form;
}

static size_t target_room(px_str text, enum template_form form)
{
    size_t bytes = text.len;

    if (form == FORM_TARGET || form == FORM_QUERY)
        return uri_target_room(text);
    for (size_t at = 0; at < text.len; at++)
        bytes += is_encoded((unsigned char)text.ptr[at], form) ? 2 : 0;
    return bytes;
}

static char *target_write(char *out, px_str text, enum template_form form)
{
    static const char digits[] = "0123456789ABCDEF";

    if (form == FORM_TARGET || form == FORM_QUERY)
        return uri_target_write(out, text, URI_QUERY);
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.ptr[at];

        if (is_encoded(byte, form)) {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        } else {
            *out++ = (char)byte;
        }
    }
    return out;
}

/* What may not stand in a field's value becomes a blank, of which none is left at the ends (RFC
 * 9110 section 5.5). */
static px_str field_clean(char *text, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        unsigned char byte = (unsigned char)text[at];

        if ((byte < 0x20 && byte != '\t') || byte == 0x7f)
            text[at] = ' ';
    }
    px_str value = field_trim(px_str_make(text, len));
    ASSERT(value.ptr >= text && value.len <= len);

    text[(size_t)(value.ptr - text) + value.len] = '\0';
    return value;
}

/* A reference that begins with two slashes names another host (RFC 3986 section 4.2): what clients
 * send makes none. */
static px_str target_clean(const px_template *template_, char *text, size_t len)
{
    const struct template_piece *first = template_->piece_count > 0 ? template_->pieces : NULL;
    bool is_meant = first && !first->placeholder && first->text.len > 1 &&
                    memcmp(first->text.ptr, "//", 2) == 0;

    while (!is_meant && len > 1 && text[0] == '/' && text[1] == '/') {
        text++;
        len--;
    }
    return px_str_make(text, len);
}

size_t template_room(const px_template *template_, const px_str *texts, px_template_use use)
{
    size_t bytes = 1;

    for (uint32_t index = 0; index < template_->piece_count; index++)
        bytes += use == PX_TEMPLATE_TARGET
                     ? target_room(texts[index], form_of(&template_->pieces[index]))
                     : texts[index].len;
    return bytes;
}

px_str template_write(const px_template *template_, const px_str *texts, px_template_use use,
                      char *out)
{
    char *at = out;

    ASSERT(template_->piece_count <= TEMPLATE_PIECES_MAX);
    for (uint32_t index = 0; index < template_->piece_count; index++) {
        if (use == PX_TEMPLATE_TARGET)
            at = target_write(at, texts[index], form_of(&template_->pieces[index]));
        else
            at = text_write_str(at, texts[index]);
    }
    *at = '\0';
    size_t len = (size_t)(at - out);

    if (use == PX_TEMPLATE_FIELD)
        return field_clean(out, len);
    return use == PX_TEMPLATE_TARGET ? target_clean(template_, out, len) : px_str_make(out, len);
}

px_str px_template_text(const px_template *template_, px_exchange *exchange, px_template_use use)
{
    px_str texts[TEMPLATE_PIECES_MAX];

    CHECK(template_->piece_count <= TEMPLATE_PIECES_MAX);
    CHECK(use <= PX_TEMPLATE_KEY);
    for (uint32_t index = 0; index < template_->piece_count; index++) {
        const struct template_piece *piece = &template_->pieces[index];
        struct template_reading reading = {exchange, piece->name, use};

        texts[index] = piece->placeholder ? piece->placeholder->read(&reading) : piece->text;
        if (!texts[index].ptr)
            texts[index] = px_str_make("", 0);
    }
    size_t room = template_room(template_, texts, use);
    char *text = room <= TEMPLATE_BYTES_MAX ? px_exchange_alloc(exchange, room) : NULL;

    return text ? template_write(template_, texts, use, text) : px_str_make(NULL, 0);
}
