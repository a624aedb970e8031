/*
 * Where a log goes that is no file, as it is written.
 */
#include "main/log/log_sink.h"

#include <string.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_read),
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(files_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
