/*
 * Listing a folder: the order of names, what is shown and what is not, the page and the JSON byte
 * for byte, views, validators, bounds, and failing allocations.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/files/files_listing.h"
#include "unit/exchange/double.h"

/* --- A folder to serve ------------------------------------------------------------------------ */

struct site {
    char path[64];
    struct stage stage;
    px_files *files;
};

static void site_file(const struct site *site, const char *name, size_t bytes, time_t modified)
{
    char path[512];
    struct timespec times[2] = {{modified, 0}, {modified, 0}};

    snprintf(path, sizeof(path), "%s/%s", site->path, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0644);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
}

static void site_folder(const struct site *site, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", site->path, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void site_link(const struct site *site, const char *to, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", site->path, name);
    assert_int_equal(symlink(to, path), 0);
}

static void site_make(struct site *site)
{
    memset(site, 0, sizeof(*site));
    snprintf(site->path, sizeof(site->path), "/tmp/pollux-listing-XXXXXX");
    assert_non_null(mkdtemp(site->path));
}

static void site_remove(const struct site *site)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf -- '%s'", site->path);
    assert_int_equal(system(command), 0);
}

static void site_open(struct site *site)
{
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    px_error error;

    options.listing = 1;
    assert_true(stage_open(&site->stage, NULL));
    options.allocator = &site->stage.loop->allocator;
    site->files = px_files_create(site->path, &options, &error);
    assert_non_null(site->files);
}

static void site_close(struct site *site)
{
    assert_int_equal(site->files->listing_count, 0);
    assert_int_equal(site->files->listing_bytes, site->files->listing_kept);
    assert_int_equal(site->files->listing_streams, 0);
    px_files_destroy(site->files);
    stage_close(&site->stage);
    site_remove(site);
}

/* Drives until the answer is whole or there is none. */
static void call_wait(struct call *call)
{
    for (int turn = 0; turn < 1000 && !call->done && call->exchange; turn++) {
        call_drive(call);
        if (!call->done && call->exchange)
            pump_once(call->stage->loop, 10);
    }
}

static void ask(struct site *site, struct call *call, const char *target, const char *fields)
{
    static char head[2048];

    snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\nHost: example.com\r\n%s\r\n", target, fields);
    assert_true(call_begin(call, &site->stage, head, px_files_handle, site->files));
    call_wait(call);
    assert_true(call->done);
}

static bool content_has(const struct call *call, const char *needle)
{
    return memmem(call->content, call->content_len, needle, strlen(needle)) != NULL;
}

/* Whether `needles` stand in the content, in that order. */
static void assert_order(const struct call *call, const char *const *needles)
{
    const char *at = call->content;
    const char *end = at + call->content_len;

    for (; *needles; needles++) {
        at = memmem(at, (size_t)(end - at), *needles, strlen(*needles));
        if (!at)
            fail_msg("no %s in %.*s", *needles, (int)call->content_len, call->content);
        at += strlen(*needles);
    }
}

/* --- Names ------------------------------------------------------------------------------------ */

static void names_are_sorted_as_people_do(void **state)
{
    static const char *const sorted[] = {
        "",
        "#a",
        "0",
        "01",
        "1",
        "2",
        "10",
        "a",
        "A1",
        "a1b",
        "A2",
        "a02b",
        "a10",
        "a10b",
        "a99999999999999999999",
        "a100000000000000000000",
        "aa",
        "B",
        "b",
        "file 9.txt",
        "file 10.txt",
        "\xff",
    };
    size_t count = sizeof(sorted) / sizeof(sorted[0]);

    (void)state;
    for (size_t left = 0; left < count; left++) {
        for (size_t right = 0; right < count; right++) {
            int order = listing_name_compare(sorted[left], sorted[right]);

            if ((left < right && order >= 0) || (left > right && order <= 0) ||
                (left == right && order != 0))
                fail_msg("%s and %s: %d", sorted[left], sorted[right], order);
        }
    }
}

/* --- Pages ------------------------------------------------------------------------------------ */

