/*
 * The file handler on a real folder: paths and patterns, what is found at once and what by helper
 * threads, the cache and its bounds, ends at every moment, and failing allocations.
 */
#include "handlers/files/files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/exchange/double.h"

enum { LARGE = FILE_SMALL_BYTES_MAX + 1000 };

static char place[] = "/tmp/pollux-files-XXXXXX";

/* A file of `bytes` bytes that begins with `first`, changed at `modified` and `modified_ns`. */
static void put_at(const char *name, const char *first, size_t bytes, time_t modified,
                   long modified_ns)
{
    char path[512];
    struct timespec times[2] = {{modified, modified_ns}, {modified, modified_ns}};

    snprintf(path, sizeof(path), "%s/%s", place, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, first, strlen(first), 0), (ssize_t)strlen(first));
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void put(const char *name, size_t bytes)
{
    char path[512], *text = malloc(bytes + 1);

    assert_non_null(text);
    for (size_t index = 0; index < bytes; index++)
        text[index] = (char)('a' + (index + strlen(name)) % 26);
    snprintf(path, sizeof(path), "%s/%s", place, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0644);
    struct timespec times[2] = {{1600000000, 0}, {1600000000, 0}};

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, bytes), (ssize_t)bytes);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    free(text);
}

static int make(void **state)
{
    char path[512];

    (void)state;
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof(path), "%s/sub", place);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/sub/none", place);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof(path), "%s/a:b", place);
    assert_int_equal(mkdir(path, 0755), 0);
    put("index.html", 20);
    put("a.txt", 26);
    put("empty", 0);
    put("large", LARGE);
    put("sub/index.html", 5);
    put("sub/b.txt", 10);
    put("404.html", 9);
    return 0;
}

static int unmake(void **state)
{
    char command[64];

    (void)state;
    snprintf(command, sizeof(command), "rm -rf %s", place);
    return system(command); // NOLINT(cert-env33-c): a folder of this test's own
}

/* --- Patterns and paths ----------------------------------------------------------------------- */

static void globs_match(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool is;
    } cases[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "", false},
        {"", "", true},
        {"", "a", false},
        {"*", "", true},
        {"*", "abc", true},
        {"*.css", "a.css", true},
        {"*.css", ".css", true},
        {"*.css", "a.cs", false},
        {"*.css", "a.css.gz", false},
        {"a*c", "abbbc", true},
        {"a*c", "abbb", false},
        {"a*b*c", "aXbXbXc", true},
        {"?", "a", true},
        {"?", "", false},
        {"a?c", "abc", true},
        {"*a*a*a*b", "aaaaaaaaaaaaaaaaa", false},
        {"**", "x", true},
        {"/s/*", "/s/deep/x", true},
        {"/s/*", "/t/x", false},
        {"a*", "a", true},
        {"*a", "ba", true},
        {"*ab", "aab", true},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_int_equal(files_glob(cases[index].pattern, px_str_of(cases[index].text)),
                         cases[index].is);
}

/* The path that a target leads to, or its status. */
static void what_is_beneath_a_route(void **state)
{
    static const struct {
        const char *pattern, *path, *beneath;
    } cases[] = {
        {NULL, "/a/b", "/a/b"},
        {"/", "/a/b", "/a/b"},
        {"/a/", "/a/b", "/b"},
        {"GET /a/", "/a/", "/"},
        {"/a/{rest...}", "/a/b/c", "/b/c"},
        {"/a/{name}/{rest...}", "/a/b/c", "/c"},
        {"/a/{$}", "/a/", "/"},
        {"/a/", "/a", NULL},
        {"/a/", "", NULL},
        {"/a/{name}", "/a/b", "/a/b"},
        {"/a.css", "/a.css", "/a.css"},
    };

    (void)state;
    for (size_t index = 0; index < ARRAY_COUNT(cases); index++) {
        px_str beneath = px_files_beneath(cases[index].pattern, px_str_of(cases[index].path));

        assert_true(!beneath.ptr == !cases[index].beneath);
        if (beneath.ptr)
            assert_true(px_str_equal(beneath, px_str_of(cases[index].beneath)));
    }
    assert_int_equal(ARRAY_COUNT(cases), 11);
}

static void path_is(struct stage *stage, const char *pattern, const char *target, unsigned status,
                    const char *path)
{
    struct call call;
    char head[512];
    px_str found;

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    assert_true(call_make(&call, stage, head));
    call.exchange->handling.pattern = pattern;
    unsigned is = files_path(call.exchange, false, &found);

    if (is != status)
        fail_msg("%s %s: %u, not %u", pattern, target, is, status);
    if (status == 0)
        assert_str_equal(found, px_str_of(path));
    call_end(&call, PX_END_ABORTED);
    call_finish(&call);
}

