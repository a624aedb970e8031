/*
 * Dates: known values, every day of ten thousand years there and back, all three forms, and what
 * must be refused.
 */
#include "http/fields/date.h"

#include "lib/guard.h"
#include "lib/test.h"

/* 2026-11-23 20:00:00, the "now" of most cases here. */
#define NOW INT64_C(1795464000)

static void assert_formats(int64_t seconds, const char *imf, const char *log)
{
    char text[DATE_BYTES];
    char log_text[DATE_LOG_BYTES];

    date_format(seconds, text);
    assert_str_equal(px_str_make(text, sizeof(text)), px_str_of(imf));
    date_format_log(seconds, log_text);
    assert_str_equal(px_str_make(log_text, sizeof(log_text)), px_str_of(log));
}

static void date_formats_known_times(void **state)
{
    (void)state;
    assert_formats(784111777, "Sun, 06 Nov 1994 08:49:37 GMT", "[06/Nov/1994:08:49:37 +0000]");
    assert_formats(971186136, "Tue, 10 Oct 2000 13:55:36 GMT", "[10/Oct/2000:13:55:36 +0000]");
    assert_formats(0, "Thu, 01 Jan 1970 00:00:00 GMT", "[01/Jan/1970:00:00:00 +0000]");
    assert_formats(-1, "Wed, 31 Dec 1969 23:59:59 GMT", "[31/Dec/1969:23:59:59 +0000]");
    assert_formats(951782400, "Tue, 29 Feb 2000 00:00:00 GMT", "[29/Feb/2000:00:00:00 +0000]");
    assert_formats(4107542400, "Mon, 01 Mar 2100 00:00:00 GMT", "[01/Mar/2100:00:00:00 +0000]");
    assert_formats(2147483648, "Tue, 19 Jan 2038 03:14:08 GMT", "[19/Jan/2038:03:14:08 +0000]");
}

static void date_clamps_what_no_form_can_express(void **state)
{
    (void)state;
    assert_formats(DATE_SECONDS_MIN, "Mon, 01 Jan 0001 00:00:00 GMT",
                   "[01/Jan/0001:00:00:00 +0000]");
    assert_formats(DATE_SECONDS_MIN - 1, "Mon, 01 Jan 0001 00:00:00 GMT",
                   "[01/Jan/0001:00:00:00 +0000]");
    assert_formats(INT64_MIN, "Mon, 01 Jan 0001 00:00:00 GMT", "[01/Jan/0001:00:00:00 +0000]");
    assert_formats(DATE_SECONDS_MAX, "Fri, 31 Dec 9999 23:59:59 GMT",
                   "[31/Dec/9999:23:59:59 +0000]");
    assert_formats(DATE_SECONDS_MAX + 1, "Fri, 31 Dec 9999 23:59:59 GMT",
                   "[31/Dec/9999:23:59:59 +0000]");
    assert_formats(INT64_MAX, "Fri, 31 Dec 9999 23:59:59 GMT", "[31/Dec/9999:23:59:59 +0000]");
}

/* Walks every day with a calendar of its own (count up, wrap at the month's end), so that the
 * closed formulas are compared with something that is not one. */
