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
static void path_is(struct stage *stage, const char *pattern, const char *target, unsigned status,
                    const char *path)
{
    struct call call;
    char head[512];
    px_str found;

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
    assert_true(call_make(&call, stage, head));
    call.exchange->pattern = pattern;
    unsigned is = files_path(call.exchange, &found);

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
    path_is(&stage, "/", "/a%2fb", 400, NULL);
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
        {"/sub", "", 301, 0, "Location: /sub/"},
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
    static const px_files_page pages[] = {{404, "404.html"}, {403, "/etc/hostname"}};
    static const px_files_rule rules[] = {{"*.txt", "max-age=1"}, {"/sub/*", "no-store"}};
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

static void setup_says_what_is_wrong(void **state)
{
    static const char *const bad_index[] = {"a/b"};
    static const px_files_rule bad_rule[] = {{"*", "a\r\nb: c"}};
    static const px_files_page bad_page[] = {{200, "a.txt"}}, gone[] = {{404, "nothing"}};
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

/* Everything once, with every allocation failing: an answer or a broken exchange, and no leak. */
static void run_all(const px_allocator *allocator, void *context)
{
    static const char *const targets[] = {"/a.txt", "/large", "/sub", "/nothing", "/sub/none/"};
    static const px_files_page pages[] = {{404, "404.html"}};
    static const px_files_rule rules[] = {{"*.txt", "max-age=1"}};
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
        cmocka_unit_test(globs_match),           cmocka_unit_test(routes_leave_paths_open),
        cmocka_unit_test(requests_are_answered), cmocka_unit_test(methods_are_few),
        cmocka_unit_test(waiters_share_a_load),  cmocka_unit_test(it_ends_at_any_moment),
        cmocka_unit_test(the_cache_has_bounds),  cmocka_unit_test(the_table_grows),
        cmocka_unit_test(pages_and_rules),       cmocka_unit_test(setup_says_what_is_wrong),
        cmocka_unit_test(allocations_may_fail),
    };

    return cmocka_run_group_tests(tests, make, unmake);
}