static void routes_leave_paths_open(void **state)
{
    struct stage stage;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    path_is(&stage, NULL, "/a/b", 0, "a/b");
    path_is(&stage, "/", "/", 0, "");
    path_is(&stage, "/", "/a/b/", 0, "a/b/");
    path_is(&stage, "GET /", "/a", 0, "a");
    path_is(&stage, "GET example.org/", "/a", 0, "a");
    path_is(&stage, "/static/", "/static/a/b", 0, "a/b");
    path_is(&stage, "/static/", "/static/", 0, "");
    path_is(&stage, "/static/{rest...}", "/static/a", 0, "a");
    path_is(&stage, "/static/{$}", "/static/", 0, "");
    path_is(&stage, "/u/{name}/files/{rest...}", "/u/x/files/a/b", 0, "a/b");
    path_is(&stage, "/favicon.ico", "/favicon.ico", 0, "favicon.ico");
    path_is(&stage, "/u/{name}", "/u/a", 0, "u/a");
    path_is(&stage, "/static/", "/static/../a", 400, NULL);
    path_is(&stage, "/static/", "/static/%2e%2e/a", 400, NULL);
    path_is(&stage, "/static/", "/static/x/../../a", 400, NULL);
    path_is(&stage, "/static/", "/static//a", 0, "a");
    path_is(&stage, "/static/", "/static/.well-known/a", 404, NULL);
    path_is(&stage, "/", "/.well-known/a", 0, ".well-known/a");
    path_is(&stage, "/", "/%2ewell-known/a", 0, ".well-known/a");
    path_is(&stage, "/", "/.well-known", 404, NULL);
    path_is(&stage, "/", "/a/.b", 404, NULL);
    path_is(&stage, "/", "/a%2fb", 0, "a/b");
    path_is(&stage, "/", "/@a%2Fb", 0, "@a/b");
    path_is(&stage, "/", "/a%2f%2Fb%2f", 0, "a/b/");
    path_is(&stage, "/", "/a%252fb", 0, "a%2fb");
    path_is(&stage, "/", "/..%2fa", 400, NULL);
    path_is(&stage, "/", "/a%2f..%2f..%2fb", 400, NULL);
    path_is(&stage, "/", "/a%2f..%2fb", 0, "b");
    path_is(&stage, "/", "/a%2f.b", 404, NULL);
    path_is(&stage, "/static/", "/static/a%2fb", 0, "a/b");
    path_is(&stage, "/static/", "/static/..%2fb", 400, NULL);
    path_is(&stage, "/u/{name}/{rest...}", "/u/a%2fb/c%2fd", 0, "c/d");
    path_is(&stage, "/", "/a%00", 400, NULL);
    stage_close(&stage);
}

/* --- Requests --------------------------------------------------------------------------------- */

/* How the folder is opened: from the kernel's caches, always by helpers, a segment at a time. */
enum way { WAY_NOW, WAY_HELPERS, WAY_WALK, WAY_COUNT };

static px_files *files_open(struct stage *stage, const px_files_options *given, enum way way)
{
    px_files_options options = given ? *given : px_files_options_default();
    px_error error;

    options.allocator = &stage->loop->allocator;
    px_files *files = px_files_create(place, &options, &error);

    assert_int_equal(files ? PX_OK : error.code, PX_OK);
    files->root.no_cached = way == WAY_HELPERS;
    files->root.walk = way == WAY_WALK;
    return files;
}

static void begin(struct call *call, struct stage *stage, px_files *files, const char *method,
                  const char *target, const char *fields)
{
    char head[1024];

    snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target, fields);
    assert_true(call_begin(call, stage, head, px_files_handle, files));
}

static bool answered(struct call *call)
{
    call_drive(call);
    return !call->exchange;
}

static unsigned get(struct call *call, struct stage *stage, px_files *files, const char *target,
                    const char *fields)
{
    begin(call, stage, files, "GET", target, fields);
    pump_until(stage->loop, answered(call));
    pump_once(stage->loop, 0); /* what has ended says so, without a wait for an event */
    return call->status;
}