static void a_folder_is_a_page(void **state)
{
    struct site site;
    struct call call;
    char path[512];

    (void)state;
    site_make(&site);
    site_folder(&site, "sub");
    site_folder(&site, "sub/a b");
    site_file(&site, "sub/a b/x<y>&\"z.txt", 1536, 1700000000);
    site_file(&site, "sub/a b/latin\xe9.png", 10, 0);
    site_file(&site, "sub/a b/javascript:alert(1)", 1048576, 1);
    site_file(&site, "sub/a b/.hidden", 1, 1);
    snprintf(path, sizeof(path), "%s/sub/a b/pipe", site.path);
    assert_int_equal(mkfifo(path, 0644), 0);
    site_link(&site, "../../sub/a b/javascript:alert(1)", "sub/a b/inside.zip");
    site_link(&site, "/etc/passwd", "sub/a b/outside");
    site_link(&site, "nowhere", "sub/a b/dangling");
    site_open(&site);
    ask(&site, &call, "/sub/a%20b/", "");
    assert_int_equal(call.status, 200);
    assert_int_equal(call.length, call.content_len);
    assert_non_null(strstr(call.head, "Content-Type: text/html; charset=utf-8\n"));
    assert_non_null(
        strstr(call.head, "Content-Security-Policy: default-src 'none'; style-src 'sha256-"));
    assert_non_null(strstr(call.head, "Vary: Accept, Accept-Encoding\n"));
    assert_non_null(strstr(call.head, "Cache-Control: no-cache\n"));
    assert_order(
        &call,
        (const char *const[]){
            "<title>example.com/sub/a b/</title>",
            "<li><a href=\"../../\"><bdi>example.com</bdi></a></li>",
            "<li><a href=\"../\"><bdi>sub</bdi></a></li>",
            "<li aria-current=\"page\"><h1><bdi>a b</bdi></h1></li>",
            "<th scope=\"col\" aria-sort=\"ascending\"><a href=\"?sort=name&amp;order=desc\">Name",
            "<th scope=\"col\"><a href=\"?sort=size&amp;order=desc\">Size",
            "<th scope=\"col\"><a href=\"?sort=date&amp;order=desc\">Modified", "<a href=\"../\">",
            "<tr><td><a href=\"./inside.zip\"><svg aria-hidden=\"true\"><use href=\"#z\"/></svg>"
            "<bdi>inside.zip</bdi></a></td><td>1.0 MiB</td>",
            "<tr><td><a href=\"./javascript%3Aalert%281%29\"><svg aria-hidden=\"true\"><use "
            "href=\"#f\"/></svg><bdi>javascript:alert(1)</bdi></a></td><td>1.0 MiB</td><td><time "
            "datetime=\"1970-01-01T00:00:01Z\">1970-01-01 <span>00:00</span></time></td></tr>\n",
            "<a href=\"./latin%E9.png\"><svg aria-hidden=\"true\"><use href=\"#i\"/></svg><bdi>"
            "latin\xef\xbf\xbd.png</bdi></a></td><td>10 B</td>",
            "<a href=\"./x%3Cy%3E%26%22z.txt\"><svg aria-hidden=\"true\"><use href=\"#t\"/></svg>"
            "<bdi>x&lt;y&gt;&amp;&quot;z.txt</bdi></a></td><td>1.5 KiB</td><td><time "
            "datetime=\"2023-11-14T22:13:20Z\">2023-11-14 <span>22:13</span></time>",
            "<footer>0 folders, 4 files, 2.0 MiB. Times are UTC.</footer>", NULL});
    assert_false(content_has(&call, ".hidden"));
    assert_false(content_has(&call, "pipe"));
    assert_false(content_has(&call, "outside"));
    assert_false(content_has(&call, "dangling"));
    assert_false(content_has(&call, "role=\"note\""));
    call_finish(&call);
    ask(&site, &call, "/", "");
    assert_order(
        &call, (const char *const[]){"<title>example.com/</title>",
                                     "<li><h1><bdi>example.com</bdi></h1></li>",
                                     "<tr><td><a href=\"./sub/\"><svg aria-hidden=\"true\"><use "
                                     "href=\"#d\"/></svg><bdi>sub/</bdi></a></td><td>&mdash;</td>",
                                     "<footer>1 folder, 0 files, 0 B.", NULL});
    assert_false(content_has(&call, "<bdi>Up</bdi>"));
    call_finish(&call);
    site_close(&site);
}

