/*
 * Keys, subprotocols, origins and extensions of the opening handshake.
 */
#include "http/ws/ws_handshake.h"

#include "http/ws/ws_extension.h"
#include "http/ws/ws_sha1.h"
#include "lib/guard.h"
#include "lib/test.h"

enum { OFFER_COUNT = 36 };

static void sha1_is_that_of_the_standard(void **state)
{
    static const struct {
        const char *text;
        const char *hash;
    } known[] = {
        {"", "\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09"},
        {"abc", "\xa9\x99\x3e\x36\x47\x06\x81\x6a\xba\x3e\x25\x71\x78\x50\xc2\x6c\x9c\xd0\xd8\x9d"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "\x84\x98\x3e\x44\x1c\x3b\xd2\x6e\xba\xae\x4a\xa1\xf9\x51\x29\xe5\xe5\x46\x70\xf1"},
    };
    uint8_t hash[SHA1_BYTES];

    (void)state;
    for (size_t index = 0; index < 3; index++) {
        ws_sha1(px_str_of(known[index].text), hash);
        assert_memory_equal(hash, known[index].hash, SHA1_BYTES);
    }
}

/* RFC 6455 section 1.3. */
static void the_accept_is_that_of_the_rfc(void **state)
{
    char accept[WS_ACCEPT_BYTES], key[WS_KEY_BYTES];

    (void)state;
    ws_accept_make(LITERAL("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WS_ACCEPT_BYTES);
    ws_key_make((const uint8_t *)"the sample nonce", key);
    assert_memory_equal(key, "dGhlIHNhbXBsZSBub25jZQ==", WS_KEY_BYTES);
}

static void keys_are_16_bytes(void **state)
{
    (void)state;
    assert_true(ws_key_valid(LITERAL("AQIDBAUGBwgJCgsMDQ4PEA==")));
    assert_true(ws_key_valid(LITERAL("dGhlIHNhbXBsZSBub25jZR==")));
    assert_false(ws_key_valid(px_str_make(NULL, 0)));
    assert_false(ws_key_valid(LITERAL("")));
    assert_false(ws_key_valid(LITERAL("dGhlIHNhbXBsZSBub25jZQ=")));
    assert_false(ws_key_valid(LITERAL("dGhlIHNhbXBsZSBub25jZQA=")));
    assert_false(ws_key_valid(LITERAL("dGhlIHNhbXBsZSBub25jZQ===")));
    assert_false(ws_key_valid(LITERAL("dGhlIHNhbXBsZSBub25j*Q==")));
    assert_false(ws_key_valid(LITERAL("dGhlIHNhbXBsZSBub25j\0Q==")));
}

static px_field field(const char *name, const char *value)
{
    return (px_field){px_str_of(name), px_str_of(value)};
}

static void protocols_go_by_the_servers_order(void **state)
{
    static const char *const ours[] = {"chat", "superchat"};
    px_field fields[] = {field("Sec-WebSocket-Protocol", "superchat, x"), field("Host", "a"),
                         field("sec-websocket-protocol", "chat")};
    px_str chosen;

    (void)state;
    assert_int_equal(ws_protocol_choose(fields, 3, ours, 2, &chosen), PX_OK);
    assert_str_equal(chosen, LITERAL("chat"));
    assert_int_equal(ws_protocol_choose(fields, 1, ours, 2, &chosen), PX_OK);
    assert_str_equal(chosen, LITERAL("superchat"));
    assert_int_equal(ws_protocol_choose(fields, 3, NULL, 0, &chosen), PX_OK);
    assert_null(chosen.ptr);
    fields[0].value = px_str_of("CHAT"); /* to the letter */
    assert_int_equal(ws_protocol_choose(fields, 1, ours, 2, &chosen), PX_OK);
    assert_null(chosen.ptr);
    fields[0].value = px_str_of("chat, chat");
    assert_int_equal(ws_protocol_choose(fields, 1, ours, 2, &chosen), PX_ERR_MALFORMED);
    fields[0].value = px_str_of("a b");
    assert_int_equal(ws_protocol_choose(fields, 1, ours, 2, &chosen), PX_ERR_MALFORMED);
    fields[0].value = px_str_of("chat"); /* twice, on two lines */
    assert_int_equal(ws_protocol_choose(fields, 3, ours, 2, &chosen), PX_ERR_MALFORMED);
}

static void origins_are_compared(void **state)
{
    px_str http = LITERAL("http"), https = LITERAL("https"), host = LITERAL("example.com");

    (void)state;
    assert_true(ws_origin_same(LITERAL("http://example.com"), http, host));
    assert_true(ws_origin_same(LITERAL("HTTP://EXAMPLE.com"), http, host));
    assert_true(ws_origin_same(LITERAL("http://example.com:80"), http, host));
    assert_true(ws_origin_same(LITERAL("https://example.com"), https, LITERAL("example.com:443")));
    assert_true(ws_origin_same(LITERAL("http://[::1]:8080"), http, LITERAL("[::1]:8080")));
    assert_false(ws_origin_same(LITERAL("https://example.com"), http, host));
    assert_false(ws_origin_same(LITERAL("http://example.com:443"), http, host));
    assert_false(ws_origin_same(LITERAL("http://example.com.evil"), http, host));
    assert_false(ws_origin_same(LITERAL("http://evil.example.com"), http, host));
    assert_false(ws_origin_same(LITERAL("null"), http, host));
    assert_false(ws_origin_same(LITERAL(""), http, host));
    assert_false(ws_origin_same(LITERAL("://example.com"), LITERAL(""), host));
    assert_true(ws_origin_equal(LITERAL("null"), LITERAL("null")));
    assert_true(ws_origin_equal(LITERAL("https://a:443"), LITERAL("https://A")));
    assert_false(ws_origin_equal(LITERAL("https://a"), LITERAL("http://a")));
}

/* --- permessage-deflate ----------------------------------------------------------------------- */

static const struct {
    const char *offer;
    const char *answer; /* NULL: none fits; "bad": malformed */
} offers[] = {
    {"permessage-deflate", "permessage-deflate"},
    {"PerMessage-Deflate", "permessage-deflate"},
    {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
    {"permessage-deflate;client_max_window_bits=15", "permessage-deflate"},
    {"permessage-deflate; client_max_window_bits=10",
     "permessage-deflate; client_max_window_bits=10"},
    {"permessage-deflate; client_max_window_bits=8",
     "permessage-deflate; client_max_window_bits=8"},
    {"permessage-deflate; server_max_window_bits=10",
     "permessage-deflate; server_max_window_bits=10"},
    {"permessage-deflate; server_max_window_bits=8",
     "permessage-deflate; server_max_window_bits=8"},
    {"permessage-deflate; server_max_window_bits=\"9\"",
     "permessage-deflate; server_max_window_bits=9"},
    {"permessage-deflate; server_max_window_bits=\"1\\0\"; client_max_window_bits=\"\\9\"",
     "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9"},
    {"permessage-deflate; server_max_window_bits=\"10\\", "bad"},
    {"permessage-deflate; server_max_window_bits=\"10\\\"", "bad"},
    {"permessage-deflate; server_max_window_bits=1\\0", "bad"},
    {"permessage-deflate; server_max_window_bits=\"\"", "bad"},
    {"permessage-deflate; server_no_context_takeover",
     "permessage-deflate; server_no_context_takeover"},
    {"permessage-deflate; client_no_context_takeover",
     "permessage-deflate; client_no_context_takeover"},
    {"permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
     "server_max_window_bits=12; client_max_window_bits=11",
     "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
     "server_max_window_bits=12; client_max_window_bits=11"},
    {"x-webkit-deflate-frame, permessage-deflate", "permessage-deflate"},
    {"permessage-deflate; server_max_window_bits=7, permessage-deflate", "permessage-deflate"},
    {"permessage-deflate; x, permessage-deflate; server_max_window_bits=9",
     "permessage-deflate; server_max_window_bits=9"},
    {"permessage-deflate; server_max_window_bits=16", NULL},
    {"permessage-deflate; server_max_window_bits=08", NULL},
    {"permessage-deflate; server_max_window_bits", NULL},
    {"permessage-deflate; client_max_window_bits=7", NULL},
    {"permessage-deflate; client_max_window_bits=1", NULL},
    {"permessage-deflate; server_no_context_takeover=1", NULL},
    {"permessage-deflate; server_no_context_takeover; server_no_context_takeover", NULL},
    {"permessage-deflate; unknown=1", NULL},
    {"permessage-bzip2", NULL},
    {"", NULL},
    {",,", NULL},
    {"permessage-deflate;", "bad"},
    {"permessage-deflate; =9", "bad"},
    {"permessage-deflate; server_max_window_bits=", "bad"},
    {"permessage deflate", "bad"},
    {"; x", "bad"},
};

_Static_assert(sizeof(offers) / sizeof(offers[0]) == OFFER_COUNT, "offers are counted");

static const struct ws_deflate_terms widest = {.server_bits = 15, .client_bits = 15};

static void offers_are_chosen_from(void **state)
{
    struct guard guard;

    (void)state;
    guard_init(&guard, 4096);
    for (size_t index = 0; index < OFFER_COUNT; index++) {
        px_field given = {px_str_of("Sec-WebSocket-Extensions"),
                          guard_at_end(&guard, px_str_of(offers[index].offer))};
        struct ws_deflate_terms agreed;
        char out[WS_TERMS_BYTES_MAX];
        px_err err = ws_deflate_choose(&given, 1, &widest, &agreed);
        const char *answer = offers[index].answer;

        if (!answer) {
            assert_int_equal(err, PX_ERR_NOT_FOUND);
        } else if (strcmp(answer, "bad") == 0) {
            assert_int_equal(err, PX_ERR_MALFORMED);
        } else {
            assert_int_equal(err, PX_OK);
            assert_str_equal(px_str_make(out, ws_deflate_write(&agreed, out)), px_str_of(answer));
        }
    }
    guard_deinit(&guard);
}

static void the_server_may_want_less(void **state)
{
    struct ws_deflate_terms wanted = {
        .server_bits = 11, .client_bits = 9, .server_no_takeover = true};
    struct ws_deflate_terms agreed;
    px_field given = field("Sec-WebSocket-Extensions", "permessage-deflate");
    char out[WS_TERMS_BYTES_MAX];

    (void)state;
    assert_int_equal(ws_deflate_choose(&given, 1, &wanted, &agreed), PX_OK);
    assert_str_equal(px_str_make(out, ws_deflate_write(&agreed, out)),
                     LITERAL("permessage-deflate; server_no_context_takeover; "
                             "server_max_window_bits=11"));
    assert_int_equal(agreed.client_bits, 15); /* it did not say that it takes less */
    given.value = px_str_of("permessage-deflate; client_max_window_bits");
    assert_int_equal(ws_deflate_choose(&given, 1, &wanted, &agreed), PX_OK);
    assert_int_equal(agreed.client_bits, 9);
}

/* RFC 7692 section 5.1: an answer that is none to the offer fails the connection. */
static void answers_fit_their_offer(void **state)
{
    struct ws_deflate_terms offer = {
        .server_bits = 12, .client_bits = 15, .client_bits_asked = true};
    struct ws_deflate_terms agreed;
    static const struct {
        const char *answer;
        px_err err;
    } answers[] = {
        {"permessage-deflate; server_max_window_bits=12", PX_OK},
        {"permessage-deflate; server_max_window_bits=9; client_max_window_bits=9", PX_OK},
        {"permessage-deflate", PX_ERR_MALFORMED},
        {"permessage-deflate; server_max_window_bits=13", PX_ERR_MALFORMED},
        {"permessage-deflate; server_max_window_bits=12; client_max_window_bits", PX_ERR_MALFORMED},
        {"x", PX_ERR_MALFORMED},
        {"permessage-deflate; server_max_window_bits=12, x", PX_ERR_MALFORMED},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(answers) / sizeof(answers[0]); index++) {
        px_field given = field("sec-websocket-extensions", answers[index].answer);

        assert_int_equal(ws_deflate_answer(&given, 1, &offer, &agreed), answers[index].err);
    }
    assert_int_equal(ws_deflate_answer(NULL, 0, &offer, &agreed), PX_ERR_NOT_FOUND);
    offer.client_bits_asked = false;
    px_field given =
        field("sec-websocket-extensions",
              "permessage-deflate; server_max_window_bits=9; client_max_window_bits=9");

    assert_int_equal(ws_deflate_answer(&given, 1, &offer, &agreed), PX_ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha1_is_that_of_the_standard),
        cmocka_unit_test(the_accept_is_that_of_the_rfc),
        cmocka_unit_test(keys_are_16_bytes),
        cmocka_unit_test(protocols_go_by_the_servers_order),
        cmocka_unit_test(origins_are_compared),
        cmocka_unit_test(offers_are_chosen_from),
        cmocka_unit_test(the_server_may_want_less),
        cmocka_unit_test(answers_fit_their_offer),
    };

    return cmocka_run_group_tests_name("ws_handshake", tests, NULL, NULL);
}
