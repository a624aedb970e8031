/*
 * Basic authentication: which requests pass, what is remembered and for how long, and whose checks
 * go first and give way when there are too many.
 */
#include "pollux/basic_auth.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "unit/exchange/double.h"
#include "unit/gate/hashes.h"

static const char users_text[] = "ann:" HASH_BCRYPT "\nbob:" HASH_SHA512 "\nempty:"
                                 "$2y$04$KIoyeZeQwLS5DRSN8V4GEuzUFcWQjvMDDxzmuTSRGCiDWdX7i4KOC\n";

static px_basic_auth_options options_of(void)
{
    px_basic_auth_options options = PX_BASIC_AUTH_OPTIONS_DEFAULT;

    options.realm = "the \"staff\"";
    options.file = "users";
    options.users = px_str_of(users_text);
    return options;
}

/* What middleware and handler of a route would do: px_exchange_next comes to `waiting`. */
static void handle(px_exchange *exchange, void *context)
{
    if (px_basic_auth_check(exchange, context) == PX_NEXT)
        px_respond_text(exchange, 200, "");
}

/* In place of the server's dispatch. */
static void pass(px_exchange *exchange)
{
    px_respond_text(exchange, 200, "");
}

static bool begin(struct call *call, struct stage *stage, px_basic_auth *auth,
                  const char *credentials, const char *client)
{
    char head[1024];

    snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s%s\r\n\r\n",
             credentials ? "Authorization: " : "X: y", credentials ? credentials : "");
    if (!call_make(call, stage, head))
        return false;
    if (client)
        call->exchange->arrival.client = px_str_of(client);
    call_handler(call, handle, auth);
    return true;
}

/* The status that a call gets, in the end. */
static unsigned finish(struct call *call)
{
    if (call->exchange)
        pump_until(call->stage->loop, call->heads > 0 || call->resets > 0);
    call_drive(call);
    unsigned status = call->taken ? call->status : 0;

    call_finish(call);
    return status;
}

static unsigned ask(struct stage *stage, px_basic_auth *auth, const char *credentials)
{
    struct call call;

    assert_true(begin(&call, stage, auth, credentials, NULL));
    return finish(&call);
}

static bool open_stage(struct stage *stage, const px_allocator *allocator)
{
    if (!stage_open(stage, allocator))
        return false;
    stage->service.dispatch = pass;
    return true;
}

static const struct {
    const char *credentials;
    unsigned status;
} cases[] = {
    {NULL, 401},
    {"Basic YW5uOnNlY3JldA==", 200}, /* ann:secret */
    {"basic  YW5uOnNlY3JldA", 200},  /* without padding */
    {"Basic Ym9iOnNlY3JldA==", 200}, /* bob:secret */
    {"Basic ZW1wdHk6", 401},         /* empty: with an empty password, which is not his */
    {"Basic YW5uOnNlY3JldQ==", 401}, /* ann:secreu */
    {"Basic QW5uOnNlY3JldA==", 401}, /* Ann:secret */
    {"Basic Y2lkOnNlY3JldA==", 401}, /* cid:secret */
    {"Basic OnNlY3JldA==", 401},     /* :secret */
    {"Basic YW5u", 401},             /* no colon */
    {"Basic YW5uOnNlY3JldAA=", 401}, /* ann:secret and a NUL */
    {"Basic !!!!", 401},
    {"Basic", 401},
    {"Bearer YW5uOnNlY3JldA==", 401},
};

static void credentials_are_checked(void **state)
{
    px_basic_auth_options options = options_of();
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);
    struct stage stage;
    struct call call;

    (void)state;
    assert_non_null(auth);
    assert_true(open_stage(&stage, NULL));
    for (int round = 0; round < 2; round++)
        for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
            assert_int_equal(ask(&stage, auth, cases[index].credentials), cases[index].status);
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 14);
    assert_true(begin(&call, &stage, auth, NULL, NULL));
    call_drive(&call);
    assert_non_null(strstr(call.head, "WWW-Authenticate: Basic realm=\"the \\\"staff\\\"\", "
                                      "charset=\"UTF-8\"\n"));
    call_finish(&call);
    px_basic_auth_destroy(auth);
    px_basic_auth_destroy(NULL);
    stage_close(&stage);
}

static const char right[] = "Basic YW5uOnNlY3JldA==";

