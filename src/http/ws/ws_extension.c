/*
 * permessage-deflate's parameters, read strictly and written in one order.
 */
#include "http/ws/ws_extension.h"

#include "http/ws/ws_deflate.h"

enum { NAMES_MAX = 4 };

/* One extension of the list; `bits` 0: the parameter was not there, or without a value. */
struct extension {
    bool deflate; /* it is permessage-deflate ... */
    bool known;   /* ... and has only parameters that it has, each once */
    struct ws_deflate_terms terms;
    bool server_bits_given;
    bool client_bits_given;
};

static const char *const names[NAMES_MAX] = {"server_no_context_takeover",
                                             "client_no_context_takeover", "server_max_window_bits",
                                             "client_max_window_bits"};

/* The next character of a value, without the backslash in front of a quoted one (RFC 9110 section
 * 5.6.4).  False at its end; *out_char is 0 where nothing follows a backslash. */
static bool value_next(px_str *value, char *out_char)
{
    if (value->len == 0)
        return false;
    size_t count = value->ptr[0] == '\\' ? 2 : 1;

    *out_char = value->len >= count ? value->ptr[count - 1] : '\0';
    if (count > value->len)
        count = value->len;
    *value = px_str_make(value->ptr + count, value->len - count);
    return true;
}

/* RFC 6455 section 9.1: what is quoted is a token as well. */
static bool value_valid(px_str value)
{
    char byte;

    if (value.len == 0)
        return false;
    while (value_next(&value, &byte)) {
        if (!field_name_valid(px_str_make(&byte, 1)))
            return false;
    }
    return true;
}

/* RFC 7692 section 7.1.2.1: 8 to 15 in decimal, without leading zeros; else 0. */
static uint8_t bits_of(px_str raw)
{
    char text[2], byte;
    size_t len = 0;

    while (value_next(&raw, &byte)) {
        if (len == sizeof(text))
            return 0;
        text[len++] = byte;
    }
    px_str value = px_str_make(text, len);

    if (value.len == 1 && (value.ptr[0] == '8' || value.ptr[0] == '9'))
        return (uint8_t)(value.ptr[0] - '0');
    if (value.len == 2 && value.ptr[0] == '1' && value.ptr[1] >= '0' && value.ptr[1] <= '5')
        return (uint8_t)(10 + value.ptr[1] - '0');
    return 0;
}

/* What a parameter says; false when the extension has none such. */
static bool parameter_take(struct extension *extension, unsigned which, bool has_value,
                           px_str value)
{
    uint8_t bits = has_value ? bits_of(value) : 0;

    switch (which) {
    case 0:
        extension->terms.server_no_takeover = true;
        return !has_value;
    case 1:
        extension->terms.client_no_takeover = true;
        return !has_value;
    case 2:
        extension->terms.server_bits = bits;
        extension->server_bits_given = true;
        return bits > 0;
    case 3:
        extension->terms.client_bits = bits;
        extension->client_bits_given = true;
        extension->terms.client_bits_asked = true;
        return !has_value || bits > 0;
    }
    return false;
}

/* The name of a parameter in its place of `names`; NAMES_MAX: none of them. */
static unsigned name_find(px_str name)
{
    unsigned which = 0;

    while (which < NAMES_MAX && !field_name_is(name, names[which]))
        which++;
    return which;
}

/* What is between quotes, backslashes included; else a token, which has none. */
static px_err value_take(px_str text, px_str *out_value)
{
    bool is_quoted = text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"';

    *out_value = is_quoted ? px_str_make(text.ptr + 1, text.len - 2) : text;
    if (is_quoted)
        return value_valid(*out_value) ? PX_OK : PX_ERR_MALFORMED;
    return field_name_valid(text) ? PX_OK : PX_ERR_MALFORMED;
}

/* Takes "name", or "name=value", off a list of parameters. */
static px_err parameter_next(px_str *params, px_str *out_name, bool *out_has_value,
                             px_str *out_value)
{
    size_t semicolon = 1, equals = 0;

    if (params->len == 0)
        return PX_ERR_NOT_FOUND;
    while (semicolon < params->len && params->ptr[semicolon] != ';')
        semicolon++;
    px_str text = field_trim(px_str_make(params->ptr + 1, semicolon - 1));

    *params = px_str_make(params->ptr + semicolon, params->len - semicolon);
    while (equals < text.len && text.ptr[equals] != '=')
        equals++;
    *out_name = field_trim(px_str_make(text.ptr, equals));
    *out_has_value = equals < text.len;
    *out_value = px_str_make(NULL, 0);
    if (*out_has_value) {
        px_str given = field_trim(px_str_make(text.ptr + equals + 1, text.len - equals - 1));

        if (value_take(given, out_value) != PX_OK)
            return PX_ERR_MALFORMED;
    }
    return field_name_valid(*out_name) ? PX_OK : PX_ERR_MALFORMED;
}

/* Takes one element of the list apart: PX_OK or PX_ERR_MALFORMED. */
static px_err extension_take(px_str element, struct extension *out_extension)
{
    struct extension extension = {.known = true};
    bool seen[NAMES_MAX] = {false};
    bool has_value;
    size_t end = 0;
    px_str name, value;
    px_err err;

    while (end < element.len && element.ptr[end] != ';')
        end++;
    name = field_trim(px_str_make(element.ptr, end));
    if (!field_name_valid(name))
        return PX_ERR_MALFORMED;
    extension.deflate = field_name_is(name, "permessage-deflate");
    px_str params = px_str_make(element.ptr + end, element.len - end);

    while ((err = parameter_next(&params, &name, &has_value, &value)) == PX_OK) {
        unsigned which = name_find(name);

        if (which == NAMES_MAX || seen[which] ||
            !parameter_take(&extension, which, has_value, value))
            extension.known = false;
        else
            seen[which] = true;
    }
    if (err != PX_ERR_NOT_FOUND)
        return err;
    *out_extension = extension;
    return PX_OK;
}

