/*
 * Files that a handler names by itself: under any route, and nothing outside of the folder.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"
#include "pollux/pollux.h"

static char place[] = "/tmp/pollux-named-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", place, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

struct naming {
    px_files *files;
    px_str name;
};

static void respond(px_exchange *exchange, void *context)
{
    struct naming *naming = context;

    px_response_add_field(exchange, LITERAL("X-Checked"), LITERAL("yes"));
    px_files_respond(naming->files, exchange, naming->name);
}

#define NAME(text, status, content)             \
    {                                           \
        text, sizeof(text) - 1, status, content \
    }

static const struct {
    const char *name;
    size_t len;
    unsigned status;
    const char *content;
} cases[] = {
    NAME("a.txt", 200, "plain"),
    NAME("/a.txt", 200, "plain"),
    NAME("sub/b b.txt", 200, "blank"),
    NAME("sub/../a.txt", 200, "plain"),
    NAME("sub//./b b.txt", 200, "blank"),
    NAME("a%2etxt", 404, NULL),
    NAME(".hidden", 200, "hidden"),
    NAME("sub", 404, NULL),
    NAME("sub/", 404, NULL),
    NAME("", 404, NULL),
    NAME("none", 404, NULL),
    NAME("../a.txt", 404, NULL),
    NAME("sub/../../etc/passwd", 404, NULL),
    NAME("a.txt\0b", 404, NULL),
    NAME("link", 404, NULL),
};

static void names(void **state)
{
    char path[256];
    px_error error;
    px_server *server = px_server_create(NULL, &error);
    struct naming naming = {0};

    (void)state;
    assert_non_null(mkdtemp(place));
    snprintf(path, sizeof(path), "%s/sub", place);
    assert_int_equal(mkdir(path, 0755), 0);
    put("a.txt", "plain");
    put(".hidden", "hidden");
    put("sub/b b.txt", "blank");
    snprintf(path, sizeof(path), "%s/link", place);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    naming.files = px_files_create(place, NULL, &error);
    assert_non_null(naming.files);
    assert_int_equal(px_server_route(server, "/any/{id}/route", respond, &naming, &error), PX_OK);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        naming.name = px_str_make(cases[index].name, cases[index].len);
        px_test_answer *answer =
            px_test_ask(server, "POST /any/7/route", LITERAL("content"), &error);

        assert_non_null(answer);
        if (answer->status != cases[index].status)
            fail_msg("%s: %u", cases[index].name, answer->status);
        if (cases[index].content)
            assert_str_equal(answer->content, px_str_of(cases[index].content));
        assert_str_equal(px_test_field(answer, "X-Checked"), LITERAL("yes"));
        px_test_answer_free(answer);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 15);
    /* Ranges and validators are as ever. */
    naming.name = LITERAL("a.txt");
    px_test_answer *part =
        px_test_ask(server, "GET /any/7/route\nRange: bytes=1-2", px_str_of(NULL), &error);

    assert_int_equal(part->status, 206);
    assert_str_equal(part->content, LITERAL("la"));
    assert_non_null(px_test_field(part, "ETag").ptr);
    px_test_answer_free(part);
    px_server_destroy(server);
    px_files_destroy(naming.files);
    snprintf(path, sizeof(path), "rm -r %s", place);
    assert_int_equal(system(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