static void views_sort(void **state)
{
    static const struct {
        const char *query;
        const char *order[5];
        const char *sorted; /* of a column's head */
    } cases[] = {
        {"", {"sub/", "a9x", "a10", "c"}, "ascending\"><a href=\"?sort=name&amp;order=desc"},
        {"?order=desc",
         {"sub/", "c", "a10", "a9x"},
         "descending\"><a href=\"?sort=name&amp;order=asc"},
        {"?sort=size",
         {"sub/", "a9x", "c", "a10"},
         "descending\"><a href=\"?sort=size&amp;order=asc"},
        {"?sort=size&order=asc",
         {"sub/", "a10", "c", "a9x"},
         "ascending\"><a href=\"?sort=size&amp;order=desc"},
        {"?sort=date&order=desc",
         {"sub/", "a9x", "a10", "c"},
         "descending\"><a href=\"?sort=date&amp;order=asc"},
        {"?order=asc&sort=date",
         {"sub/", "c", "a9x", "a10"},
         "ascending\"><a href=\"?sort=date&amp;order=desc"},
        {"?sort=%3Cscript%3E&order=x",
         {"sub/", "a9x", "a10", "c"},
         "ascending\"><a href=\"?sort=name&amp;order=desc"},
    };
    struct site site;

    (void)state;
    site_make(&site);
    site_folder(&site, "sub");
    site_file(&site, "a10", 1, 300);
    site_file(&site, "a9x", 3000, 300);
    site_file(&site, "c", 20, 100);
    site_open(&site);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        const char *needles[6] = {cases[index].sorted};
        char names[4][64];
        char target[64];
        struct call call;

        snprintf(target, sizeof(target), "/%s", cases[index].query);
        ask(&site, &call, target, "");
        for (int name = 0; name < 4; name++) {
            snprintf(names[name], sizeof(names[name]), "<bdi>%s</bdi>", cases[index].order[name]);
            needles[name + 1] = names[name];
        }
        assert_order(&call, needles);
        assert_false(content_has(&call, "<script"));
        /* A folder is opened in the same view. */
        if (index == 3)
            assert_true(content_has(&call, "href=\"./sub/?sort=size&amp;order=asc\""));
        call_finish(&call);
    }
    site_close(&site);
}

static void programs_get_json(void **state)
{
    struct site site;
    struct call call;

    (void)state;
    site_make(&site);
    site_folder(&site, "a");
    site_folder(&site, "a/b");
    site_file(&site, "a/q\"\\.txt", 12345, 1700000000);
    site_open(&site);
    ask(&site, &call, "/a/", "Accept: application/json, text/html;q=0.9\r\n");
    assert_non_null(strstr(call.head, "Content-Type: application/json\n"));
    assert_non_null(strstr(call.head, "Vary: Accept, Accept-Encoding\n"));
    assert_order(
        &call,
        (const char *const[]){
            "{\"path\":\"/a/\",\"entries\":[\n{\"name\":\"b\",\"href\":"
            "\"./b/\",\"type\":\"folder\",\"modified\":\"",
            "Z\"},\n{\"name\":\"q\\\"\\\\.txt\",\"href\":\"./q%22%5C.txt\",\"type\":"
            "\"file\",\"size\":12345,\"modified\":\"2023-11-14T22:13:20Z\"}\n],\"count\":2}\n",
            NULL});
    call_finish(&call);
    ask(&site, &call, "/a/b/", "Accept: application/json\r\n");
    assert_str_equal(call_content(&call),
                     LITERAL("{\"path\":\"/a/b/\",\"entries\":[\n],\"count\":0}\n"));
    call_finish(&call);
    ask(&site, &call, "/a/b/", "Accept: */*\r\n");
    assert_true(content_has(&call, "Nothing is in this folder."));
    call_finish(&call);
    site_close(&site);
}