/* Whether the answer was there before any helper thread could have said anything. */
static bool passes_at_once(struct stage *stage, px_basic_auth *auth)
{
    struct call call;

    assert_true(begin(&call, stage, auth, right, NULL));
    bool at_once = call.heads > 0;

    assert_int_equal(finish(&call), 200);
    return at_once;
}

static void what_was_right_is_remembered(void **state)
{
    px_basic_auth_options options = options_of();
    struct stage stage;

    (void)state;
    assert_true(open_stage(&stage, NULL));
    options.known_timeout_ms = 50;
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);

    assert_false(passes_at_once(&stage, auth));
    assert_true(passes_at_once(&stage, auth));
    pump_quietly(stage.loop, 80);
    assert_false(passes_at_once(&stage, auth));
    px_basic_auth_destroy(auth);
    options.known_timeout_ms = 0;
    options.known_max = 1;
    auth = px_basic_auth_create(&options, NULL);
    assert_false(passes_at_once(&stage, auth));
    assert_int_equal(ask(&stage, auth, "Basic Ym9iOnNlY3JldA=="), 200); /* takes the place */
    assert_false(passes_at_once(&stage, auth));
    px_basic_auth_destroy(auth);
    options.known_max = PX_OFF;
    auth = px_basic_auth_create(&options, NULL);
    assert_false(passes_at_once(&stage, auth));
    assert_false(passes_at_once(&stage, auth));
    px_basic_auth_destroy(auth);
    stage_close(&stage);
}

/* Wrong credentials, others each time: base64 of "ann:w" and four digits. */
static void wrong_of(char out[64], unsigned number)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[16], *at = out + snprintf(out, 64, "Basic ");

    snprintf(text, sizeof(text), "ann:w%04u", number);
    for (size_t index = 0; index < 9; index += 3) {
        unsigned bits = (unsigned)(text[index] << 16 | text[index + 1] << 8 | text[index + 2]);

        for (int shift = 18; shift >= 0; shift -= 6)
            *at++ = digits[bits >> shift & 63];
    }
    *at = '\0';
}

enum { CROWD = 40 };

/* One address fills the queue with wrong passwords: another one's turn comes next all the same, and
 * what gives way is of the crowd. */
static void an_honest_client_goes_first(void **state)
{
    px_basic_auth_options options = options_of();
    struct stage stage;
    struct call crowd[CROWD], honest;
    unsigned refused = 0, judged = 0;

    (void)state;
    options.running_max = 1;
    options.waiting_max = 8;
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);

    assert_true(open_stage(&stage, NULL));
    for (unsigned index = 0; index < CROWD; index++) {
        char credentials[64];

        wrong_of(credentials, index);
        assert_true(begin(&crowd[index], &stage, auth, credentials, "192.0.2.66"));
    }
    assert_true(begin(&honest, &stage, auth, right, "198.51.100.1"));
    pump_until(stage.loop, honest.heads > 0);
    unsigned before = 0;

    for (unsigned index = 0; index < CROWD; index++) {
        unsigned status = crowd[index].exchange->answer.status;

        before += crowd[index].heads > 0 && status == 401;
    }
    assert_in_range(before, 0, 2); /* the one that ran, and at most the next */
    assert_int_equal(finish(&honest), 200);
    for (unsigned index = 0; index < CROWD; index++) {
        unsigned status = finish(&crowd[index]);

        refused += status == 429;
        judged += status == 401;
    }
    assert_int_equal(refused + judged, CROWD);
    assert_int_equal(judged, 8); /* one ran; of the eight that waited one gave way */
    px_basic_auth_destroy(auth);
    stage_close(&stage);
}

static void many_addresses_are_told_that_it_is_busy(void **state)
{
    px_basic_auth_options options = options_of();
    struct stage stage;
    struct call calls[4];
    static const char *const clients[] = {"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"};

    (void)state;
    options.running_max = 1;
    options.waiting_max = 2;
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);

    assert_true(open_stage(&stage, NULL));
    for (unsigned index = 0; index < 4; index++) {
        char credentials[64];

        wrong_of(credentials, index);
        assert_true(begin(&calls[index], &stage, auth, credentials, clients[index]));
    }
    for (unsigned index = 0; index < 4; index++)
        assert_int_equal(finish(&calls[index]), index == 3 ? 503 : 401);
    px_basic_auth_destroy(auth);
    stage_close(&stage);
}

