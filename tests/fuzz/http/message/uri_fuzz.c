/*
 * Decoding, dot segments, encoding, hosts and addresses: what they promise about their results.
 *
 * The input is taken as a path, a host and an address alike.
 */
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "http/message/host.h"
#include "http/message/uri.h"

enum { INPUT_MAX = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* In place, of a copy. */
static px_err normalise(struct arena *arena, px_str path, px_str *out_path)
{
    px_str copy = arena_copy(arena, path);
    size_t len;
    px_err err =
        copy.ptr ? uri_path_normalise((char *)(uintptr_t)copy.ptr, copy.len, &len) : PX_ERR_MEMORY;

    if (err == PX_OK)
        *out_path = px_str_make(copy.ptr, len);
    return err;
}

static void check_text(px_str text)
{
    CHECK(text.ptr[text.len] == '\0');
}

/* Never longer, never a NUL. */
static void check_decoding(struct arena *arena, px_str input)
{
    px_str text;

    if (uri_decode(arena, input, URI_SLASH_DECODE, &text) != PX_OK)
        return;
    check_text(text);
    CHECK(text.len <= input.len && strlen(text.ptr) == text.len);
}

/* Never longer, always absolute, without a segment that moves, and already normal. */
static void check_segments(struct arena *arena, px_str input)
{
    px_str path;
    px_str again;

    if (normalise(arena, input, &path) != PX_OK)
        return;
    check_text(path);
    CHECK(path.len >= 1 && path.len <= input.len && path.ptr[0] == '/');
    for (size_t at = 0; at < path.len;) {
        const char *segment = path.ptr + at + 1;
        size_t left = path.len - at - 1;
        const char *next = memchr(segment, '/', left);
        size_t bytes = next ? (size_t)(next - segment) : left;

        CHECK(!(bytes == 1 && segment[0] == '.'));
        CHECK(!(bytes == 2 && segment[0] == '.' && segment[1] == '.'));
        at += bytes + 1;
    }
    CHECK(normalise(arena, path, &again) == PX_OK && px_str_equal(path, again));
}

static void check_host(px_str input)
{
    struct host_parts parts;
    bool valid = host_valid(input.ptr, input.len);

    CHECK(valid == host_split(input, &parts));
    if (!valid)
        return;
    CHECK(parts.host.len > 0 && parts.host.len <= input.len);
    CHECK(parts.port >= -1 && parts.port <= 65535);
    CHECK(parts.ipv6 == (input.ptr[0] == '['));
    for (size_t i = 0; i < input.len; i++)
        CHECK(input.ptr[i] > ' ' && input.ptr[i] < 0x7f && !strchr(",/?#@\\%\"<>", input.ptr[i]));
}

static void check_address(px_str input)
{
    struct uri_parts parts;

    if (uri_split(input, &parts) != PX_OK)
        return;
    CHECK(parts.target.len >= 1 && parts.target.ptr[0] == '/');
    CHECK(host_valid(parts.authority.ptr, parts.authority.len));
    /* What clients send raw is data: visible ASCII but "#", and UTF-8. */
    for (size_t i = 0; i < parts.target.len;) {
        px_str rest = px_str_make(parts.target.ptr + i, parts.target.len - i);
        uint8_t byte = (uint8_t)*rest.ptr;
        uint32_t code;
        size_t bytes = byte < 0x80 ? 1 : text_utf8_len(rest, &code);

        CHECK(bytes > 0 && byte > ' ' && byte != 0x7f && byte != '#');
        i += bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    struct arena arena;

    if (len < 1 || len > INPUT_MAX)
        return 0;
    arena_init(&arena, &alloc_libc, NULL, 0, 64 * 1024);
    check_decoding(&arena, input);
    check_segments(&arena, input);
    check_host(input);
    check_address(input);
    arena_reset(&arena);
    return 0;
}
