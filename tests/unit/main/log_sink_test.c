/*
 * Where a log goes that is no file, as it is written.
 */
#include "main/log/log_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "lib/test.h"

static void places_are_read(void **state)
{
    static const struct {
        const char *text, *place, *port, *tag; /* place NULL: it is none */
        bool is_unix;
        uint8_t facility;
    } cases[] = {
        {"syslog:", "/dev/log", "514", "pollux", true, 23},
        {"syslog:/run/log", "/run/log", "514", "pollux", true, 23},
        {"syslog:unix:/run/log", "/run/log", "514", "pollux", true, 23},
        {"syslog:udp:192.0.2.1", "192.0.2.1", "514", "pollux", false, 23},
        {"syslog:udp://log.test:5140", "log.test", "5140", "pollux", false, 23},
        {"syslog:udp:[2001:db8::1]", "2001:db8::1", "514", "pollux", false, 23},
        {"syslog:udp:[2001:db8::1]:99", "2001:db8::1", "99", "pollux", false, 23},
        {"syslog:,facility=kern", "/dev/log", "514", "pollux", true, 0},
        {"syslog:udp:a,tag=b,facility=local0", "a", "514", "b", false, 16},
        {"journal:", "/run/systemd/journal/socket", "514", "pollux", true, 23},
        {"journal:/run/j", "/run/j", "514", "pollux", true, 23},
        {.text = "syslog:udp:"},
        {.text = "syslog:udp:a:"},
        {.text = "syslog:udp:a:123456"},
        {.text = "syslog:udp:a:b"},
        {.text = "syslog:tcp:a"},
        {.text = "syslog:unix:relative"},
        {.text = "syslog:,"},
        {.text = "syslog:,facility"},
        {.text = "syslog:,facility=none"},
        {.text = "syslog:,tag="},
        {.text = "syslog:,tag=a b"},
        {.text = "journal:udp:a"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct log_sink sink;
        px_error error;
        px_err err = log_sink_read(cases[i].text, &sink, &error);

        assert_true(log_sink_is(cases[i].text));
        assert_int_equal(err, cases[i].place ? PX_OK : PX_ERR_INVALID);
        if (!cases[i].place)
            continue;
        assert_string_equal(sink.place, cases[i].place);
        assert_string_equal(sink.port, cases[i].port);
        assert_string_equal(sink.tag, cases[i].tag);
        assert_int_equal(sink.is_unix, cases[i].is_unix);
        assert_int_equal(sink.facility, cases[i].facility);
    }
    assert_int_equal(ARRAY_COUNT(cases), 23);
}

static void lengths_have_bounds(void **state)
{
    char text[512];
    struct log_sink sink;
    px_error error;

    (void)state;
    for (size_t len = 100; len < 300; len++) {
        memcpy(text, "syslog:/", 8);
        memset(text + 8, 'a', len);
        text[8 + len] = '\0';
        assert_int_equal(log_sink_read(text, &sink, &error) == PX_OK, len + 1 < 108);
        memcpy(text, "syslog:udp:", 11);
        memset(text + 11, 'a', len);
        text[11 + len] = '\0';
        assert_int_equal(log_sink_read(text, &sink, &error) == PX_OK, len < LOG_SINK_PLACE_BYTES);
    }
}

static void files_are_none(void **state)
{
    (void)state;
    assert_false(log_sink_is("/var/log/syslog:"));
    assert_false(log_sink_is("syslog"));
    assert_false(log_sink_is("journal"));
}

static int receiver_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static int line_write_with(const struct log_sink *sink, int fd, _Atomic bool *is_named)
{
    size_t bytes = 0;
    int failure = log_sink_write(sink, fd, px_str_of("a line\n"), is_named, &bytes);

    assert_int_equal(bytes, failure == 0 ? 7 : 0);
    return failure;
}

static int line_write(const struct log_sink *sink, int fd)
{
    return line_write_with(sink, fd, NULL);
}

/* Where nothing may be connected messages name their receiver, once they have to. */
static void a_receiver_is_named(void **state)
{
    char folder[] = "/tmp/pollux-sink-XXXXXX", path[64], name[80], got[1024];
    struct log_sink_face face, other;
    _Atomic bool is_named = false;
    struct log_sink sink;
    px_error error;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(name, sizeof(name), "syslog:%s", path);
    assert_int_equal(log_sink_read(name, &sink, &error), PX_OK);
    assert_int_equal(log_sink_look(&sink, &face), ENOENT);
    int receiver = receiver_open(path);
    int fd = log_sink_open(&sink);

    assert_int_equal(log_sink_look(&sink, &face), 0);
    assert_int_equal(line_write_with(&sink, fd, &is_named), 0);
    assert_false(is_named);
    close(receiver);
    assert_int_equal(line_write_with(&sink, fd, &is_named), ECONNREFUSED);
    assert_true(is_named);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(line_write_with(&sink, fd, &is_named), ENOENT);
    receiver = receiver_open(path);
    assert_int_equal(log_sink_look(&sink, &other), 0);
    assert_memory_not_equal(&face, &other, sizeof(face));
    assert_int_equal(line_write_with(&sink, fd, &is_named), 0);
    assert_true(recv(receiver, got, sizeof(got), MSG_DONTWAIT) > 7);
    close(fd);
    close(receiver);
    unlink(path);
    fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(log_sink_look(&sink, &face), ECONNREFUSED); /* no socket */
    close(fd);
    unlink(path);
    rmdir(folder);
}

/* What one process connects is connected for each that has the socket. */
static void a_socket_is_connected_anew(void **state)
{
    char folder[] = "/tmp/pollux-sink-XXXXXX", path[64], name[80], got[1024];
    struct log_sink sink;
    px_error error;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/log", folder);
    snprintf(name, sizeof(name), "syslog:%s", path);
    assert_int_equal(log_sink_read(name, &sink, &error), PX_OK);
    int receiver = receiver_open(path);
    int fd = log_sink_open(&sink);
    int shared = dup(fd);

    assert_true(fd >= 0 && shared >= 0);
    assert_int_equal(line_write(&sink, shared), 0);
    assert_int_equal(log_sink_join(&sink, fd), 0); /* nothing has changed */
    assert_int_equal(line_write(&sink, shared), 0);
    close(receiver);
    assert_int_equal(line_write(&sink, shared), ECONNREFUSED);
    assert_int_equal(line_write(&sink, shared), ECONNREFUSED); /* and not ENOTCONN */
    assert_int_equal(log_sink_join(&sink, fd), ECONNREFUSED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(log_sink_join(&sink, fd), ENOENT);
    receiver = receiver_open(path);
    assert_int_equal(log_sink_join(&sink, fd), 0);
    assert_int_equal(line_write(&sink, shared), 0);
    assert_true(recv(receiver, got, sizeof(got), MSG_DONTWAIT) > 7);

    /* One that never was. */
    assert_int_equal(unlink(path), 0);
    close(receiver);
    int apart = log_sink_open(&sink);
    receiver = receiver_open(path);
    assert_true(apart >= 0);
    assert_int_equal(line_write(&sink, apart), ECONNREFUSED);
    assert_int_equal(log_sink_join(&sink, apart), 0);
    assert_int_equal(line_write(&sink, apart), 0);
    close(apart);
    close(fd);
    close(shared);
    close(receiver);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_read),     cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(files_are_none),      cmocka_unit_test(a_socket_is_connected_anew),
        cmocka_unit_test(a_receiver_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