/* A page and all that is in it are one check. */
static void requests_share_a_check(void **state)
{
    px_basic_auth_options options = options_of();
    struct stage stage;
    struct call calls[CROWD];

    (void)state;
    options.waiting_max = 1;
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);

    assert_true(open_stage(&stage, NULL));
    for (unsigned index = 0; index < CROWD; index++)
        assert_true(begin(&calls[index], &stage, auth, right, NULL));
    for (unsigned index = 0; index < CROWD; index++)
        assert_int_equal(finish(&calls[index]), 200);
    px_basic_auth_destroy(auth);
    stage_close(&stage);
}

/* Exchanges that have ended hold no place, and what is destroyed ends with its last check. */
static void those_that_left_hold_no_place(void **state)
{
    px_basic_auth_options options = options_of();
    struct stage stage;
    struct call calls[4];

    (void)state;
    options.running_max = 1;
    options.waiting_max = 2;
    assert_true(open_stage(&stage, NULL));
    options.allocator = &stage.fault.allocator;
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);

    for (unsigned index = 0; index < 3; index++) {
        char credentials[64];

        wrong_of(credentials, index);
        assert_true(begin(&calls[index], &stage, auth, credentials, "192.0.2.66"));
    }
    call_end(&calls[1], PX_END_PEER_GONE);
    call_end(&calls[2], PX_END_PEER_GONE);
    assert_true(begin(&calls[3], &stage, auth, right, "192.0.2.66"));
    assert_int_equal(finish(&calls[3]), 200);
    assert_int_equal(finish(&calls[0]), 401);
    call_finish(&calls[1]);
    call_finish(&calls[2]);
    /* One runs and one waits; nothing waits for them any more. */
    for (unsigned index = 0; index < 2; index++) {
        char credentials[64];

        wrong_of(credentials, 100 + index);
        assert_true(begin(&calls[index], &stage, auth, credentials, NULL));
        call_end(&calls[index], PX_END_PEER_GONE);
    }
    call_finish(&calls[0]);
    call_finish(&calls[1]);
    px_basic_auth_destroy(auth);
    stage_close(&stage); /* everything was given back */
}

static void wrong_options_are_told(void **state)
{
    px_basic_auth_options wrong[5];
    px_error error = PX_ERROR_INIT;

    (void)state;
    for (size_t index = 0; index < 5; index++)
        wrong[index] = options_of();
    wrong[0].realm = "a\nb";
    wrong[1].waiting_max = AUTH_WAITING_LIMIT + 1;
    wrong[2].users = px_str_of("ann:secret");
    wrong[3].users = px_str_of(NULL);
    wrong[3].file = NULL;
    wrong[4].users = px_str_of(NULL);
    wrong[4].file = "/nowhere/users";
    for (size_t index = 0; index < 5; index++) {
        assert_null(px_basic_auth_create(&wrong[index], &error));
        assert_int_equal(error.code, index == 4 ? PX_ERR_NOT_FOUND : PX_ERR_INVALID);
        assert_true(error.text[0] != '\0');
    }
}

/* --- Memory ----------------------------------------------------------------------------------- */

static void make_once(const px_allocator *allocator, void *context)
{
    px_basic_auth_options options = options_of();
    px_error error = PX_ERROR_INIT;

    (void)context;
    options.allocator = allocator;
    px_basic_auth *auth = px_basic_auth_create(&options, &error);

    assert_int_equal(error.code, auth ? PX_OK : PX_ERR_MEMORY);
    px_basic_auth_destroy(auth);
}

static void ask_once(const px_allocator *allocator, void *context)
{
    px_basic_auth_options options = options_of();
    struct stage stage;
    struct call call;

    (void)context;
    options.allocator = allocator;
    if (!open_stage(&stage, allocator))
        return;
    px_basic_auth *auth = px_basic_auth_create(&options, NULL);

    if (auth && begin(&call, &stage, auth, right, NULL)) {
        unsigned status = finish(&call);

        assert_true(status == 200 || status == 503 || status == 0);
    } else if (auth) {
        call_finish(&call);
    }
    px_basic_auth_destroy(auth);
    stage_close(&stage);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_int_equal(fault_alloc_each("basic auth", make_once, NULL), 4);
    assert_true(fault_alloc_each("a request with a password", ask_once, NULL) >= 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credentials_are_checked),
        cmocka_unit_test(what_was_right_is_remembered),
        cmocka_unit_test(an_honest_client_goes_first),
        cmocka_unit_test(many_addresses_are_told_that_it_is_busy),
        cmocka_unit_test(requests_share_a_check),
        cmocka_unit_test(those_that_left_hold_no_place),
        cmocka_unit_test(wrong_options_are_told),
        cmocka_unit_test(each_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
