/*
 * Templates: a list of pieces, each literal or a placeholder.
 *
 * The happy path: measure all pieces for a request, take so much of the exchange's memory, write
 * them.  It can fail by the cap of that memory, and at its creation by a name that is not known.
 */
#include "pollux/template.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "pollux/request.h"
#include "pollux/response.h"

enum { PIECES_MAX = 64, NAME_SHOWN_MAX = 40, NUMBER_BYTES = 8 };

/* How what comes out has to be written in a target. */
enum piece_form {
    FORM_RAW,  /* as it was received: encoded already */
    FORM_PATH, /* decoded, and a slash divides */
    FORM_DATA  /* decoded, all of it data */
};

struct piece {
    px_str (*read)(px_exchange *exchange, const char *name, char *scratch); /* NULL: literal */
    enum piece_form form;
    px_str text;      /* literal: borrowed of `bytes` */
    const char *name; /* behind the point of header.NAME and its kin; borrowed of `bytes` */
};

struct px_template {
    px_allocator allocator;
    uint32_t piece_count;
    uint32_t piece_room;
    int is_constant;
    char *bytes;           /* of literals and names; behind the pieces */
    struct piece pieces[]; /* piece_room of them */
};

/* --- What can be read -------------------------------------------------------------------------
 */

static px_str read_method(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_method(exchange);
}

static px_str read_scheme(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_scheme(exchange);
}

/* Where the port of an authority begins, at its colon; its length when there is none. */
static size_t port_at(px_str authority)
{
    for (size_t at = authority.len; at > 0; at--) {
        char byte = authority.ptr[at - 1];

        if (byte == ':')
            return at - 1;
        if (byte < '0' || byte > '9')
            break;
    }
    return authority.len;
}

static px_str read_host(px_exchange *exchange, const char *name, char *scratch)
{
    px_str authority = px_request_authority(exchange);

    (void)name;
    (void)scratch;
    return px_str_make(authority.ptr, port_at(authority));
}

static px_str read_port(px_exchange *exchange, const char *name, char *scratch)
{
    px_str authority = px_request_authority(exchange);
    size_t at = port_at(authority);

    (void)name;
    (void)scratch;
    if (at + 1 < authority.len)
        return px_str_make(authority.ptr + at + 1, authority.len - at - 1);
    return px_str_of(px_str_equal(px_request_scheme(exchange), px_str_of("https")) ? "443" : "80");
}

static px_str read_path(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_path(exchange);
}

static px_str read_raw_path(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_raw_path(exchange);
}

static px_str read_query(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_query(exchange);
}

/* Path and query as received: the end of the target, whatever its form. */
static px_str read_uri(px_exchange *exchange, const char *name, char *scratch)
{
    px_str path = px_request_raw_path(exchange), query = px_request_query(exchange);

    (void)name;
    (void)scratch;
    if (!path.ptr || !query.ptr)
        return path;
    char *text = px_exchange_alloc(exchange, path.len + query.len + 1);

    if (!text)
        return px_str_make(NULL, 0);
    if (path.len > 0)
        memcpy(text, path.ptr, path.len);
    text[path.len] = '?';
    if (query.len > 0)
        memcpy(text + path.len + 1, query.ptr, query.len);
    return px_str_make(text, path.len + query.len + 1);
}

static px_str read_version(px_exchange *exchange, const char *name, char *scratch)
{
    unsigned version = px_request_version(exchange);

    (void)name;
    (void)scratch;
    return px_str_of(version == 10 ? "1.0" : version == 11 ? "1.1" : version == 20 ? "2" : "3");
}

static px_str read_status(px_exchange *exchange, const char *name, char *scratch)
{
    unsigned status = px_response_status(exchange);

    (void)name;
    if (status < 100 || status > 999)
        return px_str_make(NULL, 0);
    scratch[0] = (char)('0' + status / 100);
    scratch[1] = (char)('0' + status / 10 % 10);
    scratch[2] = (char)('0' + status % 10);
    return px_str_make(scratch, 3);
}

static px_str read_client(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_client(exchange);
}

static px_str read_peer(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_exchange_peer(exchange);
}

static px_str read_local(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_exchange_local(exchange);
}

static px_str read_tls_version(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_tls_version(exchange);
}

static px_str read_tls_cipher(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_tls_cipher(exchange);
}

