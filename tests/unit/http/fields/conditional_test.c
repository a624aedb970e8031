/*
 * Preconditions: RFC 9110 section 13, and the order of section 13.2.2.
 */
#include "http/fields/conditional.h"

#include <string.h>

#include "lib/test.h"

#define OURS "Sun, 06 Nov 1994 08:49:37 GMT"
#define EARLIER "Sun, 06 Nov 1994 08:49:36 GMT"
#define LATER "Sun, 06 Nov 1994 08:49:38 GMT"

enum { MODIFIED = 784111777, NOW = 1800000000, FIELDS_MAX = 8 };

static const struct validators ours = {.etag = {"\"a\"", 3}, .modified = MODIFIED};

/* Takes "Name: value\n..." apart. */
static uint32_t fields_of(const char *text, px_field fields[FIELDS_MAX])
{
    uint32_t count = 0;

    while (*text) {
        const char *end = strchr(text, '\n'), *colon = strchr(text, ':');

        assert_true(end && colon && colon < end && count < FIELDS_MAX);
        fields[count].name = px_str_make(text, (size_t)(colon - text));
        fields[count].value = px_str_make(colon + 2, (size_t)(end - colon - 2));
        count++;
        text = end + 1;
    }
    return count;
}

/* 200, 206, 304 or 412, for a GET. */
static unsigned answer_of(const struct validators *validators, const char *text, int64_t now)
{
    struct conditional conditional;
    px_field fields[FIELDS_MAX];
    uint32_t count = fields_of(text, fields);
    px_str range;

    conditional_init(&conditional, fields, count);
    switch (conditional_evaluate(&conditional, validators, now)) {
    case CONDITIONAL_GO_ON:
        break;
    case CONDITIONAL_NOT_MODIFIED:
        return 304;
    case CONDITIONAL_FAILED:
        return 412;
    }
    if (!conditional_range(&conditional, validators, now, &range))
        return 200;
    assert_str_equal(range, px_str_of("bytes=0-0"));
    return 206;
}

static unsigned answer(const char *text, int64_t now)
{
    return answer_of(&ours, text, now);
}

static void preconditions_decide(void **state)
{
    static const struct {
        const char *fields;
        unsigned status;
    } cases[] = {
        {"", 200},
        {"Host: a\nAccept: b\n", 200},
        /* If-Match: the strong comparison. */
        {"If-Match: \"a\"\n", 200},
        {"If-Match: *\n", 200},
        {"If-Match: \"b\"\n", 412},
        {"If-Match: \"b\", \"a\"\n", 200},
        {"If-Match: W/\"a\"\n", 412},
        {"If-Match: a\n", 412},
        {"If-Match: \n", 412},
        {"if-match: \"b\"\nIF-MATCH: \"a\"\n", 200},
        {"If-Match: \"b\"\nIf-Match: \"c\"\n", 412},
        /* If-Unmodified-Since. */
        {"If-Unmodified-Since: " OURS "\n", 200},
        {"If-Unmodified-Since: " LATER "\n", 200},
        {"If-Unmodified-Since: " EARLIER "\n", 412},
        {"If-Unmodified-Since: nonsense\n", 200},
        {"If-Unmodified-Since: " EARLIER "\nIf-Unmodified-Since: " EARLIER "\n", 200},
        {"If-Unmodified-Since: Sunday, 06-Nov-94 08:49:36 GMT\n", 412},
        {"If-Unmodified-Since: Sun Nov  6 08:49:36 1994\n", 412},
        /* ... which does not count beside If-Match. */
        {"If-Match: \"a\"\nIf-Unmodified-Since: " EARLIER "\n", 200},
        {"If-Match: \"b\"\nIf-Unmodified-Since: " LATER "\n", 412},
        /* If-None-Match: the weak comparison. */
        {"If-None-Match: \"a\"\n", 304},
        {"If-None-Match: W/\"a\"\n", 304},
        {"If-None-Match: *\n", 304},
        {"If-None-Match: \"b\"\n", 200},
        {"If-None-Match: \"b\", W/\"a\"\n", 304},
        {"If-None-Match: \"b\"\nIf-None-Match: \"a\"\n", 304},
        {"If-None-Match: a\n", 200},
        {"If-None-Match: \n", 200},
        /* If-Modified-Since. */
        {"If-Modified-Since: " OURS "\n", 304},
        {"If-Modified-Since: " LATER "\n", 304},
        {"If-Modified-Since: " EARLIER "\n", 200},
        {"If-Modified-Since: nonsense\n", 200},
        {"If-Modified-Since: " OURS "\nIf-Modified-Since: " OURS "\n", 200},
        {"If-Modified-Since: 784111777\n", 200},
        {"If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT\n", 304},
        /* ... which does not count beside If-None-Match. */
        {"If-None-Match: \"b\"\nIf-Modified-Since: " LATER "\n", 200},
        {"If-None-Match: \"a\"\nIf-Modified-Since: " EARLIER "\n", 304},
        /* Both sides: 412 goes before 304. */
        {"If-Match: \"b\"\nIf-None-Match: \"a\"\n", 412},
        {"If-Match: \"a\"\nIf-None-Match: \"a\"\n", 304},
        {"If-Unmodified-Since: " EARLIER "\nIf-Modified-Since: " OURS "\n", 412},
        {"If-Unmodified-Since: " OURS "\nIf-Modified-Since: " OURS "\n", 304},
        /* Ranges come last. */
        {"Range: bytes=0-0\n", 206},
        {"Range: bytes=0-0\nRange: bytes=0-0\n", 200},
        {"Range: bytes=0-0\nIf-None-Match: \"a\"\n", 304},
        {"Range: bytes=0-0\nIf-Match: \"b\"\n", 412},
        {"Range: bytes=0-0\nIf-Modified-Since: " EARLIER "\n", 206},
        /* If-Range: by tag, strongly. */
        {"Range: bytes=0-0\nIf-Range: \"a\"\n", 206},
        {"Range: bytes=0-0\nIf-Range: W/\"a\"\n", 200},
        {"Range: bytes=0-0\nIf-Range: \"b\"\n", 200},
        {"Range: bytes=0-0\nIf-Range: \"a\", \"b\"\n", 200},
        {"Range: bytes=0-0\nIf-Range: *\n", 200},
        {"Range: bytes=0-0\nIf-Range: \n", 200},
        {"Range: bytes=0-0\nIf-Range: \"a\"\nIf-Range: \"a\"\n", 200},
        {"If-Range: \"a\"\n", 200},
        /* ... by date, exactly. */
        {"Range: bytes=0-0\nIf-Range: " OURS "\n", 206},
        {"Range: bytes=0-0\nIf-Range: " LATER "\n", 200},
        {"Range: bytes=0-0\nIf-Range: " EARLIER "\n", 200},
        {"Range: bytes=0-0\nIf-Range: nonsense\n", 200},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        unsigned status = answer(cases[index].fields, NOW);

        if (status != cases[index].status)
            fail_msg("%u, not %u: %s", status, cases[index].status, cases[index].fields);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 58);
}

