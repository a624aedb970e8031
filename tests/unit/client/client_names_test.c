/*
 * Names of servers: looked up once a second at most, followed when they change, and good for a
 * while when the resolver fails.
 *
 * getaddrinfo is wrapped, and says what the test wants.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/link.h"
#include "lib/test.h"
#include "net/names.h"
#include "unit/client/far.h"

static struct addrinfo found;
static struct sockaddr_in found_at;
static atomic_int lookups;
static atomic_bool fails;
static atomic_bool is_silent; /* and each lookup waits for let_go */
static sem_t let_go;

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list);
void __wrap_freeaddrinfo(struct addrinfo *list);

int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **out_list)
{
    (void)host;
    (void)hints;
    atomic_fetch_add(&lookups, 1);
    if (atomic_load(&is_silent))
        sem_wait(&let_go);
    if (atomic_load(&fails))
        return EAI_AGAIN;
    found_at.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    *out_list = &found;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *list)
{
    (void)list;
}

static void name_is_at(const char *address)
{
    found_at.sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, address, &found_at.sin_addr), 1);
    found = (struct addrinfo){.ai_family = AF_INET,
                              .ai_socktype = SOCK_STREAM,
                              .ai_addr = (struct sockaddr *)&found_at,
                              .ai_addrlen = sizeof(found_at)};
    atomic_store(&fails, false);
}

static struct far far;
static px_loop *loop;
static px_client *client;
static struct teller teller; /* large */
static char url[64];

static int begin(void **state)
{
    (void)state;
    far_open(&far);
    loop = px_loop_create(NULL, NULL);
    client = px_client_create(loop, NULL, NULL);
    assert_non_null(client);
    memset(&teller, 0, sizeof(teller));
    snprintf(url, sizeof(url), "http://server.test:%s", strrchr(far.host, ':') + 1);
    atomic_store(&lookups, 0);
    atomic_store(&is_silent, false);
    assert_int_equal(sem_init(&let_go, 0, 0), 0);
    name_is_at("127.0.0.1");
    return 0;
}

static int finish(void **state)
{
    (void)state;
    atomic_store(&is_silent, false);
    for (int i = 0; i < 16; i++)
        sem_post(&let_go); /* where a test has failed */
    px_client_destroy(client);
    assert_int_equal(px_loop_handle_count(loop), 0);
    px_loop_destroy(loop);
    far_close(&far);
    return 0;
}

static void answer(int fd)
{
    far_read(fd, loop, "\r\n\r\n");
    peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_OK);
}

static void start(uint32_t flags)
{
    px_fetch_options options = teller_get(url);

    options.flags = flags;
    memset(&teller, 0, sizeof(teller));
    teller_start(&teller, loop, client, &options);
}

/* A listening socket at another address of this machine, with the same port. */
static struct far far_beside(const char *address)
{
    struct far beside = far;
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t bytes = sizeof(at);
    int on = 1;

    assert_int_equal(getsockname(far.fd, (struct sockaddr *)&at, &bytes), 0);
    assert_int_equal(inet_pton(AF_INET, address, &at.sin_addr), 1);
    beside.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(beside.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(beside.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(beside.fd, 8), 0);
    return beside;
}

/* --- Through a client ------------------------------------------------------------------------- */

static void a_name_is_not_looked_up_for_each_connection(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        start(PX_FETCH_FRESH);
        int fd = far_accept(&far, loop);

        answer(fd);
        close(fd);
    }
    assert_true(atomic_load(&lookups) <= 2); /* the machine may be slow */
    pump_quietly(loop, NAMES_FRESH_MS + 50);
    int before = atomic_load(&lookups);

    start(PX_FETCH_FRESH);
    int fd = far_accept(&far, loop);

    answer(fd);
    close(fd);
    assert_int_equal(atomic_load(&lookups), before + 1);
}