static void requests_are_answered(void **state)
{
    static const struct {
        const char *target, *fields;
        unsigned status;
        uint64_t bytes;
        const char *has;
    } cases[] = {
        {"/", "", 200, 20, "Content-Type: text/html"},
        {"/a.txt", "", 200, 26, "Accept-Ranges: bytes"},
        {"/a.txt?x", "", 200, 26, "Last-Modified: Sun, 13 Sep 2020 12:26:40 GMT"},
        {"/empty", "", 200, 0, "ETag: \"0-"},
        {"/large", "", 200, LARGE, "ETag: \""},
        {"/sub", "", 301, 0, "Location: sub/\n"},
        {"/sub?a=b&c", "", 301, 0, "Location: sub/?a=b&c\n"},
        {"/sub/none", "", 301, 0, "Location: none/\n"},
        {"/x/..//s%75b", "", 301, 0, "Location: s%75b/\n"},
        {"/sub%2Fnone", "", 301, 0, "Location: sub%2Fnone/\n"},
        {"/a:b", "", 301, 0, "Location: ./a:b/\n"},
        {"/sub%2fb.txt", "", 200, 10, "Content-Type: text/plain"},
        {"/empty", "Range: bytes=0-99\r\n", 200, 0, "ETag: \"0-"},
        {"/empty", "Range: bytes=-5\r\n", 200, 0, "Accept-Ranges: bytes"},
        {"/sub/", "", 200, 5, "ETag: \"5-"},
        {"/sub/b.txt", "", 200, 10, "Content-Type: text/plain"},
        {"/sub/none/", "", 403, 14, ""},
        {"/nothing", "", 404, 14, ""},
        {"/nothing/", "", 404, 14, ""},
        {"/a.txt/", "", 404, 14, ""},
        {"/..", "", 400, 16, ""},
        {"/a.txt", "Range: bytes=1-2\r\n", 206, 2, "Content-Range: bytes 1-2/26"},
        {"/large", "Range: bytes=-7\r\n", 206, 7, "Content-Range: bytes 66529-66535/66536"},
        {"/a.txt", "Range: bytes=26-\r\n", 416, 26, "Content-Range: bytes */26"},
        {"/a.txt", "Range: bytes=0-0,2-2\r\n", 206, 0, "multipart/byteranges; boundary="},
        {"/large", "Range: bytes=0-0,66000-66535\r\n", 206, 0, "multipart/byteranges; boundary="},
        {"/a.txt", "If-None-Match: *\r\n", 304, 0, "ETag: "},
        {"/a.txt", "If-Match: \"x\"\r\n", 412, 24, ""},
    };
    struct stage stage;
    struct call call;

    (void)state;
    for (int way = 0; way < WAY_COUNT; way++) {
        assert_true(stage_open(&stage, NULL));
        px_files *files = files_open(&stage, NULL, (enum way)way);

        /* The second time what was found is in the cache. */
        for (size_t index = 0; index < 2 * sizeof(cases) / sizeof(cases[0]); index++) {
            size_t at = index % (sizeof(cases) / sizeof(cases[0]));

            if (get(&call, &stage, files, cases[at].target, cases[at].fields) != cases[at].status)
                fail_msg("%s: %u", cases[at].target, call.status);
            assert_true(call.done);
            assert_non_null(strstr(call.head, cases[at].has));
            if (cases[at].bytes > 0)
                assert_int_equal(call.content_len, cases[at].bytes);
            call_finish(&call);
        }
        px_files_destroy(files);
        stage_close(&stage);
    }
}

static void methods_are_few(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_files *files = files_open(&stage, NULL, WAY_NOW);

    begin(&call, &stage, files, "HEAD", "/large", "Range: bytes=0-0\r\n");
    pump_until(stage.loop, answered(&call));
    assert_int_equal(call.status, 200);
    assert_int_equal(call.length, LARGE);
    assert_int_equal(call.content_len, 0);
    call_finish(&call);
    begin(&call, &stage, files, "OPTIONS", "/nothing", "");
    assert_true(answered(&call));
    assert_int_equal(call.status, 204);
    assert_non_null(strstr(call.head, "Allow: GET, HEAD, OPTIONS"));
    call_finish(&call);
    begin(&call, &stage, files, "DELETE", "/a.txt", "");
    assert_true(answered(&call));
    assert_int_equal(call.status, 405);
    assert_non_null(strstr(call.head, "Allow: GET, HEAD, OPTIONS"));
    call_finish(&call);
    px_files_destroy(files);
    stage_close(&stage);
}

/* Many ask for one cold file: it is opened once, and all are answered. */
static void waiters_share_a_load(void **state)
{
    struct stage stage;
    struct call calls[20];

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_files *files = files_open(&stage, NULL, WAY_HELPERS);

    for (size_t index = 0; index < 20; index++)
        begin(&calls[index], &stage, files, "GET", "/a.txt", "");
    assert_int_equal(files->cache.entry_count, 1);
    assert_int_equal(files->waiting, 20);
    call_end(&calls[3], PX_END_PEER_GONE); /* does not wait for it */
    for (size_t index = 0; index < 20; index++) {
        if (index == 3)
            continue;
        pump_until(stage.loop, answered(&calls[index]));
        assert_int_equal(calls[index].status, 200);
        assert_int_equal(calls[index].content_len, 26);
    }
    assert_int_equal(files->waiting, 0);
    for (size_t index = 0; index < 20; index++)
        call_finish(&calls[index]);
    px_files_destroy(files);
    stage_close(&stage);
}

