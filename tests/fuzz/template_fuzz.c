/*
 * Templates: any text is taken apart, or refused at a place in it; and any bytes that placeholders
 * may give are written in each use.
 *
 * Input: the template up to the first LF, and behind it, between LFs, what its pieces give in turn.
 * What is written fits the room that was reckoned, ends in NUL, and in a field or a target holds
 * nothing that could end it.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gate/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* The piece up to an LF, which is taken off `text`. */
static px_str take_line(px_str *text)
{
    const char *end = text->len > 0 ? memchr(text->ptr, '\n', text->len) : NULL;
    size_t len = end ? (size_t)(end - text->ptr) : text->len;
    px_str line = px_str_make(text->ptr, len);

    text->ptr += end ? len + 1 : len;
    text->len -= end ? len + 1 : len;
    return line;
}

static void check_field(px_str text)
{
    must(text.len == 0 || (text.ptr[0] != ' ' && text.ptr[0] != '\t'));
    must(text.len == 0 || (text.ptr[text.len - 1] != ' ' && text.ptr[text.len - 1] != '\t'));
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.ptr[at];

        must((byte >= 0x20 && byte != 0x7f) || byte == '\t');
    }
}

static void check_target(px_str text, bool is_other_host)
{
    for (size_t at = 0; at < text.len; at++) {
        unsigned char byte = (unsigned char)text.ptr[at];

        must(byte > 0x20 && byte < 0x7f && byte != '\\' && byte != '"' && byte != '<');
    }
    must(is_other_host || text.len < 2 || text.ptr[0] != '/' || text.ptr[1] != '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const px_template_use uses[] = {PX_TEMPLATE_PLAIN, PX_TEMPLATE_FIELD, PX_TEMPLATE_TARGET,
                                           PX_TEMPLATE_KEY};
    px_str input = px_str_make((const char *)data, len), text = take_line(&input);
    px_str texts[TEMPLATE_PIECES_MAX];
    size_t wrong_at = SIZE_MAX;
    px_error error;
    px_template *made = px_template_create(text, NULL, &wrong_at, &error);

    if (!made) {
        must(error.code == PX_ERR_INVALID && error.text[0] && wrong_at <= text.len);
        return 0;
    }
    must(error.code == PX_OK && made->piece_count <= TEMPLATE_PIECES_MAX);
    for (uint32_t index = 0; index < made->piece_count; index++)
        texts[index] =
            made->pieces[index].placeholder ? take_line(&input) : made->pieces[index].text;
    for (size_t use = 0; use < sizeof(uses) / sizeof(uses[0]); use++) {
        size_t room = template_room(made, texts, uses[use]);
        char *out = malloc(room);

        must(out != NULL);
        px_str written = template_write(made, texts, uses[use], out);

        must(written.ptr >= out && written.ptr + written.len < out + room);
        must(written.ptr[written.len] == '\0');
        if (uses[use] == PX_TEMPLATE_FIELD)
            check_field(written);
        if (uses[use] == PX_TEMPLATE_TARGET)
            check_target(written, text.len > 1 && memcmp(text.ptr, "//", 2) == 0);
        free(out);
    }
    px_template_destroy(made);
    return 0;
}