/* RFC 9110 section 8.8.2.2: in its own second a date is a weak validator. */
static void a_young_date_is_weak(void **state)
{
    (void)state;
    assert_int_equal(answer("Range: bytes=0-0\nIf-Range: " OURS "\n", MODIFIED), 200);
    assert_int_equal(answer("Range: bytes=0-0\nIf-Range: " OURS "\n", MODIFIED + 1), 206);
}

/* Where no date is known, no date is a precondition (RFC 9110 sections 13.1.3 and 13.1.4); one that
 * two versions may have joins no ranges; a coded form is of the version that it was made of. */
static void validators_have_doubts(void **state)
{
    static const struct validators undated = {.etag = {"\"a\"", 3}, .modified = 1, .undated = true};
    static const struct validators set = {
        .etag = {"\"a\"", 3}, .modified = MODIFIED, .date_weak = true, .coded = true};
    static const struct {
        const struct validators *validators;
        const char *fields;
        unsigned status;
    } cases[] = {
        {&undated, "If-Modified-Since: " OURS "\n", 200},
        {&undated, "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\n", 200},
        {&undated, "Range: bytes=0-0\nIf-Range: Thu, 01 Jan 1970 00:00:01 GMT\n", 200},
        {&undated, "Range: bytes=0-0\nIf-Range: \"a\"\n", 206},
        {&undated, "If-Match: \"a-gzip\"\n", 412},
        {&set, "If-Modified-Since: " OURS "\n", 304},
        {&set, "Range: bytes=0-0\nIf-Range: " OURS "\n", 200},
        {&set, "Range: bytes=0-0\nIf-Range: \"a\"\n", 206},
        {&set, "Range: bytes=0-0\nIf-Range: \"a-gzip\"\n", 200},
        {&set, "If-Match: \"a-gzip\"\n", 200},
        {&set, "If-Match: \"b\", \"a-zstd\"\n", 200},
        {&set, "If-Match: \"a-br\"\nIf-None-Match: \"a-br\"\n", 200},
        {&set, "If-Match: W/\"a-gzip\"\n", 412},
        {&set, "If-Match: \"a-gzi\"\n", 412},
        {&set, "If-Match: \"a-\"\n", 412},
        {&set, "If-Match: \"ab-gzip\"\n", 412},
        {&set, "If-Match: \"a-identity\"\n", 412},
        {&set, "If-Match: \"a-gzip-gzip\"\n", 412},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        unsigned status = answer_of(cases[index].validators, cases[index].fields, NOW);

        if (status != cases[index].status)
            fail_msg("%u, not %u: %s", status, cases[index].status, cases[index].fields);
    }
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 18);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preconditions_decide),
        cmocka_unit_test(a_young_date_is_weak),
        cmocka_unit_test(validators_have_doubts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