static void a_change_is_followed_by_connections_that_are_kept(void **state)
{
    struct far beside = far_beside("127.0.0.2");

    (void)state;
    start(0);
    int fd = far_accept(&far, loop);

    answer(fd);
    name_is_at("127.0.0.2");
    pump_quietly(loop, NAMES_FRESH_MS + 50);
    start(0); /* this one may still go there */
    answer(fd);
    assert_true(far_sees_end(fd, loop));
    start(0);
    int other = far_accept(&beside, loop);

    answer(other);
    assert_false(far_is_dialled(&far, loop));
    close(fd);
    close(other);
    far_close(&beside);
}

/* The next request on the connection that is kept has its name looked up. */
static void look_is_due(void)
{
    LIST_ENTRY(client->open.next, struct link, node)->origin->looked_ms -= NAMES_FRESH_MS;
}

/* A name with more addresses than its answers show: once that is known, no answer ends a
 * connection. */
static void answers_that_rotate_end_no_connection(void **state)
{
    struct far beside = far_beside("127.0.0.2");

    (void)state;
    start(0);
    int fd = far_accept(&far, loop);

    answer(fd);
    name_is_at("127.0.0.2");
    look_is_due();
    start(0);
    answer(fd);
    assert_true(far_sees_end(fd, loop)); /* a change, for all that is known */
    start(0);
    int other = far_accept(&beside, loop);

    answer(other);
    for (int round = 0; round < 6; round++) {
        name_is_at(round % 2 == 0 ? "127.0.0.1" : "127.0.0.2");
        look_is_due();
        int before = atomic_load(&lookups);

        start(0);
        answer(other);
        pump_until(loop, atomic_load(&lookups) > before);
        pump_quietly(loop, 20);
    }
    assert_false(far_is_dialled(&far, loop));
    assert_false(far_is_dialled(&beside, loop));
    close(fd);
    close(other);
    far_close(&beside);
}

/* A fetch that waits for a connection of its own holds up none that needs no other. */
static void others_go_past_one_that_waits_for_its_own(void **state)
{
    static struct teller own; /* large */
    px_fetch_options options = teller_get(url);

    (void)state;
    start(0);
    int fd = far_accept(&far, loop);

    answer(fd);
    pump_quietly(loop, NAMES_FRESH_MS + 50);
    atomic_store(&is_silent, true);
    options.flags = PX_FETCH_FRESH;
    memset(&own, 0, sizeof(own));
    teller_start(&own, loop, client, &options);
    uint64_t began_ms = px_loop_now_ms(loop);

    for (int round = 0; round < 3; round++) {
        start(0);
        answer(fd);
    }
    assert_true(px_loop_now_ms(loop) - began_ms < NAMES_PATIENCE_MS);
    assert_int_equal(own.heads, 0);
    int second = far_accept(&far, loop);

    far_read(second, loop, "\r\n\r\n");
    peer_send(second, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));
    teller_wait(&own);
    assert_int_equal(own.error.code, PX_OK);
    sem_post(&let_go);
    close(fd);
    close(second);
}

static void a_resolver_that_fails_changes_nothing_at_once(void **state)
{
    (void)state;
    start(0);
    int fd = far_accept(&far, loop);

    answer(fd);
    atomic_store(&fails, true);
    pump_quietly(loop, NAMES_FRESH_MS + 50);
    start(0);
    answer(fd); /* on the kept connection */
    pump_quietly(loop, 50);
    start(PX_FETCH_FRESH);
    int other = far_accept(&far, loop);

    answer(other);
    assert_true(atomic_load(&lookups) >= 3);
    close(fd);
    close(other);
}