/* What the handler ends with in flight: the load finds nobody, the answer keeps what it needs. */
static void it_ends_at_any_moment(void **state)
{
    struct stage stage;
    struct call waits, reads;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_files *files = files_open(&stage, NULL, WAY_NOW);

    begin(&reads, &stage, files, "GET", "/large", "Range: bytes=0-9,11-60000\r\n");
    files->root.no_cached = true;
    begin(&waits, &stage, files, "GET", "/a.txt", "");
    px_files_destroy(files);
    pump_until(stage.loop, answered(&reads));
    assert_int_equal(reads.status, 206);
    call_end(&waits, PX_END_PEER_GONE);
    call_finish(&waits);
    call_finish(&reads);
    pump_quietly(stage.loop, 50);
    stage_close(&stage);
}

static void the_cache_has_bounds(void **state)
{
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    struct stage stage;
    struct call call;
    char name[32];

    (void)state;
    assert_true(stage_open(&stage, NULL));
    options.cache_files_max = 3;
    options.cache_bytes_max = 16 * 1024;
    px_files *files = files_open(&stage, &options, WAY_NOW);

    for (int round = 0; round < 2; round++) {
        for (int index = 0; index < 40; index++) {
            snprintf(name, sizeof(name), "f%d", index);
            if (round == 0)
                put(name, index % 3 == 0 ? LARGE : 2000);
            snprintf(name, sizeof(name), "/f%d", index);
            assert_int_equal(get(&call, &stage, files, name, ""), 200);
            assert_int_equal(call.content_len, index % 3 == 0 ? LARGE : 2000);
            call_finish(&call);
            assert_true(files->cache.file_count <= 3);
            assert_true(files->cache.bytes <= 16 * 1024);
        }
    }
    assert_true(files->cache.entry_count >= 4);
    assert_false(list_empty(&files->cache.used));
    px_files_destroy(files);
    stage_close(&stage);
}

/* Memory and descriptors come back when nobody asks any more. */
static void what_is_not_asked_for_is_let_go(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_files *files = files_open(&stage, NULL, WAY_NOW);

    assert_int_equal(get(&call, &stage, files, "/a.txt", ""), 200);
    call_finish(&call);
    assert_int_equal(get(&call, &stage, files, "/large", ""), 200);
    call_finish(&call);
    assert_true(files->old.holds);
    assert_ptr_equal(files->old.loop, stage.loop);
    uint32_t count = files->cache.entry_count;

    assert_true(count >= 2);
    assert_int_equal(files_cache_age(&files->old), 0);
    assert_int_equal(get(&call, &stage, files, "/a.txt", ""), 200);
    call_finish(&call);
    assert_int_equal(files_cache_age(&files->old), count - 1);
    assert_int_equal(files->cache.entry_count, 1);
    assert_int_equal(files->cache.file_count, 0);
    assert_true(files->old.holds);
    assert_int_equal(files_cache_age(&files->old), 1);
    assert_false(files->old.holds);
    assert_int_equal(files->cache.bytes, 0);
    assert_int_equal(get(&call, &stage, files, "/large", ""), 200);
    call_finish(&call);
    assert_true(files->old.holds);
    px_files_destroy(files);
    assert_true(list_empty(&stage.loop->caches));
    stage_close(&stage);
}

/* The table grows with what is in it, and everything is found again. */
static void the_table_grows(void **state)
{
    struct stage stage;
    char name[32];

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_files *files = files_open(&stage, NULL, WAY_NOW);

    for (int index = 0; index < 2000; index++) {
        snprintf(name, sizeof(name), "%d", index);
        uint64_t hash = files_cache_hash(&files->cache, px_str_of(name));
        struct files_entry *entry = files_entry_create(files, px_str_of(name), NULL, hash);

        assert_non_null(entry);
        entry->outcome = FILES_FILE;
        files_cache_add(files, entry);
        files_entry_put(entry);
    }
    assert_true(files->cache.bucket_count >= 2000);
    for (int index = 0; index < 2000; index++) {
        snprintf(name, sizeof(name), "%d", index);
        uint64_t hash = files_cache_hash(&files->cache, px_str_of(name));

        assert_non_null(files_cache_find(&files->cache, px_str_of(name), NULL, hash));
    }
    px_files_destroy(files);
    stage_close(&stage);
}

