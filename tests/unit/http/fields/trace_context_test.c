/*
 * Trace Context: tables of what is valid and what is not, each against a guard page at both ends.
 */
#include "http/fields/trace_context.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "lib/guard.h"
#include "lib/test.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static const struct {
    const char *value;
    bool valid;
    bool sampled;
} parents[] = {
    {"00-" TRACE "-" SPAN "-01", true, true},
    {"00-" TRACE "-" SPAN "-00", true, false},
    {"00-" TRACE "-" SPAN "-ff", true, true},
    {"00-" TRACE "-" SPAN "-02", true, false},
    {"cc-" TRACE "-" SPAN "-01", true, true},
    {"cc-" TRACE "-" SPAN "-01-what-is-to-come", true, true},
    {"fe-" TRACE "-" SPAN "-01-", true, true},
    {"00-" TRACE "-" SPAN "-01-", false, false},
    {"00-" TRACE "-" SPAN "-01-more", false, false},
    {"cc-" TRACE "-" SPAN "-01.what", false, false},
    {"cc-" TRACE "-" SPAN "-011", false, false},
    {"ff-" TRACE "-" SPAN "-01", false, false},
    {"00-00000000000000000000000000000000-" SPAN "-01", false, false},
    {"00-" TRACE "-0000000000000000-01", false, false},
    {"00-0AF7651916cd43dd8448eb211c80319c-" SPAN "-01", false, false},
    {"00-" TRACE "-B7ad6b7169203331-01", false, false},
    {"0.-" TRACE "-" SPAN "-01", false, false},
    {"00-.af7651916cd43dd8448eb211c80319c-" SPAN "-01", false, false},
    {"00-" TRACE "-.7ad6b7169203331-01", false, false},
    {"00-" TRACE "-" SPAN "-.0", false, false},
    {"00-" TRACE "-" SPAN "-0.", false, false},
    {"00-" TRACE "-" SPAN "-0", false, false},
    {"00-" TRACE "-" SPAN "-", false, false},
    {"00-" TRACE "-" SPAN, false, false},
    {"00_" TRACE "-" SPAN "-01", false, false},
    {"00-" TRACE "_" SPAN "-01", false, false},
    {"00-" TRACE "-" SPAN "_01", false, false},
    {" 00-" TRACE "-" SPAN "-01", false, false},
    {"0-" TRACE "-" SPAN "-01", false, false},
    {"", false, false},
};

static void parents_are_read(void **state)
{
    struct guard guard;

    (void)state;
    assert_int_equal(ARRAY_COUNT(parents), 30);
    guard_init(&guard, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(parents); i++) {
        px_str whole = px_str_of(parents[i].value);
        const px_str places[] = {guard_at_end(&guard, whole), guard_at_start(&guard, whole)};

        for (size_t place = 0; place < ARRAY_COUNT(places); place++) {
            struct trace_context context = {.sampled = false};
            px_str value = place == 0 ? guard_at_end(&guard, whole) : guard_at_start(&guard, whole);

            assert_int_equal(trace_parent_read(value, &context), parents[i].valid);
            if (!parents[i].valid)
                continue;
            assert_str_equal(context.trace_id, LITERAL(TRACE));
            assert_str_equal(context.parent_id, LITERAL(SPAN));
            assert_int_equal(context.sampled, parents[i].sampled);
        }
        /* What is cut anywhere is nothing. */
        for (size_t len = 0; len < whole.len && len < TRACEPARENT_BYTES; len++) {
            struct trace_context context;

            assert_false(
                trace_parent_read(guard_at_end(&guard, px_str_make(whole.ptr, len)), &context));
        }
    }
    guard_deinit(&guard);
}

static void one_parent_is_found(void **state)
{
    const px_field fields[] = {
        {LITERAL("Accept"), LITERAL("a")},
        {LITERAL("TraceParent"), LITERAL("00-" TRACE "-" SPAN "-01")},
        {LITERAL("traceparent"), LITERAL("00-" TRACE "-" SPAN "-01")},
    };
    struct trace_context context;

    (void)state;
    assert_false(trace_parent_find(fields, 1, &context));
    assert_true(trace_parent_find(fields, 2, &context));
    assert_false(trace_parent_find(fields, 3, &context));
}

static void a_parent_is_written(void **state)
{
    char text[TRACEPARENT_BYTES];
    struct trace_context context;

    (void)state;
    for (int sampled = 0; sampled < 2; sampled++) {
        trace_parent_write(LITERAL(TRACE), LITERAL(SPAN), sampled, text);
        assert_true(trace_parent_read(px_str_make(text, sizeof(text)), &context));
        assert_str_equal(context.trace_id, LITERAL(TRACE));
        assert_str_equal(context.parent_id, LITERAL(SPAN));
        assert_int_equal(context.sampled, sampled);
    }
}

#define A16 "aaaaaaaaaaaaaaaa"
#define A112 A16 A16 A16 A16 A16 A16 A16
#define A240 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16 A16