/* Where a walk over all extensions of all lines is. */
struct walk {
    const px_field *fields; /* borrowed: those behind the line at hand */
    uint32_t count;
    px_str list; /* the rest of that line */
};

/* The next extension: PX_OK, PX_ERR_NOT_FOUND behind the last, or PX_ERR_MALFORMED.  As many as a
 * head has room for may come: none is kept. */
static px_err extension_next(struct walk *walk, struct extension *out_extension)
{
    px_str element;

    for (;;) {
        if (walk->list.len > 0 && field_list_next(&walk->list, &element))
            return extension_take(element, out_extension);
        if (walk->count == 0)
            return PX_ERR_NOT_FOUND;
        if (field_name_is(walk->fields->name, "sec-websocket-extensions"))
            walk->list = walk->fields->value;
        walk->fields++;
        walk->count--;
    }
}

static uint8_t least(uint8_t left, uint8_t right)
{
    return left < right ? left : right;
}

/* What is agreed to an offer that can be agreed to. */
static struct ws_deflate_terms offer_answer(const struct extension *offer,
                                            const struct ws_deflate_terms *wanted)
{
    struct ws_deflate_terms terms = *wanted;

    terms.server_no_takeover |= offer->terms.server_no_takeover;
    terms.client_no_takeover |= offer->terms.client_no_takeover;
    if (offer->server_bits_given)
        terms.server_bits = least(terms.server_bits, offer->terms.server_bits);
    terms.client_bits_asked = offer->client_bits_given;
    /* A client that takes no such parameter keeps a window of any size. */
    if (!offer->client_bits_given)
        terms.client_bits = WS_WINDOW_BITS_MAX;
    else if (offer->terms.client_bits > 0)
        terms.client_bits = least(terms.client_bits, offer->terms.client_bits);
    return terms;
}

px_err ws_deflate_choose(const px_field *fields, uint32_t count,
                         const struct ws_deflate_terms *wanted, struct ws_deflate_terms *out_agreed)
{
    struct walk walk = {fields, count, {NULL, 0}};
    struct extension offer;
    bool found = false;
    px_err err;

    /* What stands behind the one that is chosen is looked at as well. */
    while ((err = extension_next(&walk, &offer)) == PX_OK) {
        if (found || !offer.deflate || !offer.known)
            continue;
        found = true;
        *out_agreed = offer_answer(&offer, wanted);
    }
    return err == PX_ERR_NOT_FOUND && found ? PX_OK : err;
}

static size_t text_put(char *out, size_t at, const char *text)
{
    size_t len = strlen(text);

    memcpy(out + at, text, len);
    return at + len;
}

static size_t bits_put(char *out, size_t at, const char *name, uint8_t bits)
{
    at = text_put(out, text_put(out, at, "; "), name);
    out[at++] = '=';
    if (bits >= 10)
        out[at++] = '1';
    out[at++] = (char)('0' + bits % 10);
    return at;
}

size_t ws_deflate_write(const struct ws_deflate_terms *terms, char out[WS_TERMS_BYTES_MAX])
{
    size_t at = text_put(out, 0, "permessage-deflate");

    if (terms->server_no_takeover)
        at = text_put(out, text_put(out, at, "; "), names[0]);
    if (terms->client_no_takeover)
        at = text_put(out, text_put(out, at, "; "), names[1]);
    if (terms->server_bits < WS_WINDOW_BITS_MAX)
        at = bits_put(out, at, names[2], terms->server_bits);
    if (terms->client_bits_asked && terms->client_bits < WS_WINDOW_BITS_MAX)
        at = bits_put(out, at, names[3], terms->client_bits);
    return at;
}

px_err ws_deflate_answer(const px_field *fields, uint32_t count,
                         const struct ws_deflate_terms *offered,
                         struct ws_deflate_terms *out_agreed)
{
    struct walk walk = {fields, count, {NULL, 0}};
    struct extension answer, more;
    px_err err = extension_next(&walk, &answer);

    if (err != PX_OK)
        return err;
    struct ws_deflate_terms terms = answer.terms;

    /* RFC 7692 section 5.1: one extension, which was offered, with parameters that may answer it.
     */
    if (extension_next(&walk, &more) != PX_ERR_NOT_FOUND || !answer.deflate || !answer.known ||
        (answer.client_bits_given &&
         (answer.terms.client_bits == 0 || !offered->client_bits_asked)) ||
        (offered->server_no_takeover && !terms.server_no_takeover))
        return PX_ERR_MALFORMED;
    if (!answer.server_bits_given)
        terms.server_bits = WS_WINDOW_BITS_MAX;
    if (terms.server_bits > offered->server_bits)
        return PX_ERR_MALFORMED;
    if (!answer.client_bits_given)
        terms.client_bits = WS_WINDOW_BITS_MAX;
    terms.client_no_takeover |= offered->client_no_takeover;
    terms.client_bits = least(terms.client_bits, offered->client_bits);
    *out_agreed = terms;
    return PX_OK;
}
