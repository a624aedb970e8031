/*
 * Sec-WebSocket-Extensions, -Protocol and origins: whatever the bytes, what is agreed can be
 * written, is an answer that a client takes for its offer, and is agreed to again.
 */
#include <stdint.h>

#include "base/check.h"
#include "http/ws/ws_deflate.h"
#include "http/ws/ws_extension.h"
#include "http/ws/ws_handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct ws_deflate_terms widest = {.server_bits = 15, .client_bits = 15};
    static const char *const ours[] = {"chat", "superchat"};
    px_str text = px_str_make((const char *)data, len);
    px_field fields[2] = {{px_str_of("Sec-WebSocket-Extensions"), text},
                          {px_str_of("Sec-WebSocket-Protocol"), text}};
    struct ws_deflate_terms agreed, again;
    char out[WS_TERMS_BYTES_MAX];
    px_str chosen;

    if (ws_deflate_choose(fields, 2, &widest, &agreed) == PX_OK) {
        CHECK(agreed.server_bits >= WS_WINDOW_BITS_MIN && agreed.server_bits <= WS_WINDOW_BITS_MAX);
        CHECK(agreed.client_bits >= WS_WINDOW_BITS_MIN && agreed.client_bits <= WS_WINDOW_BITS_MAX);
        size_t bytes = ws_deflate_write(&agreed, out);

        CHECK(bytes <= sizeof(out));
        px_field answer = {fields[0].name, px_str_make(out, bytes)};

        CHECK(ws_deflate_answer(&answer, 1, &agreed, &again) == PX_OK);
        CHECK(again.server_bits == agreed.server_bits && again.client_bits == agreed.client_bits);
        CHECK(ws_deflate_choose(&answer, 1, &widest, &again) == PX_OK);
        CHECK(again.server_bits == agreed.server_bits);
    }
    if (ws_protocol_choose(fields, 2, ours, 2, &chosen) == PX_OK && chosen.ptr)
        CHECK(px_str_equal(chosen, px_str_of(ours[0])) || px_str_equal(chosen, px_str_of(ours[1])));
    if (ws_origin_same(text, px_str_of("https"), px_str_of("example.com")))
        CHECK(ws_origin_equal(text, px_str_of("https://example.com:443")));
    if (ws_key_valid(text))
        ws_accept_make(text, out);
    return 0;
}