static const struct {
    const char *values[3];
    const char *joined; /* NULL: it is lost */
} states[] = {
    {{"a=1"}, "a=1"},
    {{"a=1,b=2"}, "a=1,b=2"},
    {{"a=1", "b=2"}, "a=1,b=2"},
    {{" a=1 \t,\t b=2 "}, "a=1,b=2"},
    {{"a=1,,b=2,"}, "a=1,b=2"},
    {{"", "a=1", ""}, "a=1"},
    {{"a= 1"}, "a= 1"},
    {{"0a=1"}, "0a=1"},
    {{"tenant@system=1"}, "tenant@system=1"},
    {{"0tenant@system=1"}, "0tenant@system=1"},
    {{"a_-*/9=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~"}, "a_-*/9=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~"},
    {{A240 "a@"
           "aaaaaaaaaaaaaa"
           "=1"},
     A240 "a@"
          "aaaaaaaaaaaaaa"
          "=1"},
    {{A240 A16 "=1"}, A240 A16 "=1"},
    {{A240 A16 "a=1"}, NULL},
    {{A240 "aa@a=1"}, A240 "aa@a=1"},
    {{A240 A16 "@=1"}, NULL},
    {{"a@aaaaaaaaaaaaaaa=1"}, "a@aaaaaaaaaaaaaaa=1"},
    {{"a@0a=1"}, "a@0a=1"},
    {{"a@=1"}, "a@=1"},
    {{"@a=1"}, NULL},
    {{"a@b@c=1"}, "a@b@c=1"},
    {{"_a=1"}, NULL},
    {{"-a=1"}, NULL},
    {{"*a=1"}, NULL},
    {{"0=1"}, "0=1"},
    {{"A=1"}, NULL},
    {{"a b=1"}, NULL},
    {{"a =1"}, NULL},
    {{"a"}, NULL},
    {{"a="}, NULL},
    {{"=1"}, NULL},
    {{"a=1=2"}, NULL},
    {{"a=\x7f"}, NULL},
    {{"a=\xc3\xa9"}, NULL},
    {{"a=1", "b"}, NULL},
    {{"a=" A240 A16 "b"}, NULL},
    /* Longer than what is passed on: long ones are left out first, the last of them first. */
    {{"a=" A240 A16, "b=" A240 A16}, "a=" A240 A16},
    {{"a=1,b=" A240, "c=" A240, "d=" A16 A16}, "a=1,b=" A240 ",d=" A16 A16},
    {{"a=" A112 ",b=" A112 ",c=" A112 ",d=" A112 ",e=" A112},
     "a=" A112 ",b=" A112 ",c=" A112 ",d=" A112},
    {{"a=" A112 ",b=" A112 ",c=" A112 ",d=" A112 ",e=" A16 A16 A16 "aa"},
     "a=" A112 ",b=" A112 ",c=" A112 ",d=" A112 ",e=" A16 A16 A16 "aa"}, /* 512 */
    {{"a=" A112 ",b=" A112 ",c=" A112 ",d=" A112 ",e=" A16 A16 A16 "aaa"},
     "a=" A112 ",b=" A112 ",c=" A112 ",d=" A112},
    {{""}, NULL},
};

static void states_are_joined(void **state)
{
    struct guard guard;
    char out[TRACESTATE_BYTES_MAX];

    (void)state;
    assert_int_equal(ARRAY_COUNT(states), 42);
    guard_init(&guard, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(states); i++) {
        px_field fields[3];
        size_t count = 0;

        for (; count < 3 && states[i].values[count]; count++)
            fields[count] = (px_field){LITERAL("TraceState"), px_str_of(states[i].values[count])};
        if (count == 1)
            fields[0].value = guard_at_end(&guard, fields[0].value);
        size_t len = trace_state_join(fields, count, out);

        assert_str_equal(px_str_make(out, len),
                         px_str_make(out, strlen(states[i].joined ? states[i].joined : "")));
        if (states[i].joined)
            assert_str_equal(px_str_make(out, len), px_str_of(states[i].joined));
    }
    guard_deinit(&guard);
}

static void members_are_counted(void **state)
{
    char text[TRACESTATE_BYTES_MAX], out[TRACESTATE_BYTES_MAX];
    size_t len = 0;

    (void)state;
    for (int i = 0; i < TRACESTATE_MEMBERS + 1; i++) {
        const px_field field = {LITERAL("tracestate"), px_str_make(text, len)};

        assert_int_equal(trace_state_join(&field, 1, out), len);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%sa%d=1", i > 0 ? "," : "", i);
    }
    const px_field field = {LITERAL("tracestate"), px_str_make(text, len)};

    assert_int_equal(trace_state_join(&field, 1, out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parents_are_read),    cmocka_unit_test(one_parent_is_found),
        cmocka_unit_test(a_parent_is_written), cmocka_unit_test(states_are_joined),
        cmocka_unit_test(members_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