static void date_agrees_with_a_calendar_day_by_day(void **state)
{
    static const char *const days[7] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    static const char *const months[12] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static const int lengths[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = 1, month = 0, day = 1;
    uint32_t count = 0;

    (void)state;
    for (int64_t at = DATE_SECONDS_MIN; at <= DATE_SECONDS_MAX; at += 86400, count++) {
        int64_t seconds = at + count % 86400;
        char text[DATE_BYTES];
        char expected[64];
        int64_t parsed = 0;
        unsigned clock = count % 86400;

        snprintf(expected, sizeof(expected), "%s, %02d %s %04d %02u:%02u:%02u GMT", days[count % 7],
                 day, months[month], year, clock / 3600, clock / 60 % 60, clock % 60);
        date_format(seconds, text);
        if (memcmp(text, expected, DATE_BYTES) != 0)
            fail_msg("%.29s instead of %s", text, expected);
        if (date_parse(px_str_make(text, DATE_BYTES), 0, &parsed) != PX_OK || parsed != seconds)
            fail_msg("%s does not come back", expected);

        int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        if (++day > lengths[month] + (month == 1 && leap)) {
            day = 1;
            if (++month == 12) {
                month = 0;
                year++;
            }
        }
    }
    assert_int_equal(year, 10000);
    assert_int_equal(count, 3652059);
}

static void assert_parses(const char *text, int64_t now, int64_t expected)
{
    int64_t seconds = 42;

    if (date_parse(px_str_of(text), now, &seconds) != PX_OK)
        fail_msg("refused: %s", text);
    if (seconds != expected)
        fail_msg("%s: %lld instead of %lld", text, (long long)seconds, (long long)expected);
}

static void date_parses_the_three_forms(void **state)
{
    (void)state;
    assert_parses("Sun, 06 Nov 1994 08:49:37 GMT", NOW, 784111777);
    assert_parses("Sunday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Sun Nov  6 08:49:37 1994", NOW, 784111777);
    assert_parses("Tue Oct 10 13:55:36 2000", NOW, 971186136);
    assert_parses("Sun Nov 06 08:49:37 1994", NOW, 784111777);
    assert_parses("Monday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Tuesday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Wednesday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Thursday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Friday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Saturday, 06-Nov-94 08:49:37 GMT", NOW, 784111777);
    assert_parses("Sat, 31 Dec 2016 23:59:60 GMT", NOW, 1483228800);
    assert_parses("Tue, 29 Feb 2000 00:00:00 GMT", NOW, 951782400);
    assert_parses("Mon, 01 Jan 0001 00:00:00 GMT", NOW, DATE_SECONDS_MIN);
    assert_parses("Fri, 31 Dec 9999 23:59:59 GMT", NOW, DATE_SECONDS_MAX);
}

/* RFC 9110 section 5.6.7: more than 50 years ahead is the most recent past year. */
static void date_chooses_the_century(void **state)
{
    (void)state;
    assert_parses("Sunday, 06-Nov-26 08:49:37 GMT", NOW, 1793954977); /* 2026 */
    assert_parses("Sunday, 06-Nov-27 08:49:37 GMT", NOW, 1825490977); /* 2027 */
    assert_parses("Monday, 23-Nov-76 20:00:00 GMT", NOW, 3373387200); /* 50 years to the second */
    assert_parses("Monday, 23-Nov-76 20:00:01 GMT", NOW, 217627201);  /* one more: 1976 */
    assert_parses("Monday, 23-Nov-76 20:01:00 GMT", NOW, 217627260);
    assert_parses("Monday, 23-Nov-76 21:00:00 GMT", NOW, 217630800);
    assert_parses("Monday, 24-Nov-76 20:00:00 GMT", NOW, 217713600);
    assert_parses("Monday, 23-Dec-76 20:00:00 GMT", NOW, 220219200);
    assert_parses("Friday, 01-Jan-77 00:00:00 GMT", NOW, 220924800);         /* 1977 */
    assert_parses("Friday, 31-Dec-99 23:59:59 GMT", NOW, 946684799);         /* 1999 */
    assert_parses("Friday, 31-Dec-99 23:59:59 GMT", 4070908800, 4102444799); /* now 2099: 2099 */
    assert_parses("Friday, 01-Jan-05 00:00:00 GMT", 4070908800, 4260211200); /* now 2099: 2105 */
    assert_parses("Thursday, 01-Jan-70 00:00:00 GMT", 0, 0);
    assert_parses("Thursday, 31-Dec-20 00:00:00 GMT", 0, -1546387200); /* now 1970: 1920 */
}

static void date_refuses_everything_else(void **state)
{
    static const char *const bad[] = {
        "",
        "Sun",
        "Sun,",
        "Sun, ",
        "sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 gmt",
        "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "Sun, 06 Nov 1994 08:49:37 GMT ",
        " Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
        "Sun,06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 94 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49:37 GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06-Nov-1994 08:49:37 GMT",
        "Sun, 06-Nov-94 08:49:37 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 32 Dec 1994 08:49:37 GMT",
        "Sun, 29 Feb 1900 08:49:37 GMT",
        "Sun, 29 Feb 2023 08:49:37 GMT",
        "Sun, 30 Feb 2024 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Fri, 31 Dec 9999 23:59:60 GMT",
        "Sun, 06 Nov 1994 -8:49:37 GMT",
        "Sun, 06 Nov +994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Sund, 06-Nov-94 08:49:37 GMT",
        "Sunday 06-Nov-94 08:49:37 GMT",
        "Sunday, 06-Nov-1994 08:49:37 GMT",
        "Sunday, 06 Nov 94 08:49:37 GMT",
        "Sunday, 29-Feb-23 08:49:37 GMT",
        "Mday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov 6 08:49:37 1994",
        "Sun Nov  6 08:49:37 94",
        "Sun Nov  6 08:49:37 1994 GMT",
        "Sun Nov  0 08:49:37 1994",
        "Sun Nov   6 08:49:37 1994",
        "Sun Nov 31 08:49:37 1994",
        "784111777",
        "0",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int64_t seconds = 42;

        if (date_parse(px_str_of(bad[i]), NOW, &seconds) != PX_ERR_MALFORMED)
            fail_msg("accepted: \"%s\"", bad[i]);
        assert_int_equal(seconds, 42);
    }
}

/* Every cut of each form is refused, and none is read past its end. */
static void date_stays_within_its_input(void **state)
{
    static const char *const forms[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Wednesday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    struct guard guard;

    (void)state;
    guard_init(&guard, 64);
    for (size_t form = 0; form < 3; form++) {
        px_str whole = px_str_of(forms[form]);

        for (size_t len = 0; len <= whole.len; len++) {
            px_str cut = px_str_make(whole.ptr, len);
            int64_t seconds = 42;
            px_err expected = len == whole.len ? PX_OK : PX_ERR_MALFORMED;

            assert_int_equal(date_parse(guard_at_end(&guard, cut), NOW, &seconds), expected);
            assert_int_equal(date_parse(guard_at_start(&guard, cut), NOW, &seconds), expected);
        }
        /* A byte that is wrong at any place is noticed, except in the digits' and names' choices.
         */
        for (size_t at = 0; at < whole.len; at++) {
            char changed[64];
            int64_t seconds = 42;

            memcpy(changed, whole.ptr, whole.len);
            changed[at] = '\0';
            assert_int_equal(date_parse(px_str_make(changed, whole.len), NOW, &seconds),
                             PX_ERR_MALFORMED);
        }
    }
    guard_deinit(&guard);
    int64_t seconds = 42;
    assert_int_equal(date_parse(px_str_make(NULL, 0), NOW, &seconds), PX_ERR_MALFORMED);
}

static void internet_form(void **state)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},         {784111777, "1994-11-06T08:49:37Z"},
        {951782399, "2000-02-28T23:59:59Z"}, {951782400, "2000-02-29T00:00:00Z"},
        {INT64_MIN, "0001-01-01T00:00:00Z"}, {INT64_MAX, "9999-12-31T23:59:59Z"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[DATE_INTERNET_BYTES];

        date_format_internet(cases[i].seconds, text);
        assert_memory_equal(text, cases[i].text, DATE_INTERNET_BYTES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(internet_form),
        cmocka_unit_test(date_formats_known_times),
        cmocka_unit_test(date_clamps_what_no_form_can_express),
        cmocka_unit_test(date_agrees_with_a_calendar_day_by_day),
        cmocka_unit_test(date_parses_the_three_forms),
        cmocka_unit_test(date_chooses_the_century),
        cmocka_unit_test(date_refuses_everything_else),
        cmocka_unit_test(date_stays_within_its_input),
    };

    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
