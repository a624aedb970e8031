/*
 * The table of names: which host a request's host leads to, at which listener, and what is refused.
 */
#include "server/site/hosts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"

/* Hosts are addresses here: nothing looks into them. */
static char places[16];

static px_host *place(int index)
{
    return (px_host *)(void *)&places[index];
}

struct table {
    struct fault_alloc fault;
    struct arena arena;
    struct hosts hosts;
};

static void table_open(struct table *table)
{
    fault_alloc_init(&table->fault);
    arena_init(&table->arena, &table->fault.allocator, NULL, 0, SITE_BYTES_MAX);
    hosts_init(&table->hosts, &table->fault.allocator, &table->arena);
}

static void table_close(struct table *table)
{
    hosts_deinit(&table->hosts);
    arena_reset(&table->arena);
    fault_alloc_assert_empty(&table->fault);
}

static px_err add(struct table *table, const char *name, const uint16_t *listeners, uint16_t count,
                  int host)
{
    px_error error = {.code = PX_ERR_SYSTEM};
    px_err err = hosts_add(&table->hosts, &name, 1, listeners, count, place(host), &error);

    if (err != PX_OK)
        assert_int_equal(error.code, err);
    return err;
}

static int find(const struct table *table, const char *authority, uint16_t listener)
{
    px_str host = authority ? px_str_of(authority) : px_str_make(NULL, 0);
    px_host *found = hosts_find(&table->hosts, host, listener);

    return found ? (int)((char *)(void *)found - places) : -1;
}

static void the_most_specific_name_wins(void **state)
{
    static const struct {
        const char *authority;
        int host;
    } cases[] = {
        {"example.org", 1},
        {"EXAMPLE.Org", 1},
        {"example.org.", 1},
        {"example.org:8080", 1},
        {"example.org.:8080", 1},
        {"example.org:", 1},
        {"www.example.org", 2},
        {"a.example.org", 3},
        {"a.b.c.EXAMPLE.ORG:1", 3},
        {"b.a.example.org", 4},
        {"c.b.a.example.org", 4},
        {"a.www.example.org", 3},
        {"xexample.org", 0},
        {"example.org.evil", 0},
        {"org", 0},
        {".", 0},
        {NULL, 0},
        {"", 0},
        {"192.0.2.1", 5},
        {"192.0.2.1:80", 5},
        {"[2001:db8::1]", 6},
        {"[2001:DB8::1]:443", 6},
        {"[2001:db8::2]:443", 0},
    };
    struct table table;

    (void)state;
    table_open(&table);
    assert_int_equal(find(&table, "example.org", 0), -1);
    assert_int_equal(add(&table, "*", NULL, 0, 0), PX_OK);
    assert_non_null(table.hosts.only);
    assert_int_equal(find(&table, "example.org", 0), 0);
    assert_int_equal(add(&table, "Example.ORG.", NULL, 0, 1), PX_OK);
    assert_null(table.hosts.only);
    assert_int_equal(add(&table, "www.example.org", NULL, 0, 2), PX_OK);
    assert_int_equal(add(&table, "*.example.org", NULL, 0, 3), PX_OK);
    assert_int_equal(add(&table, "*.a.example.org", NULL, 0, 4), PX_OK);
    assert_int_equal(add(&table, "192.0.2.1", NULL, 0, 5), PX_OK);
    assert_int_equal(add(&table, "[2001:DB8::1]", NULL, 0, 6), PX_OK);
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 23);
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        if (find(&table, cases[index].authority, 7) != cases[index].host)
            fail_msg("%s: %d", cases[index].authority ? cases[index].authority : "(none)",
                     find(&table, cases[index].authority, 7));
    table_close(&table);
}

static void a_name_is_one_hosts_at_each_listener(void **state)
{
    static const uint16_t one[] = {1}, two[] = {2}, both[] = {2, 3};
    struct table table;

    (void)state;
    table_open(&table);
    assert_int_equal(add(&table, "a.test", one, 1, 1), PX_OK);
    assert_int_equal(add(&table, "a.test", both, 2, 2), PX_OK);
    assert_int_equal(add(&table, "A.test.", two, 1, 3), PX_ERR_CONFLICT);
    assert_int_equal(add(&table, "a.test", NULL, 0, 3), PX_ERR_CONFLICT);
    assert_int_equal(add(&table, "*.test", two, 1, 3), PX_OK);
    assert_int_equal(add(&table, "*", one, 1, 4), PX_OK);
    assert_int_equal(add(&table, "*", two, 1, 5), PX_OK);
    assert_int_equal(add(&table, "*", both, 2, 6), PX_ERR_CONFLICT);
    assert_null(table.hosts.only);
    assert_int_equal(find(&table, "a.test", 1), 1);
    assert_int_equal(find(&table, "a.test", 2), 2);
    assert_int_equal(find(&table, "a.test", 3), 2);
    assert_int_equal(find(&table, "a.test", 4), -1);
    assert_int_equal(find(&table, "b.test", 2), 3);
    assert_int_equal(find(&table, "b.test", 1), 4);
    assert_int_equal(find(&table, "else", 2), 5);
    assert_int_equal(find(&table, "else", 3), -1);
    table_close(&table);
}