static void pages_and_rules(void **state)
{
    static const px_files_page pages[] = {PX_FILES_PAGE(404, "404.html"),
                                          PX_FILES_PAGE(403, "/etc/hostname")};
    static const px_files_rule rules[] = {PX_FILES_RULE("*.txt", "max-age=1"),
                                          PX_FILES_RULE("/sub/*", "no-store")};
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    options.pages = pages;
    options.page_count = 2;
    options.rules = rules;
    options.rule_count = 2;
    px_files *files = files_open(&stage, &options, WAY_HELPERS);

    assert_int_equal(get(&call, &stage, files, "/nothing", ""), 404);
    assert_int_equal(call.content_len, 9);
    assert_null(strstr(call.head, "ETag"));
    call_finish(&call);
    assert_int_equal(get(&call, &stage, files, "/sub/none/", ""), 403);
    assert_int_not_equal(call.content_len, 14);
    call_finish(&call);
    assert_int_equal(get(&call, &stage, files, "/sub/b.txt", ""), 200);
    assert_non_null(strstr(call.head, "Cache-Control: max-age=1\n"));
    call_finish(&call);
    assert_int_equal(get(&call, &stage, files, "/sub/", ""), 200);
    assert_non_null(strstr(call.head, "Cache-Control: no-store\n"));
    call_finish(&call);
    px_files_destroy(files);
    options.spa = "index.html";
    files = files_open(&stage, &options, WAY_NOW);
    assert_int_equal(get(&call, &stage, files, "/some/route", ""), 200);
    assert_int_equal(call.content_len, 20);
    call_finish(&call);
    px_files_destroy(files);
    stage_close(&stage);
}

/* The tag of a file that is there anew. */
static void etag_of(struct stage *stage, const char *target, char out_etag[64])
{
    px_files *files = files_open(stage, NULL, WAY_NOW);
    struct call call;

    begin(&call, stage, files, "HEAD", target, "");
    pump_until(stage->loop, answered(&call));
    assert_int_equal(call.status, 200);
    assert_int_equal(sscanf(strstr(call.head, "ETag: "), "ETag: %63s", out_etag), 1);
    call_finish(&call);
    px_files_destroy(files);
}

/* Tools set one time for all: what tells versions apart is then the content, or what the system
 * says of the file. */
static void tags_tell_versions_apart(void **state)
{
    static const struct {
        size_t bytes;
        time_t modified;
        long modified_ns;
        bool by_content; /* a copy has the same tag */
    } cases[] = {
        {LARGE, 315532800, 0, true},
        {LARGE, 0, 0, true},
        {LARGE, 1, 0, true},
        {FILE_HASHED_BYTES_MAX, 1600000000, 0, true},
        {FILE_HASHED_BYTES_MAX + 1, 1600000000, 0, false},
        {FILE_HASHED_BYTES_MAX + 1, 0, 0, false},
        {100, 0, 0, true},
        {100, 1600000000, 5, true},
    };
    struct stage stage;

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        char first[64], second[64], copy[64];

        assert_true(stage_open(&stage, NULL));
        put_at("tag", "one", cases[index].bytes, cases[index].modified, cases[index].modified_ns);
        etag_of(&stage, "/tag", first);
        put_at("copy", "one", cases[index].bytes, cases[index].modified, cases[index].modified_ns);
        etag_of(&stage, "/copy", copy);
        put_at("tag", "two", cases[index].bytes, cases[index].modified, cases[index].modified_ns);
        etag_of(&stage, "/tag", second);
        assert_string_not_equal(first, second);
        assert_int_equal(strcmp(first, copy) == 0, cases[index].by_content);
        stage_close(&stage);
    }
    /* The system's own time: replicas agree, and nothing is read. */
    char first[64], copy[64];

    assert_true(stage_open(&stage, NULL));
    put_at("tag", "one", LARGE, 1600000000, 7);
    put_at("copy", "one", LARGE, 1600000000, 7);
    etag_of(&stage, "/tag", first);
    etag_of(&stage, "/copy", copy);
    assert_string_equal(first, copy);
    stage_close(&stage);
}

