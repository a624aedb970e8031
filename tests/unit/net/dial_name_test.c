/*
 * Dialling a name while the resolver hangs: the deadline holds all the same, and what the helper
 * thread brings later is dropped.
 *
 * getaddrinfo is wrapped, and lets go when the test says so.
 */
#include <netdb.h>
#include <semaphore.h>
#include <time.h>

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "pollux/stream.h"
#include "unit/io/pump.h"

static sem_t let_go;
static sem_t gone_on;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list)
{
    struct timespec limit;

    (void)host;
    (void)port;
    (void)hints;
    (void)out_list;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 3; /* without a deadline, the test goes on here and fails */
    sem_timedwait(&let_go, &limit);
    sem_post(&gone_on);
    return EAI_NONAME;
}

struct dialled {
    int count;
    px_err result;
};

static void on_dialled(px_stream *stream, px_err result, void *context)
{
    struct dialled *dialled = context;

    assert_null(stream);
    dialled->count++;
    dialled->result = result;
}

static void name_dial(struct fault_alloc *fault, px_loop **out_loop, struct dialled *dialled,
                      uint32_t timeout_ms)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;

    fault_alloc_init(fault);
    options.allocator = &fault->allocator;
    *out_loop = px_loop_create(&options, &error);
    assert_non_null(*out_loop);
    assert_int_equal(sem_init(&let_go, 0, 0), 0);
    assert_int_equal(sem_init(&gone_on, 0, 0), 0);
    *dialled = (struct dialled){0};
    assert_int_equal(px_dial(*out_loop, "localhost:1", timeout_ms, on_dialled, dialled, &error),
                     PX_OK);
}

static void deadline_holds_while_a_name_is_looked_up(void **state)
{
    struct fault_alloc fault;
    struct dialled dialled;
    px_loop *loop;

    (void)state;
    name_dial(&fault, &loop, &dialled, 50);
    pump_until(loop, dialled.count == 1);
    assert_int_equal(dialled.result, PX_ERR_TIMEOUT);
    assert_int_equal(px_loop_handle_count(loop), 0);
    /* The lookup is still on its way: it was not waited for. */
    int looked_up;

    sem_getvalue(&gone_on, &looked_up);
    assert_int_equal(looked_up, 0);
    sem_post(&let_go);
    sem_wait(&gone_on);
    pump_quietly(loop, 30);
    assert_int_equal(dialled.count, 1);
    px_loop_destroy(loop);
    fault_alloc_assert_empty(&fault);
}

/* The thread lets go while the loop is being destroyed. */
static void loop_may_end_before_the_lookup(void **state)
{
    struct fault_alloc fault;
    struct dialled dialled;
    px_loop *loop;

    (void)state;
    name_dial(&fault, &loop, &dialled, 20);
    pump_until(loop, dialled.count == 1);
    assert_int_equal(dialled.result, PX_ERR_TIMEOUT);
    sem_post(&let_go);
    px_loop_destroy(loop);
    assert_int_equal(dialled.count, 1);
    fault_alloc_assert_empty(&fault);
}

static void name_that_is_not_found(void **state)
{
    struct fault_alloc fault;
    struct dialled dialled;
    px_loop *loop;

    (void)state;
    name_dial(&fault, &loop, &dialled, 5000);
    sem_post(&let_go);
    pump_until(loop, dialled.count == 1);
    assert_int_equal(dialled.result, PX_ERR_NOT_FOUND);
    px_loop_destroy(loop);
    fault_alloc_assert_empty(&fault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_holds_while_a_name_is_looked_up),
        cmocka_unit_test(loop_may_end_before_the_lookup),
        cmocka_unit_test(name_that_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