/* One lookup is under way, and what it finds in the end is what the next connection goes by. */
static void a_resolver_that_is_silent_holds_up_no_connection(void **state)
{
    struct far beside = far_beside("127.0.0.2");

    (void)state;
    start(PX_FETCH_FRESH);
    int fd = far_accept(&far, loop);

    answer(fd);
    close(fd);
    pump_quietly(loop, NAMES_FRESH_MS + 50);
    atomic_store(&is_silent, true);
    int before = atomic_load(&lookups);

    for (int i = 0; i < 4; i++) {
        uint64_t began_ms = px_loop_now_ms(loop);

        start(PX_FETCH_FRESH);
        fd = far_accept(&far, loop);
        /* The first is as patient as any, those behind it are not. */
        assert_true(i > 0 || px_loop_now_ms(loop) - began_ms >= NAMES_PATIENCE_MS);
        assert_true(i == 0 || px_loop_now_ms(loop) - began_ms < NAMES_PATIENCE_MS);
        answer(fd);
        close(fd);
    }
    assert_int_equal(atomic_load(&lookups), before + 1);
    name_is_at("127.0.0.2");
    atomic_store(&is_silent, false);
    sem_post(&let_go);
    pump_quietly(loop, 50);
    start(PX_FETCH_FRESH);
    fd = far_accept(&beside, loop);
    answer(fd);
    close(fd);
    assert_int_equal(atomic_load(&lookups), before + 1);
    far_close(&beside);
}

static void a_silence_of_30_s_is_an_error_in_time(void **state)
{
    px_fetch_options options = teller_get(url);
    struct net_address out[ADDRESS_COUNT_MAX];
    px_str name = px_str_of(url + strlen("http://"));

    (void)state;
    start(PX_FETCH_FRESH);
    int fd = far_accept(&far, loop);

    answer(fd);
    close(fd);
    atomic_store(&is_silent, true);
    loop->now_ms += NAMES_STALE_MS;
    assert_int_equal(names_stand_in(&client->names, name, loop->now_ms - NAMES_STALE_MS, out), 0);
    for (int i = 0; i < 2; i++) {
        options.flags = PX_FETCH_FRESH;
        options.connect_timeout_ms = 50; /* the dial has two of them */
        memset(&teller, 0, sizeof(teller));
        teller_start(&teller, loop, client, &options);
        teller_wait(&teller);
        assert_int_equal(teller.error.code, PX_ERR_TIMEOUT);
    }
    assert_int_equal(atomic_load(&lookups), 2);
    /* The lookup outlives the client. */
    px_client_destroy(client);
    client = px_client_create(loop, NULL, NULL);
    assert_non_null(client);
    sem_post(&let_go);
    pump_quietly(loop, 50);
}

/* A name that is not known is waited for, by all of its connections at once. */
static void connections_share_the_lookup_of_a_name(void **state)
{
    static struct teller others[3]; /* large */
    px_fetch_options options = teller_get(url);

    (void)state;
    atomic_store(&is_silent, true);
    for (int i = 0; i < 3; i++) {
        memset(&others[i], 0, sizeof(others[i]));
        teller_start(&others[i], loop, client, &options);
    }
    pump_quietly(loop, NAMES_PATIENCE_MS + 50);
    assert_int_equal(atomic_load(&lookups), 1);
    sem_post(&let_go);
    for (int i = 0; i < 3; i++) {
        int fd = far_accept(&far, loop);

        far_read(fd, loop, "\r\n\r\n");
        peer_send(fd, LITERAL("HTTP/1.1 200 OK\r\nConnection: close\r\n"
                              "Content-Length: 2\r\n\r\nok"));
        close(fd);
    }
    for (int i = 0; i < 3; i++) {
        teller_wait(&others[i]);
        assert_int_equal(others[i].error.code, PX_OK);
    }
    assert_int_equal(atomic_load(&lookups), 1);
}

static void a_name_that_never_was_is_an_error(void **state)
{
    (void)state;
    atomic_store(&fails, true);
    start(0);
    teller_wait(&teller);
    assert_int_equal(teller.error.code, PX_ERR_NOT_FOUND);
    name_is_at("127.0.0.1");
    start(0);
    int fd = far_accept(&far, loop);

    answer(fd);
    close(fd);
}