/* A time at the epoch is none. */
static void what_has_no_time_says_none(void **state)
{
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    px_files *files = files_open(&stage, NULL, WAY_NOW);

    for (time_t modified = 0; modified < 3; modified++) {
        char name[16], target[17];

        snprintf(name, sizeof(name), "t%d.txt", (int)modified);
        snprintf(target, sizeof(target), "/%s", name);
        put_at(name, "x", 3, modified, 0);
        assert_int_equal(get(&call, &stage, files, target,
                             "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
                         modified < 2 ? 200 : 304);
        assert_int_equal(strstr(call.head, "Last-Modified: ") == NULL, modified < 2);
        assert_non_null(strstr(call.head, "ETag: \"3-"));
        assert_non_null(strstr(call.head, "Vary: Accept-Encoding\n"));
        call_finish(&call);
    }
    px_files_destroy(files);
    stage_close(&stage);
}

/* Tools that compress give the copy the whole seconds of the file's time. */
static void sidecars_are_as_old_as_their_file(void **state)
{
    static const struct {
        time_t modified;
        long modified_ns;
        bool used;
    } cases[] = {{1600000000, 0, true},
                 {1600000000, 673000000, true},
                 {1600000001, 0, true},
                 {1599999999, 999999999, false}};
    struct stage stage;
    struct call call;

    (void)state;
    put_at("side.txt", "text", 20, 1600000000, 673000001);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        assert_true(stage_open(&stage, NULL));
        px_files *files = files_open(&stage, NULL, WAY_NOW);

        put_at("side.txt.br", "br", 7, cases[index].modified, cases[index].modified_ns);
        assert_int_equal(get(&call, &stage, files, "/side.txt", "Accept-Encoding: br\r\n"), 200);
        assert_int_equal(call.content_len, cases[index].used ? 7 : 20);
        assert_int_equal(strstr(call.head, "Content-Encoding: br\n") != NULL, cases[index].used);
        assert_non_null(strstr(call.head, "Content-Type: text/plain"));
        call_finish(&call);
        px_files_destroy(files);
        stage_close(&stage);
    }
}

static void the_fallback_is_for_pages(void **state)
{
    static const struct {
        const char *target, *fields;
        unsigned status;
    } cases[] = {
        {"/some/route", "", 200},
        {"/some/route/", "", 200},
        {"/v1.2/route", "Accept: */*\r\n", 200},
        {"/assets/x.js", "", 404},
        {"/assets/x.js", "Accept: */*\r\n", 404},
        {"/assets/x.js", "Accept: text/*\r\n", 404},
        {"/user/jane.doe", "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n", 200},
        {"/user/jane.doe", "Accept: text/html;q=0, */*\r\n", 404},
        {"/user/jane.doe", "Sec-Fetch-Dest: document\r\n", 200},
        {"/user/jane", "Sec-Fetch-Dest: script\r\n", 404},
        {"/user/jane", "Sec-Fetch-Dest: image\r\nAccept: text/html\r\n", 404},
        {"/.git/config", "Accept: text/html\r\n", 404},
        {"/assets/x%2ejs", "", 404},
        {"/assets%2fx.js", "", 404},
        {"/assets/x.js/.", "", 200},
        {"/v1.2%2froute", "", 200},
    };
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    struct stage stage;
    struct call call;

    (void)state;
    assert_true(stage_open(&stage, NULL));
    options.spa = "index.html";
    px_files *files = files_open(&stage, &options, WAY_NOW);

    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        if (get(&call, &stage, files, cases[index].target, cases[index].fields) !=
            cases[index].status)
            fail_msg("%s %s: %u", cases[index].target, cases[index].fields, call.status);
        call_finish(&call);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 16);
    px_files_destroy(files);
    stage_close(&stage);
}

static void types_and_fields_are_given(void **state)
{
    static const px_files_type types[] = {PX_FILES_TYPE("txt", "text/x-own"),
                                          PX_FILES_TYPE("TXT", "text/x-late"),
                                          PX_FILES_TYPE("q", "a/b")};
    static const px_field fields[] = {{{"X-A", 3}, {"1", 1}}, {{"Server", 6}, {"me", 2}}};
    static const struct {
        const char *charset, *target, *type;
    } cases[] = {
        {NULL, "/", "text/html; charset=utf-8"},
        {"iso-8859-1", "/", "text/html; charset=iso-8859-1"},
        {"", "/", "text/html"},
        {"koi8-r", "/a.txt", "text/x-own"},
        {"koi8-r", "/sub/b.TXT", "text/x-own"},
        {"koi8-r", "/x.q", "a/b"},
        {"koi8-r", "/large", "application/octet-stream"},
    };
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    struct stage stage;
    struct call call;

    (void)state;
    put("x.q", 3);
    put("sub/b.TXT", 3);
    options.types = types;
    options.type_count = 3;
    options.fields = fields;
    options.field_count = 2;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        char line[128];

        assert_true(stage_open(&stage, NULL));
        options.charset = cases[index].charset;
        px_files *files = files_open(&stage, &options, WAY_NOW);

        snprintf(line, sizeof(line), "Content-Type: %s\n", cases[index].type);
        for (int round = 0; round < 2; round++) {
            assert_int_equal(get(&call, &stage, files, cases[index].target, ""), 200);
            assert_non_null(strstr(call.head, line));
            assert_non_null(strstr(call.head, "X-A: 1\n"));
            call_finish(&call);
        }
        assert_int_equal(get(&call, &stage, files, "/nothing", ""), 404);
        assert_non_null(strstr(call.head, "X-A: 1\n"));
        call_finish(&call);
        assert_int_equal(get(&call, &stage, files, "/a.txt", "If-None-Match: *\r\n"), 304);
        assert_non_null(strstr(call.head, "Server: me\n"));
        call_finish(&call);
        px_files_destroy(files);
        stage_close(&stage);
    }
}

