/*
 * Forms in parts: the same bytes in one piece and in several tell the same, in the order that is
 * promised, and what is whole can be written out and read again.
 *
 * The input: a byte that chooses the pieces, then a line that is the boundary, then the body.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "http/fields/field.h"
#include "http/forms/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* All that was told, as text; the kinds of events are bytes that no name can hold. */
struct told {
    struct buf text;
    struct buf again; /* the form, written anew from what was told */
    px_str boundary;
    bool in_part;
    bool ended;
};

static void put(struct buf *buf, px_str str)
{
    CHECK(buf_append(buf, str) == PX_OK);
}

static void put_text(struct buf *buf, const char *text)
{
    put(buf, px_str_of(text));
}

static void put_quoted(struct buf *buf, const char *name, px_str value)
{
    put_text(buf, name);
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '"' || value.ptr[i] == '\\')
            put_text(buf, "\\");
        put(buf, px_str_make(value.ptr + i, 1));
    }
    put_text(buf, "\"");
}

static px_err on_part_begin(const struct multipart_part *part, void *context)
{
    struct told *told = context;

    CHECK(!told->in_part && !told->ended && part->name.ptr && part->field_count > 0);
    CHECK(part->name.ptr[part->name.len] == '\0');
    told->in_part = true;
    put(&told->text, px_str_make("\1", 1));
    put(&told->text, part->name);
    put(&told->text, px_str_make("\2", 1));
    put(&told->text, part->filename);
    for (uint32_t i = 0; i < part->field_count; i++) {
        CHECK(field_name_valid(part->fields[i].name));
        CHECK(field_value_valid(part->fields[i].value));
        CHECK(part->fields[i].value.ptr[part->fields[i].value.len] == '\0');
        put(&told->text, px_str_make("\3", 1));
        put(&told->text, part->fields[i].name);
        put(&told->text, px_str_make("\4", 1));
        put(&told->text, part->fields[i].value);
    }
    put(&told->text, px_str_make("\5", 1));

    put_text(&told->again, "--");
    put(&told->again, told->boundary);
    put_text(&told->again, "\r\nContent-Disposition: form-data");
    put_quoted(&told->again, "; name=\"", part->name);
    if (part->filename.ptr)
        put_quoted(&told->again, "; filename=\"", part->filename);
    put_text(&told->again, "\r\n\r\n");
    return PX_OK;
}

static px_err on_part_data(px_str bytes, void *context)
{
    struct told *told = context;

    CHECK(told->in_part && bytes.len > 0);
    put(&told->text, bytes);
    put(&told->again, bytes);
    return PX_OK;
}

static px_err on_part_end(void *context)
{
    struct told *told = context;

    CHECK(told->in_part);
    told->in_part = false;
    put(&told->text, px_str_make("\6", 1));
    put_text(&told->again, "\r\n");
    return PX_OK;
}

static px_err on_end(void *context)
{
    struct told *told = context;

    CHECK(!told->in_part && !told->ended);
    told->ended = true;
    return PX_OK;
}

static const struct multipart_events events = {on_part_begin, on_part_data, on_part_end, on_end};

static void told_init(struct told *told, px_str boundary)
{
    memset(told, 0, sizeof(*told));
    told->boundary = boundary;
    buf_init(&told->text, &alloc_libc, 1024 * 1024);
    buf_init(&told->again, &alloc_libc, 1024 * 1024);
}

static void told_deinit(struct told *told)
{
    buf_deinit(&told->text);
    buf_deinit(&told->again);
}

/* Feeds `body` in pieces whose lengths come from `seed`; 0 is one piece. */
static px_err run(px_str body, unsigned seed, struct told *told)
{
    struct multipart multipart;
    px_err err = multipart_init(&multipart, told->boundary, &alloc_libc, &events, told);

    CHECK(err == PX_OK);
    for (size_t at = 0; at < body.len && err == PX_OK;) {
        size_t piece = seed == 0 ? body.len : 1 + seed % 7;

        seed = seed == 0 ? 0 : (seed * 5 + 3) % 256 + 1;
        if (piece > body.len - at)
            piece = body.len - at;
        /* A copy of exactly that length, so that reading past it is seen. */
        char *copy = malloc(piece);

        CHECK(copy);
        memcpy(copy, body.ptr + at, piece);
        err = multipart_feed(&multipart, px_str_make(copy, piece), &(size_t){0});
        free(copy);
        at += piece;
    }
    if (err == PX_OK)
        err = multipart_finish(&multipart);
    CHECK(told->ended == (err == PX_OK));
    CHECK((multipart.reason == NULL) == (err == PX_OK));
    multipart_deinit(&multipart);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    const char *lf = len > 1 ? memchr(input.ptr + 1, '\n', len - 1) : NULL;
    struct multipart probe;
    struct told whole;
    struct told pieces;

    (void)!multipart_boundary(input, &(px_str){NULL, 0});
    if (!lf || len > 16 * 1024)
        return 0;
    px_str boundary = px_str_make(input.ptr + 1, (size_t)(lf - input.ptr - 1));
    px_str body = px_str_make(lf + 1, len - boundary.len - 2);

    if (multipart_init(&probe, boundary, &alloc_libc, &events, NULL) != PX_OK)
        return 0;
    multipart_deinit(&probe);
    told_init(&whole, boundary);
    told_init(&pieces, boundary);
    px_err err = run(body, 0, &whole);

    CHECK(run(body, data[0] + 1u, &pieces) == err);
    CHECK(px_str_equal(buf_str(&whole.text), buf_str(&pieces.text)));
    if (err == PX_OK) {
        struct told again;

        put_text(&whole.again, "--");
        put(&whole.again, boundary);
        put_text(&whole.again, "--");
        told_init(&again, boundary);
        CHECK(run(buf_str(&whole.again), data[0], &again) == PX_OK);
        CHECK(px_str_equal(buf_str(&again.again),
                           px_str_make(whole.again.ptr, whole.again.len - boundary.len - 4)));
        told_deinit(&again);
    }
    told_deinit(&whole);
    told_deinit(&pieces);
    return 0;
}