static void a_page_that_is_known_is_not_sent_again(void **state)
{
    struct site site;
    struct call call;
    char fields[256];
    char etag[64];

    (void)state;
    site_make(&site);
    site_file(&site, "x", 1, 1);
    site_open(&site);
    ask(&site, &call, "/", "");
    assert_int_equal(sscanf(strstr(call.head, "ETag: "), "ETag: %63s", etag), 1);
    call_finish(&call);
    snprintf(fields, sizeof(fields), "If-None-Match: %s\r\n", etag);
    ask(&site, &call, "/", fields);
    assert_int_equal(call.status, 304);
    assert_int_equal(call.content_len, 0);
    assert_non_null(strstr(call.head, etag));
    assert_non_null(strstr(call.head, "Vary: Accept, Accept-Encoding\n"));
    call_finish(&call);
    ask(&site, &call, "/", "If-Match: \"other\"\r\n");
    assert_int_equal(call.status, 412);
    call_finish(&call);
    ask(&site, &call, "/", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n");
    assert_int_equal(call.status, 200);
    call_finish(&call);
    site_close(&site);
}

/* --- Bounds ----------------------------------------------------------------------------------- */

/* Any number of names, in order, in pieces that fit into the same memory. */
static void a_long_folder_comes_in_pieces(void **state)
{
    enum { NAMES = 2 * LISTING_PIECE_MAX + 50 };
    static const struct listing_view views[] = {{LISTING_BY_NAME, false, false},
                                                {LISTING_BY_NAME, true, true},
                                                {LISTING_BY_SIZE, true, true}};
    struct files_entry *entry = calloc(1, sizeof(*entry) + 1);
    struct site site;
    char name[32];

    (void)state;
    assert_non_null(entry);
    site_make(&site);
    for (int index = 0; index < NAMES; index++) {
        snprintf(name, sizeof(name), "%d", index);
        site_file(&site, name, (size_t)index, 0);
    }
    entry->fd = open(site.path, O_RDONLY | O_DIRECTORY);
    for (size_t view = 0; view < sizeof(views) / sizeof(views[0]); view++) {
        struct listing listing = {.view = views[view], .path = LITERAL("")};
        int next = views[view].descending ? NAMES - 1 : 0, pieces = 0;

        do {
            struct buf out;

            listing_init(&listing, &alloc_libc);
            buf_init(&out, &alloc_libc, LISTING_BYTES_MAX);
            listing.after = listing.last;
            listing.last = (struct listing_mark){0};
            listing.more = false;
            listing.count = 0;
            assert_int_equal(listing_read(&listing, entry), PX_OK);
            assert_true(listing.count <= LISTING_PIECE_MAX);
            for (uint32_t index = 0; index < listing.count; index++) {
                assert_int_equal(
                    strtol(listing_name(&listing, &listing_items(&listing)[index]).ptr, NULL, 10),
                    next);
                next += views[view].descending ? -1 : 1;
            }
            assert_int_equal(views[view].json ? listing_json_rows(&listing, &out)
                                              : listing_page_rows(&listing, &out),
                             PX_OK);
            pieces++;
            if (!listing.more)
                assert_non_null(memmem(out.ptr, out.len,
                                       views[view].json ? "\"count\":20050}" : "20050 files", 11));
            listing_deinit(&listing);
            buf_deinit(&out);
        } while (listing.more);
        assert_int_equal(pieces, 3);
        assert_int_equal(listing.totals.files, NAMES);
    }
    close(entry->fd);
    free(entry);
    site_remove(&site);
}

/* Rows that do not fit are those of the next piece. */
static void what_does_not_fit_follows(void **state)
{
    struct files_entry *entry = calloc(1, sizeof(*entry) + 1);
    struct site site;
    char name[32];

    (void)state;
    assert_non_null(entry);
    site_make(&site);
    for (int index = 0; index < 40; index++) {
        snprintf(name, sizeof(name), "n%d", index);
        site_file(&site, name, 1, 0);
    }
    entry->fd = open(site.path, O_RDONLY | O_DIRECTORY);
    for (size_t room = 0; room < 4000; room += 399) {
        struct listing listing = {.view = {.json = true}, .path = LITERAL("")};
        uint64_t rows = 0;
        px_err err;

        do {
            struct buf out;

            listing_init(&listing, &alloc_libc);
            buf_init(&out, &alloc_libc, room);
            listing.after = listing.last;
            listing.last = (struct listing_mark){0};
            listing.more = false;
            listing.count = 0;
            assert_int_equal(listing_read(&listing, entry), PX_OK);
            err = listing_json_rows(&listing, &out);
            rows += listing.count;
            listing_deinit(&listing);
            buf_deinit(&out);
        } while (err == PX_OK && listing.more);
        assert_int_equal(err, room < 700 ? PX_ERR_LIMIT : PX_OK);
        assert_int_equal(err == PX_OK ? rows : 40, 40);
        assert_int_equal(err == PX_OK ? listing.totals.files : 40, 40);
    }
    close(entry->fd);
    free(entry);
    site_remove(&site);
}

/* Whoever asks, and as whatever host, waits for the same work; of different work there is one at a
 * time, so that files keep their helper threads; and what was made is kept. */
static void the_same_work_is_done_once(void **state)
{
    static const char *const views[] = {"", "?order=desc", "?sort=size", "?sort=date", "sub/"};
    enum { CALLS = 50 };
    struct call calls[CALLS];
    struct site site;
    char head[256];

    (void)state;
    site_make(&site);
    site_file(&site, "x", 1, 1);
    site_folder(&site, "sub");
    site_open(&site);
    for (int index = 0; index < CALLS; index++) {
        snprintf(head, sizeof(head), "%s /%s HTTP/1.1\r\nHost: h%d\r\n%s\r\n",
                 index % 2 ? "HEAD" : "GET", views[index % 5], index,
                 index % 3 ? "" : "If-None-Match: *\r\n");
        assert_true(call_begin(&calls[index], &site.stage, head, px_files_handle, site.files));
    }
    pump_until(site.stage.loop, site.files->listing_count > 0 || site.files->waiting == 0);
    assert_true(site.files->listing_count <= 5); /* none: they were made meanwhile */
    for (int index = 0; index < CALLS; index++) {
        uint32_t queued = 0;

        for (struct list *at = site.files->listing_queue.next; at != &site.files->listing_queue;
             at = at->next)
            queued++;
        assert_int_equal(queued + site.files->listing_busy, site.files->listing_count);
        call_wait(&calls[index]);
        assert_int_equal(calls[index].status, index % 3 ? 200 : 304);
        call_finish(&calls[index]);
    }
    assert_int_equal(site.files->listing_page_count, 5);
    /* Now without a helper. */
    ask(&site, &calls[0], "/", "");
    assert_int_equal(site.files->listing_page_count, 5);
    assert_true(content_has(&calls[0], "<bdi>x</bdi>"));
    call_finish(&calls[0]);
    /* Until the folder changes. */
    site_file(&site, "y", 1, 1);
    ask(&site, &calls[0], "/", "");
    assert_true(content_has(&calls[0], "<bdi>y</bdi>"));
    call_finish(&calls[0]);
    site_close(&site);
}

static void too_many_at_once_are_refused(void **state)
{
    struct site site;
    struct call call;

    (void)state;
    site_make(&site);
    site_file(&site, "x", 1, 1);
    site_open(&site);
    site.files->old.check = NULL; /* the counts that follow are made up */
    site.files->listing_count = LISTING_COUNT_MAX;
    ask(&site, &call, "/", "");
    assert_int_equal(call.status, 503);
    call_finish(&call);
    site.files->listing_count = 0;
    site.files->listing_bytes += LISTING_BYTES_TOTAL_MAX;
    ask(&site, &call, "/", "");
    assert_int_equal(call.status, 503);
    call_finish(&call);
    site.files->listing_bytes -= LISTING_BYTES_TOTAL_MAX;
    site_close(&site);
}

/* A client that goes while the helper is at it. */
static void a_client_that_leaves_is_forgotten(void **state)
{
    struct site site;
    struct call call;

    (void)state;
    site_make(&site);
    site_file(&site, "x", 1, 1);
    site_open(&site);
    assert_true(call_begin(&call, &site.stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", px_files_handle,
                           site.files));
    call_end(&call, PX_END_PEER_GONE);
    call_finish(&call);
    pump_until(site.stage.loop, site.files->listing_count == 0 && site.files->waiting == 0);
    site_close(&site);
}

/* Files stay in the cache, and counted, however often folders are listed between them. */
static void files_stay_beside_listings(void **state)
{
    static const char *const targets[] = {"/a.bin", "/", "/sub/", "/", "/b.bin"};
    struct site site;

    (void)state;
    site_make(&site);
    site_folder(&site, "sub");
    site_file(&site, "a.bin", FILE_SMALL_BYTES_MAX + 1, 1700000000);
    site_file(&site, "b.bin", FILE_SMALL_BYTES_MAX + 1, 1700000000);
    site_open(&site);
    for (size_t index = 0; index < sizeof(targets) / sizeof(targets[0]); index++) {
        struct call call;

        ask(&site, &call, targets[index], "");
        assert_int_equal(call.status, 200);
        call_finish(&call);
    }
    assert_int_equal(site.files->cache.file_count, 2);
    assert_int_equal(site.files->cache.entry_count, 2);
    site_close(&site);
}

static void sizes_are_rounded_down(void **state)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } cases[] = {
        {0, "<td>0 B</td>"},
        {1023, "<td>1023 B</td>"},
        {1024, "<td>1.0 KiB</td>"},
        {10239, "<td>9.9 KiB</td>"},
        {10240, "<td>10 KiB</td>"},
        {1048575, "<td>1023 KiB</td>"},
        {1048576, "<td>1.0 MiB</td>"},
        {UINT64_C(5) << 30, "<td>5.0 GiB</td>"},
        {INT64_MAX, "<td>7.9 EiB</td>"},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct listing_item item = {.size = cases[index].bytes, .name_len = 1};
        struct listing listing = {.path = LITERAL(""), .count = 1};
        struct buf out;

        buf_init(&listing.names, &alloc_libc, 16);
        buf_init(&listing.items, &alloc_libc, 64);
        buf_init(&out, &alloc_libc, LISTING_BYTES_MAX);
        assert_int_equal(buf_append(&listing.names, px_str_make("x", 2)), PX_OK);
        assert_int_equal(buf_append(&listing.items, px_str_make((const char *)&item, sizeof(item))),
                         PX_OK);
        assert_int_equal(listing_page_rows(&listing, &out), PX_OK);
        assert_non_null(memmem(out.ptr, out.len, cases[index].text, strlen(cases[index].text)));
        buf_deinit(&listing.names);
        buf_deinit(&listing.items);
        buf_deinit(&out);
    }
}