static px_str read_tls_subject(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_client_subject(exchange);
}

static px_str read_tls_name(px_exchange *exchange, const char *name, char *scratch)
{
    (void)name;
    (void)scratch;
    return px_request_server_name(exchange);
}

static px_str read_query_param(px_exchange *exchange, const char *name, char *scratch)
{
    (void)scratch;
    return px_request_query_param(exchange, name);
}

static px_str read_param(px_exchange *exchange, const char *name, char *scratch)
{
    (void)scratch;
    return px_request_param(exchange, name);
}

static px_str read_header(px_exchange *exchange, const char *name, char *scratch)
{
    (void)scratch;
    return px_request_field(exchange, name);
}

static px_str read_cookie(px_exchange *exchange, const char *name, char *scratch)
{
    (void)scratch;
    return px_request_cookie(exchange, name);
}

/* A name that ends in a point takes what is behind it. */
static const struct placeholder {
    const char *name;
    enum piece_form form;
    px_str (*read)(px_exchange *exchange, const char *name, char *scratch);
} placeholders[] = {
    {"method", FORM_DATA, read_method},
    {"scheme", FORM_RAW, read_scheme},
    {"host", FORM_RAW, read_host},
    {"port", FORM_RAW, read_port},
    {"path", FORM_PATH, read_path},
    {"rawpath", FORM_RAW, read_raw_path},
    {"query", FORM_RAW, read_query},
    {"uri", FORM_RAW, read_uri},
    {"version", FORM_RAW, read_version},
    {"status", FORM_RAW, read_status},
    {"client", FORM_RAW, read_client},
    {"peer", FORM_RAW, read_peer},
    {"local", FORM_RAW, read_local},
    {"tls.version", FORM_RAW, read_tls_version},
    {"tls.cipher", FORM_RAW, read_tls_cipher},
    {"tls.subject", FORM_DATA, read_tls_subject},
    {"tls.server_name", FORM_RAW, read_tls_name},
    {"query.", FORM_DATA, read_query_param},
    {"param.", FORM_PATH, read_param},
    {"header.", FORM_DATA, read_header},
    {"cookie.", FORM_DATA, read_cookie},
};

static const struct placeholder *find_placeholder(px_str name, size_t *out_len)
{
    for (size_t index = 0; index < sizeof(placeholders) / sizeof(placeholders[0]); index++) {
        const struct placeholder *placeholder = &placeholders[index];
        size_t len = strlen(placeholder->name);
        bool takes_name = placeholder->name[len - 1] == '.';

        if (name.len < len || memcmp(name.ptr, placeholder->name, len) != 0)
            continue;
        if (takes_name ? name.len > len : name.len == len) {
            *out_len = len;
            return placeholder;
        }
    }
    return NULL;
}

/* --- Taking apart -----------------------------------------------------------------------------
 */

struct taking {
    px_template *template_;
    px_str text;
    size_t at;
    char *bytes; /* where the next literal goes */
    px_error *error;
};

static px_err wrong(struct taking *taking, const char *what, px_str name)
{
    int shown = name.len > NAME_SHOWN_MAX ? NAME_SHOWN_MAX : (int)name.len;

    return error_set(taking->error, PX_ERR_INVALID, 0, "%s%.*s%s", what, shown,
                     name.len > 0 ? name.ptr : "", name.len > 0 ? "}" : "");
}

static struct piece *add_piece(struct taking *taking)
{
    px_template *template_ = taking->template_;

