/*
 * Media types: the extensions people serve, the odd names, the order of the tables, and what is
 * worth compressing.
 */
#include "lib/test.h"

#include "http/fields/media_type.h"

static void names_have_types(void **state)
{
    static const struct {
        const char *name;
        const char *type;
    } cases[] = {
        {"index.html", "text/html; charset=utf-8"},
        {"INDEX.HTM", "text/html; charset=utf-8"},
        {"a.css", "text/css; charset=utf-8"},
        {"a.js", "text/javascript; charset=utf-8"},
        {"a.mjs", "text/javascript; charset=utf-8"},
        {"a.json", "application/json"},
        {"a.map", "application/json"},
        {"a.webmanifest", "application/manifest+json"},
        {"a.svg", "image/svg+xml"},
        {"a.svgz", "application/gzip"},
        {"a.png", "image/png"},
        {"a.jpg", "image/jpeg"},
        {"a.jpeg", "image/jpeg"},
        {"a.webp", "image/webp"},
        {"a.avif", "image/avif"},
        {"a.ico", "image/vnd.microsoft.icon"},
        {"a.woff2", "font/woff2"},
        {"a.wasm", "application/wasm"},
        {"a.xml", "application/xml"},
        {"a.txt", "text/plain; charset=utf-8"},
        {"a.md", "text/markdown; charset=utf-8"},
        {"a.c", "text/plain; charset=utf-8"},
        {"a.py", "text/plain; charset=utf-8"},
        {"a.csv", "text/csv; charset=utf-8"},
        {"a.pdf", "application/pdf"},
        {"a.zip", "application/zip"},
        {"a.tar.gz", "application/gzip"},
        {"a.zst", "application/zstd"},
        {"a.mp4", "video/mp4"},
        {"a.mp3", "audio/mpeg"},
        {"a.webm", "video/webm"},
        {"a.m3u8", "application/vnd.apple.mpegurl"},
        {"a.ts", "video/mp2t"},
        {"a.123", "application/vnd.lotus-1-2-3"},
        {"a.zsh", "text/plain; charset=utf-8"},
        {"README", "text/plain; charset=utf-8"},
        {"dir.html/Makefile", "text/plain; charset=utf-8"},
        {"dir.html/file", "application/octet-stream"},
        {"file", "application/octet-stream"},
        {"file.", "application/octet-stream"},
        {"", "application/octet-stream"},
        {".html", "text/html; charset=utf-8"},
        {"a.html~", "application/octet-stream"},
        {"a.abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "application/octet-stream"},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_str_equal(media_type_of(px_str_of(cases[index].name)), px_str_of(cases[index].type));
    assert_str_equal(media_type_of(LITERAL("a.ht\0ml")), LITERAL("application/octet-stream"));
}

static void tables_are_sorted(void **state)
{
    (void)state;
    assert_true(media_type_table_count > 1200);
    for (uint32_t index = 1; index < media_type_table_count; index++)
        assert_true(
            strcmp(media_type_table[index - 1].extension, media_type_table[index].extension) < 0);
    assert_true(media_type_shrinking_count > 30);
    for (uint32_t index = 1; index < media_type_shrinking_count; index++)
        assert_true(strcmp(media_type_shrinking[index - 1], media_type_shrinking[index]) < 0);
}

/* Every entry is found by the search, and its type takes itself apart. */
static void every_entry_is_found(void **state)
{
    char name[64];

    (void)state;
    for (uint32_t index = 0; index < media_type_table_count; index++) {
        int len = snprintf(name, sizeof(name), "x.%s", media_type_table[index].extension);

        assert_in_range(len, 3, sizeof(name) - 1);
        assert_str_equal(media_type_of(px_str_make(name, (size_t)len)),
                         px_str_of(media_type_table[index].type));
    }
    for (uint32_t index = 0; index < media_type_shrinking_count; index++)
        assert_true(media_type_compressible(px_str_of(media_type_shrinking[index])));
}

static void what_shrinks_is_known(void **state)
{
    static const char *const yes[] = {
        "text/html",         "text/html; charset=utf-8", "TEXT/Plain",    "text/anything",
        "application/json",  "application/ld+json",      "image/svg+xml", "Application/JSON ;a=b",
        "application/xml",   "application/wasm",         "font/ttf",      "application/x-ndjson",
        "text/event-stream",
    };
    static const char *const no[] = {
        "",
        ";",
        "image/png",
        "image/jpeg",
        "font/woff2",
        "video/mp4",
        "application/octet-stream",
        "application/zip",
        "application/gzip",
        "multipart/byteranges; boundary=text/html",
        "textual/html",
        "application/jso",
        ("application/"
         "x-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    };

    (void)state;
    for (size_t index = 0; index < sizeof(yes) / sizeof(yes[0]); index++)
        assert_true(media_type_compressible(px_str_of(yes[index])));
    for (size_t index = 0; index < sizeof(no) / sizeof(no[0]); index++)
        assert_false(media_type_compressible(px_str_of(no[index])));
    assert_false(media_type_compressible(px_str_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_have_types),
        cmocka_unit_test(tables_are_sorted),
        cmocka_unit_test(every_entry_is_found),
        cmocka_unit_test(what_shrinks_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