static void what_is_no_name_is_refused(void **state)
{
    static const char *const bad[] = {
        "",        "*.",   "*.*", "a.*", "**",  "a b",         "a.test:80", "a.test:", "[::1]:80",
        "*.[::1]", "[::1", "a/b", "u@a", "a,b", "*.a.test:80", "a%41",      "*a.test", NULL};
    struct table table;

    (void)state;
    table_open(&table);
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++)
        if (add(&table, bad[index], NULL, 0, 0) != PX_ERR_INVALID)
            fail_msg("'%s' is taken", bad[index]);
    assert_int_equal(add(&table, "::1", NULL, 0, 1), PX_OK);
    assert_int_equal(add(&table, "[::1]", NULL, 0, 1), PX_ERR_CONFLICT);
    table_close(&table);
}

/* All names of a call, or none. */
static void a_call_that_fails_adds_nothing(void **state)
{
    static const char *const names[] = {"one", "*.two", "three", "*", "taken"};
    static const char *const twice[] = {"four", "*.four", "FOUR"};
    struct table table;
    px_error error;

    (void)state;
    table_open(&table);
    assert_int_equal(add(&table, "taken", NULL, 0, 1), PX_OK);
    assert_int_equal(hosts_add(&table.hosts, names, 5, NULL, 0, place(2), &error), PX_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "\"taken\""));
    assert_int_equal(hosts_add(&table.hosts, twice, 3, NULL, 0, place(2), &error), PX_ERR_CONFLICT);
    assert_int_equal(hosts_add(&table.hosts, names, 0, NULL, 0, place(2), &error), PX_ERR_INVALID);
    assert_int_equal(find(&table, "one", 0), -1);
    assert_int_equal(find(&table, "a.two", 0), -1);
    assert_int_equal(find(&table, "four", 0), -1);
    assert_int_equal(table.hosts.name_count, 1);
    assert_int_equal(table.hosts.wildcard_count, 0);
    assert_int_equal(hosts_add(&table.hosts, names, 4, NULL, 0, place(2), &error), PX_OK);
    assert_int_equal(find(&table, "a.two", 0), 2);
    table_close(&table);
}

static void many_names_are_found(void **state)
{
    enum { COUNT = 5000 };
    struct table table;
    char name[64];

    (void)state;
    table_open(&table);
    for (int index = 0; index < COUNT; index++) {
        snprintf(name, sizeof(name), "%shost%d.example", index % 5 == 0 ? "*." : "", index);
        assert_int_equal(add(&table, name, NULL, 0, index % 16), PX_OK);
    }
    for (int index = 0; index < COUNT; index++) {
        snprintf(name, sizeof(name), "%shost%d.example", index % 5 == 0 ? "x." : "", index);
        assert_int_equal(find(&table, name, 0), index % 16);
    }
    assert_true(table.hosts.slot_count <= 4 * COUNT);
    table_close(&table);
}

static void build(const px_allocator *allocator, void *context)
{
    struct arena arena;
    struct hosts hosts;
    char name[32];
    int last = -1;

    (void)context;
    arena_init(&arena, allocator, NULL, 0, SITE_BYTES_MAX);
    hosts_init(&hosts, allocator, &arena);
    for (int index = 0; index < 300; index++) {
        const char *names[] = {name};
        px_error error;

        snprintf(name, sizeof(name), "host%d.example", index);
        px_err err = hosts_add(&hosts, names, 1, NULL, 0, place(index % 16), &error);

        assert_true(err == PX_OK || err == PX_ERR_MEMORY);
        assert_true((hosts_find(&hosts, px_str_of(name), 0) != NULL) == (err == PX_OK));
        last = err == PX_OK ? index : last;
    }
    if (last >= 0) {
        snprintf(name, sizeof(name), "host%d.example", last);
        assert_ptr_equal(hosts_find(&hosts, px_str_of(name), 0), place(last % 16));
    }
    hosts_deinit(&hosts);
    arena_reset(&arena);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("hosts", build, NULL) >= 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_name_wins),
        cmocka_unit_test(a_name_is_one_hosts_at_each_listener),
        cmocka_unit_test(what_is_no_name_is_refused),
        cmocka_unit_test(a_call_that_fails_adds_nothing),
        cmocka_unit_test(many_names_are_found),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