    if (template_->piece_count == PIECES_MAX) {
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
    struct piece *piece = add_piece(taking);

    if (!piece)
        return PX_ERR_INVALID;
    piece->text = px_str_make(start, (size_t)(taking->bytes - start));
    return PX_OK;
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
    const struct placeholder *placeholder = find_placeholder(name, &len);

    if (!placeholder)
        return wrong(taking, "there is no placeholder {", name);
    struct piece *piece = add_piece(taking);

    if (!piece)
        return PX_ERR_INVALID;
    piece->read = placeholder->read;
    piece->form = placeholder->form;
    piece->name = taking->bytes;
    memcpy(taking->bytes, name.ptr + len, name.len - len);
    taking->bytes += name.len - len;
    *taking->bytes++ = '\0';
    taking->template_->is_constant = 0;
    taking->at += name.len + 2;
    return PX_OK;
}

/* At most so many pieces: one for each brace that opens, and one behind each. */
static uint32_t pieces_of(px_str text)
{
    uint32_t count = 1;

    for (size_t at = 0; at < text.len && count < PIECES_MAX; at++)
        count += text.ptr[at] == '{' ? 2 : 0;
    return count < PIECES_MAX ? count : PIECES_MAX;
}

px_template *px_template_create(px_str text, const px_allocator *allocator, size_t *out_at,
                                px_error *out_error)
{
    const px_allocator *used = allocator ? allocator : &alloc_libc;
    struct taking taking = {.text = text, .error = out_error};
    uint32_t room = pieces_of(text);
    size_t pieces_bytes = room * sizeof(struct piece);
    px_err err = PX_OK;

    /* A placeholder has two braces, and needs one byte beside its name. */
    taking.template_ =
        alloc_take_zeroed(used, sizeof(*taking.template_) + pieces_bytes + text.len + 1);
    if (!taking.template_) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    taking.template_->allocator = *used;
    taking.template_->is_constant = 1;
    taking.template_->piece_room = room;
    taking.template_->bytes = (char *)taking.template_->pieces + pieces_bytes;
    taking.bytes = taking.template_->bytes;
    while (taking.at < text.len && err == PX_OK) {
        err = take_literal(&taking);
        if (err == PX_OK && taking.at < text.len)
            err = take_placeholder(&taking);
    }
    if (err == PX_OK) {
        error_clear(out_error);
        return taking.template_;
    }
    if (out_at)
        *out_at = taking.at;
    px_template_destroy(taking.template_);
    return NULL;
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
    return template_->is_constant;
}

/* --- Writing ----------------------------------------------------------------------------------
 */

static bool is_unreserved(unsigned char byte)
{
    unsigned char lower = byte | 0x20;

    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
           byte == '.' || byte == '_' || byte == '~';
}

/* Whether a byte of a piece is percent-encoded in a target. */
static bool is_encoded(unsigned char byte, enum piece_form form)
{
    if (form == FORM_RAW)
        return byte <= 0x20 || byte >= 0x7f || byte == '"' || byte == '<' || byte == '>' ||
               byte == '\\' || byte == '#';
    return !is_unreserved(byte) && !(form == FORM_PATH && byte == '/');
}

static size_t written_bytes(px_str text, enum piece_form form, px_template_use use)
{
    size_t bytes = text.len;

    if (use != PX_TEMPLATE_TARGET)
        return bytes;
    for (size_t at = 0; at < text.len; at++)
        bytes += is_encoded((unsigned char)text.ptr[at], form) ? 2 : 0;
    return bytes;
}

static char *write_piece(char *out, px_str text, enum piece_form form, px_template_use use)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.ptr[at];

        if (use == PX_TEMPLATE_TARGET && is_encoded(byte, form)) {
            *out++ = '%';
            *out++ = digits[byte >> 4];
            *out++ = digits[byte & 15];
        } else if (use == PX_TEMPLATE_FIELD && ((byte < 0x20 && byte != '\t') || byte == 0x7f)) {
            *out++ = ' ';
        } else {
            *out++ = (char)byte;
        }
    }
    return out;
}

px_str px_template_text(const px_template *template_, px_exchange *exchange, px_template_use use)
{
    px_str texts[PIECES_MAX];
    char scratch[NUMBER_BYTES];
    size_t bytes = 0;

    for (uint32_t index = 0; index < template_->piece_count; index++) {
        const struct piece *piece = &template_->pieces[index];

        texts[index] = piece->read ? piece->read(exchange, piece->name, scratch) : piece->text;
        if (!texts[index].ptr)
            texts[index].len = 0;
        bytes += piece->read ? written_bytes(texts[index], piece->form, use) : texts[index].len;
    }
    char *text = px_exchange_alloc(exchange, bytes + 1), *at = text;

    if (!text)
        return px_str_make(NULL, 0);
    for (uint32_t index = 0; index < template_->piece_count; index++) {
        const struct piece *piece = &template_->pieces[index];

        if (piece->read) {
            at = write_piece(at, texts[index], piece->form, use);
        } else {
            CHECK(piece->text.ptr);
            at = text_write_str(at, piece->text);
        }
    }
    *at = '\0';
    return px_str_make(text, bytes);
}
