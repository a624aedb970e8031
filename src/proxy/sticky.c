/*
 * A client stays with a server by a cookie.
 *
 * Its value is a keyed hash of the server's URL: it tells nothing of it, and nothing that has not
 * the key makes one that counts.  A client whose server is out is given another, and its cookie.
 */
#include <string.h>

#include "base/check.h"
#include "pollux/request.h"
#include "proxy/upstream.h"

static char *write_hex(char *at, uint64_t value)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[value >> shift & 0xf];
    return at;
}

void sticky_init(px_upstream *upstream)
{
    for (uint32_t index = 0; index < upstream->server_count; index++) {
        struct server *server = &upstream->servers[index];
        uint64_t halves[2] = {server->hash, 1};
        char *at = write_hex(server->cookie, siphash(&upstream->key, halves, sizeof(halves)));

        halves[1] = 2;
        at = write_hex(at, siphash(&upstream->key, halves, sizeof(halves)));
        CHECK(at == server->cookie + STICKY_BYTES);
    }
}

/* In a time that does not depend on where they differ. */
static bool is_same(const struct server *server, px_str value)
{
    unsigned char differs = 0;

    for (size_t at = 0; at < STICKY_BYTES; at++)
        differs |= (unsigned char)(server->cookie[at] ^ value.ptr[at]);
    return differs == 0;
}

struct server *sticky_find(const px_upstream *upstream, px_exchange *exchange)
{
    px_str value = px_request_cookie(exchange, upstream->sticky);

    if (value.len != STICKY_BYTES)
        return NULL;
    for (uint32_t index = 0; index < upstream->server_count; index++)
        if (is_same(&upstream->servers[index], value))
            return &upstream->servers[index];
    return NULL;
}

void sticky_set(const px_upstream *upstream, const struct server *server, px_exchange *exchange)
{
    px_cookie cookie = {.struct_size = sizeof(px_cookie),
                        .name = px_str_of(upstream->sticky),
                        .value = px_str_make(server->cookie, STICKY_BYTES),
                        .path = px_str_of("/"),
                        .same_site = px_str_of("Lax"),
                        .secure = px_request_is_https(exchange),
                        .http_only = 1};

    CHECK(upstream->sticky && server);
    if (sticky_find(upstream, exchange) != server)
        px_response_add_cookie(exchange, &cookie);
}
