/*
 * Matchers under any lines and any requests.
 *
 * Input: lines.  A line that begins with "+" is a line of the matcher: a letter for its kind, then
 * values between blanks; any other is a request "METHOD AUTHORITY CLIENT TARGET".  Besides not
 * crashing, the answers must hold together: a "not" says the contrary, a line of its own star
 * matches whatever has such a thing, and an answer is the same each time.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pollux/matcher.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { VALUES_MAX = 8 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

/* The piece up to a blank, which is taken off `line`. */
static px_str take_word(px_str *line)
{
    const char *blank = line->len > 0 ? memchr(line->ptr, ' ', line->len) : NULL;
    size_t len = blank ? (size_t)(blank - line->ptr) : line->len;
    px_str word = px_str_make(line->ptr, len);

    line->ptr += blank ? len + 1 : len;
    line->len -= blank ? len + 1 : len;
    return word;
}

static void add(px_matcher *matcher, px_str line)
{
    static const char kinds[] = "mphsfqci";
    px_str values[VALUES_MAX], kind = take_word(&line);
    const char *found = kind.len == 1 ? memchr(kinds, kind.ptr[0], sizeof(kinds) - 1) : NULL;
    size_t count = 0, at = VALUES_MAX;
    px_error error;

    while (line.len > 0 && count < VALUES_MAX)
        values[count++] = take_word(&line);
    px_err err = px_matcher_add(matcher, found ? (px_match_kind)(found - kinds) : (px_match_kind)99,
                                values, count, &at, &error);

    must(err == PX_OK || err == PX_ERR_INVALID || err == PX_ERR_LIMIT);
    must(error.code == err && (err == PX_OK) == !error.text[0]);
    must(err != PX_ERR_INVALID || count == 0 || at < count);
}

static void ask(const px_matcher *matcher, px_str line)
{
    px_match_request request = PX_MATCH_REQUEST_DEFAULT;
    px_field fields[2] = {{px_str_of("Cookie"), {NULL, 0}}, {px_str_of("X-A"), {NULL, 0}}};
    px_matcher *contrary = px_matcher_create(NULL, NULL), *path = px_matcher_create(NULL, NULL);
    px_str star = px_str_of("/*");

    must(contrary != NULL && path != NULL);
    request.method = take_word(&line);
    request.authority = take_word(&line);
    request.client = take_word(&line);
    request.scheme = px_str_of("http");
    fields[0].value = fields[1].value = line;
    request.fields = fields;
    request.field_count = 2;

    const char *query = line.len > 0 ? memchr(line.ptr, '?', line.len) : NULL;

    request.raw_path = px_str_make(line.ptr, query ? (size_t)(query - line.ptr) : line.len);
    if (query)
        request.query = px_str_make(query + 1, line.len - request.raw_path.len - 1);

    int is_match = px_matcher_matches_request(matcher, &request);

    must(is_match == px_matcher_matches_request(matcher, &request));
    must(px_matcher_add_not(contrary, (px_matcher *)(uintptr_t)matcher, NULL) == PX_OK);
    must(px_matcher_matches_request(contrary, &request) == !is_match);
    must(px_matcher_add(path, PX_MATCH_PATH, &star, 1, NULL, NULL) == PX_OK);
    if (request.raw_path.len > 0 && request.raw_path.len <= 8192 && line.ptr[0] == '/')
        must(px_matcher_matches_request(path, &request));
    px_matcher_destroy(path);
    px_matcher_destroy(contrary);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str text = px_str_make((const char *)data, len);
    px_matcher *matcher = px_matcher_create(NULL, NULL);

    must(matcher != NULL);
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', text.len);
        px_str line = px_str_make(text.ptr, end ? (size_t)(end - text.ptr) : text.len);

        text.ptr += line.len + (end != NULL);
        text.len -= line.len + (end != NULL);
        if (line.len > 0 && line.ptr[0] == '+')
            add(matcher, px_str_make(line.ptr + 1, line.len - 1));
        else
            ask(matcher, line);
    }
    px_matcher_destroy(matcher);
    return 0;
}