static void a_client_ends_while_a_name_is_looked_up(void **state)
{
    (void)state;
    start(0);
    int fd = far_accept(&far, loop);

    answer(fd);
    pump_quietly(loop, NAMES_FRESH_MS + 50);
    start(0);
    far_read(fd, loop, "\r\n\r\n");
    close(fd); /* finish destroys what is under way */
}

/* --- By the clock ----------------------------------------------------------------------------- */

static void answers_grow_old(void **state)
{
    struct names names;
    struct net_address in[2] = {{.bytes = 1}, {.bytes = 2}}, out[ADDRESS_COUNT_MAX];
    px_str name = px_str_of("server.test:80");

    (void)state;
    names_init(&names, loop);
    loop->now_ms = 10 * 1000 * 1000;
    assert_int_equal(names_known(&names, name, out), 0);
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 0);
    assert_true(names_patience_ms(&names, name, loop->now_ms) == UINT64_MAX);
    names_found(&names, name, in, 2);
    loop->now_ms += NAMES_FRESH_MS - 1;
    assert_int_equal(names_known(&names, name, out), 2);
    assert_memory_equal(out, in, sizeof(in));
    loop->now_ms += 1;
    assert_int_equal(names_known(&names, name, out), 0);
    /* However old it is: the 30 s begin with the first failure. */
    loop->now_ms += 3600 * 1000;
    assert_true(names_patience_ms(&names, name, loop->now_ms) == loop->now_ms + NAMES_PATIENCE_MS);
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 2);
    assert_int_equal(names_known(&names, name, out), 0);
    assert_true(names_patience_ms(&names, name, loop->now_ms) == loop->now_ms);
    loop->now_ms += NAMES_STALE_MS - 1;
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 2);
    loop->now_ms += 1;
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 0);
    /* An answer in between begins it anew. */
    names_found(&names, name, in, 1);
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 1);
    names_found(&names, name, in, 2);
    loop->now_ms += NAMES_STALE_MS + 1;
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 2);
    /* They begin with that lookup, not with its end. */
    names_found(&names, name, in, 2);
    assert_int_equal(names_stand_in(&names, name, loop->now_ms - NAMES_STALE_MS + 1, out), 2);
    loop->now_ms += 1;
    assert_int_equal(names_stand_in(&names, name, loop->now_ms, out), 0);
    names_deinit(&names);
}

static void names_are_bounded(void **state)
{
    struct names names;
    struct net_address in = {.bytes = 1}, out[ADDRESS_COUNT_MAX];
    char text[32];

    (void)state;
    names_init(&names, loop);
    for (int i = 0; i < 2 * NAMES_COUNT_MAX; i++) {
        snprintf(text, sizeof(text), "server-%d.test:80", i);
        names_found(&names, px_str_of(text), &in, 1);
    }
    assert_int_equal(names.map.count, NAMES_COUNT_MAX);
    assert_int_equal(names_known(&names, px_str_of(text), out), 1);
    assert_int_equal(names_known(&names, px_str_of("server-0.test:80"), out), 0);
    names_deinit(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_name_is_not_looked_up_for_each_connection, begin, finish),
        cmocka_unit_test_setup_teardown(a_change_is_followed_by_connections_that_are_kept, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(answers_that_rotate_end_no_connection, begin, finish),
        cmocka_unit_test_setup_teardown(others_go_past_one_that_waits_for_its_own, begin, finish),
        cmocka_unit_test_setup_teardown(a_resolver_that_fails_changes_nothing_at_once, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(a_resolver_that_is_silent_holds_up_no_connection, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(a_silence_of_30_s_is_an_error_in_time, begin, finish),
        cmocka_unit_test_setup_teardown(connections_share_the_lookup_of_a_name, begin, finish),
        cmocka_unit_test_setup_teardown(a_name_that_never_was_is_an_error, begin, finish),
        cmocka_unit_test_setup_teardown(a_client_ends_while_a_name_is_looked_up, begin, finish),
        cmocka_unit_test_setup_teardown(answers_grow_old, begin, finish),
        cmocka_unit_test_setup_teardown(names_are_bounded, begin, finish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