static void run_with_failures(const px_allocator *allocator, void *context)
{
    static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const struct site *site = context;
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;
    struct stage stage;

    options.listing = 1;
    options.allocator = allocator;
    if (!stage_open(&stage, allocator))
        return;
    px_files *files = px_files_create(site->path, &options, NULL);

    if (files) {
        struct call call;

        if (call_begin(&call, &stage, get, px_files_handle, files)) {
            call_wait(&call);
            assert_true(!call.done || call.status == 200 || call.status == 503);
            if (call.done && call.status == 200)
                assert_true(content_has(&call, "</html>"));
        }
        call_finish(&call);
        px_files_destroy(files);
    }
    stage_close(&stage);
}

static void allocations_may_fail(void **state)
{
    struct site site;

    (void)state;
    site_make(&site);
    site_file(&site, "x", 1, 1);
    site_folder(&site, "y");
    assert_true(fault_alloc_each("listing", run_with_failures, &site) >= 10);
    site_remove(&site);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_as_people_do),
        cmocka_unit_test(a_folder_is_a_page),
        cmocka_unit_test(views_sort),
        cmocka_unit_test(programs_get_json),
        cmocka_unit_test(a_page_that_is_known_is_not_sent_again),
        cmocka_unit_test(a_long_folder_comes_in_pieces),
        cmocka_unit_test(what_does_not_fit_follows),
        cmocka_unit_test(the_same_work_is_done_once),
        cmocka_unit_test(too_many_at_once_are_refused),
        cmocka_unit_test(a_client_that_leaves_is_forgotten),
        cmocka_unit_test(files_stay_beside_listings),
        cmocka_unit_test(sizes_are_rounded_down),
        cmocka_unit_test(allocations_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