static void setup_refuses_types_and_fields(void **state)
{
    static const px_files_type types[] = {PX_FILES_TYPE("", "a/b"), PX_FILES_TYPE(".q", "a/b"),
                                          PX_FILES_TYPE("q", "ab"), PX_FILES_TYPE("q", "a/b\n")};
    static const char *const charsets[] = {"a b", "utf-8;x",
                                           "0123456789012345678901234567890123456789x"};
    static const char *const names[] = {
        "Content-Length", "content-type", "ETag", "Transfer-Encoding",
        "Last-Modified",  "a b",          "",     "Location"};
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    px_error error;

    (void)state;
    for (size_t index = 0; index < sizeof(types) / sizeof(types[0]); index++) {
        options = px_files_options_default();
        options.types = &types[index];
        options.type_count = 1;
        assert_null(px_files_create(place, &options, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
    }
    for (size_t index = 0; index < sizeof(charsets) / sizeof(charsets[0]); index++) {
        options = px_files_options_default();
        options.charset = charsets[index];
        assert_null(px_files_create(place, &options, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
    }
    for (size_t index = 0; index < sizeof(names) / sizeof(names[0]); index++) {
        px_field field = {px_str_of(names[index]), px_str_of("x")};

        options = px_files_options_default();
        options.fields = &field;
        options.field_count = 1;
        assert_null(px_files_create(place, &options, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
    }
}

/* Entries of a version that has one member more, and of one that is not known. */
struct rule_of_later {
    px_files_rule now;
    const void *later;
};

struct page_of_later {
    px_files_page now;
    const void *later;
};

struct type_of_later {
    px_files_type now;
    const void *later;
};

#define LATER(type, ...)                 \
    {                                    \
        sizeof(struct type), __VA_ARGS__ \
    }

static void setup_reads_entries_of_other_versions(void **state)
{
    struct rule_of_later rules[] = {{LATER(rule_of_later, "*.css", "no-store"), NULL},
                                    {LATER(rule_of_later, "*.txt", "max-age=7"), NULL}};
    struct page_of_later pages[] = {{LATER(page_of_later, 403, "a.txt"), NULL},
                                    {LATER(page_of_later, 404, "a.txt"), NULL}};
    struct type_of_later types[] = {{LATER(type_of_later, "r", "x/r"), NULL},
                                    {LATER(type_of_later, "q", "x/q"), NULL}};
    size_t *const sizes[] = {&rules[0].now.struct_size, &rules[1].now.struct_size,
                             &pages[0].now.struct_size, &pages[1].now.struct_size,
                             &types[0].now.struct_size, &types[1].now.struct_size};
    const void **const later[] = {&rules[0].later, &rules[1].later, &pages[0].later,
                                  &pages[1].later, &types[0].later, &types[1].later};
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    px_error error;

    (void)state;
    options.rules = &rules[0].now;
    options.pages = &pages[0].now;
    options.types = &types[0].now;
    options.rule_count = options.page_count = options.type_count = 2;
    px_files *files = px_files_create(place, &options, &error);

    assert_non_null(files);
    assert_string_equal(files->rules[1].pattern, "*.txt");
    assert_string_equal(files->rules[1].value, "max-age=7");
    assert_int_equal(files->pages[1].status, 404);
    px_files_destroy(files);
    for (size_t index = 0; index < ARRAY_COUNT(sizes); index++) {
        static const size_t wrong[] = {0, 1, sizeof(size_t) - 1, sizeof(size_t) * 100};
        size_t right = *sizes[index];

        *later[index] = place; /* what is not known is asked for */
        assert_null(px_files_create(place, &options, &error));
        assert_int_equal(error.code, PX_ERR_INVALID);
        assert_non_null(strstr(error.text, "struct_size"));
        *later[index] = NULL;
        for (size_t at = 0; at < ARRAY_COUNT(wrong) - (index % 2 == 0); at++) {
            *sizes[index] = wrong[at];
            assert_null(px_files_create(place, &options, &error));
            assert_int_equal(error.code, PX_ERR_INVALID);
        }
        *sizes[index] = right;
    }
}

static void setup_says_what_is_wrong(void **state)
{
    static const char *const bad_index[] = {"a/b"};
    static const px_files_rule bad_rule[] = {PX_FILES_RULE("*", "a\r\nb: c")};
    static const px_files_page bad_page[] = {PX_FILES_PAGE(200, "a.txt")},
                               gone[] = {PX_FILES_PAGE(404, "nothing")};
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    px_error error;

    (void)state;
    assert_null(px_files_create("/no/such", NULL, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    options.indexes = bad_index;
    options.index_count = 1;
    assert_null(px_files_create(place, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    options = px_files_options_default();
    options.rules = bad_rule;
    options.rule_count = 1;
    assert_null(px_files_create(place, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    options = px_files_options_default();
    options.pages = bad_page;
    options.page_count = 1;
    assert_null(px_files_create(place, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    options.pages = gone;
    assert_null(px_files_create(place, &options, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    options = px_files_options_default();
    options.spa = "nothing.html";
    assert_null(px_files_create(place, &options, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "nothing.html"));
    options.struct_size = 1;
    assert_null(px_files_create(place, &options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    px_files_destroy(NULL);
}

/* A pattern that is like no path is a mistake. */
static void a_pattern_of_a_path_begins_with_a_slash(void **state)
{
    static const struct {
        const char *pattern;
        bool is_good;
    } cases[] = {
        {"/assets/*", true}, {"*/assets/*", true}, {"?assets/*", true}, {"*.css", true},
        {"a.css", true},     {"assets/*", false},  {"a/", false},       {"./a", false},
    };
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    px_error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const px_files_rule rule = PX_FILES_RULE(cases[i].pattern, "max-age=1");

        options.rules = &rule;
        options.rule_count = 1;
        px_files *files = px_files_create(place, &options, &error);

        if (!files != !cases[i].is_good)
            fail_msg("%s: %s", cases[i].pattern, error.text);
        px_files_destroy(files);
    }
    assert_int_equal(ARRAY_COUNT(cases), 8);
    assert_string_equal(error.text, "./a=max-age=1: a pattern with a slash is of the whole path, "
                                    "which begins with one: /./a");
}

/* Everything once, with every allocation failing: an answer or a broken exchange, and no leak. */
static void run_all(const px_allocator *allocator, void *context)
{
    static const char *const targets[] = {"/a.txt", "/large", "/sub", "/nothing", "/sub/none/"};
    static const px_files_page pages[] = {PX_FILES_PAGE(404, "404.html")};
    static const px_files_rule rules[] = {PX_FILES_RULE("*.txt", "max-age=1")};
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    struct stage stage;
    struct call call;
    px_error error;
    char head[256];

    if (!stage_open(&stage, allocator))
        return;
    options.allocator = allocator;
    options.pages = pages;
    options.page_count = 1;
    options.rules = rules;
    options.rule_count = 1;
    options.charset = "koi8-r";
    options.types = &(px_files_type)PX_FILES_TYPE("q", "a/b");
    options.type_count = 1;
    options.fields = &(px_field){{"X", 1}, {"y", 1}};
    options.field_count = 1;
    px_files *files = px_files_create(place, &options, &error);

    if (!files)
        assert_int_equal(error.code, PX_ERR_MEMORY);
    for (size_t index = 0; files && index < 2 * sizeof(targets) / sizeof(targets[0]); index++) {
        files->root.no_cached = context != NULL;
        snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 targets[index % (sizeof(targets) / sizeof(targets[0]))],
                 index % 2 ? "Range: bytes=0-0,3-4\r\n" : "");
        if (call_begin(&call, &stage, head, px_files_handle, files))
            pump_until(stage.loop, answered(&call));
        pump_once(stage.loop, 0); /* what has ended says so, without a wait for an event */
        call_finish(&call);
    }
    px_files_destroy(files);
    pump_once(stage.loop, 0);
    stage_close(&stage);
}

static void allocations_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("files", run_all, NULL) >= 30);
    assert_true(fault_alloc_each("files by helpers", run_all, place) >= 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match),
        cmocka_unit_test(routes_leave_paths_open),
        cmocka_unit_test(requests_are_answered),
        cmocka_unit_test(methods_are_few),
        cmocka_unit_test(waiters_share_a_load),
        cmocka_unit_test(it_ends_at_any_moment),
        cmocka_unit_test(the_cache_has_bounds),
        cmocka_unit_test(what_is_not_asked_for_is_let_go),
        cmocka_unit_test(the_table_grows),
        cmocka_unit_test(pages_and_rules),
        cmocka_unit_test(setup_reads_entries_of_other_versions),
        cmocka_unit_test(setup_says_what_is_wrong),
        cmocka_unit_test(a_pattern_of_a_path_begins_with_a_slash),
        cmocka_unit_test(tags_tell_versions_apart),
        cmocka_unit_test(types_and_fields_are_given),
        cmocka_unit_test(what_is_beneath_a_route),
        cmocka_unit_test(setup_refuses_types_and_fields),
        cmocka_unit_test(what_has_no_time_says_none),
        cmocka_unit_test(sidecars_are_as_old_as_their_file),
        cmocka_unit_test(the_fallback_is_for_pages),
        cmocka_unit_test(allocations_may_fail),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
