/*
 * Trusted proxies and what they say.
 *
 * Happy path: the peer is trusted, the last element of the list names the peer it heard from; if
 * that is trusted too, the element before it counts, and so on to the first address that is not.
 * What a client itself wrote stands left of that and is never looked at.  What can go wrong (no
 * element, no address in it, two fields that disagree) leaves the nearest address that is known.
 */
#include "server/site/trust.h"

#include <string.h>

#include "base/error.h"
#include "http/fields/field.h"
#include "http/fields/forwarded.h"
#include "net/cidr.h"
#include "server/session/facts.h"

/* --- The set ---------------------------------------------------------------------------------- */

px_err trust_init(px_server *server, px_error *out_error)
{
    const px_server_options *options = &server->options;

    if (options->forwarded > PX_FORWARDED_NONE)
        return error_set(out_error, PX_ERR_INVALID, 0, "no such choice of forwarded fields: %u",
                         options->forwarded);
    if (options->trusted_proxy_count == 0)
        return PX_OK;
    if (options->trusted_proxy_count > TRUSTED_PROXIES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "a server trusts at most %d blocks",
                         TRUSTED_PROXIES_MAX);
    server->trust.blocks = alloc_take(
        &server->loop->allocator, options->trusted_proxy_count * sizeof(server->trust.blocks[0]));
    if (!server->trust.blocks)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    for (uint32_t index = 0; index < options->trusted_proxy_count; index++) {
        px_err err =
            cidr_parse(options->trusted_proxies[index], &server->trust.blocks[index], out_error);

        if (err != PX_OK)
            return err;
    }
    server->trust.count = options->trusted_proxy_count;
    return PX_OK;
}

void trust_deinit(px_server *server)
{
    alloc_put(&server->loop->allocator, server->trust.blocks);
}

bool trust_has(const px_server *server, const struct net_address *address)
{
    return cidr_any_has(server->trust.blocks, server->trust.count, address);
}

/* --- The walk --------------------------------------------------------------------------------- */

/* Where a walk has come to. */
struct walk {
    const px_server *server;
    struct net_address client; /* the last one that was named */
    px_str proto;              /* how it came to the proxy that named it; absent: not said */
    uint32_t hops;             /* elements that were believed */
    bool present;              /* there is a field of the name */
    bool names_none;           /* it ends in an element without an address */
    bool over;
};

static void walk_list(struct walk *walk, px_str list, enum forwarded_syntax syntax)
{
    struct forwarded_hop hop;

    while (!walk->over) {
        px_err err = forwarded_take_last(&list, syntax, &hop);

        if (err == PX_ERR_NOT_FOUND)
            return;
        walk->over = true;
        walk->names_none = true;
        if (err != PX_OK)
            return;
        walk->proto = hop.proto;
        if (!hop.host.ptr || !address_numeric(hop.host, 0, &walk->client))
            return;
        walk->names_none = false;
        walk->hops++;
        walk->over = walk->hops == FORWARDED_HOPS_MAX || !trust_has(walk->server, &walk->client);
    }
}

/* Fields of one name are one list (RFC 9110 section 5.3): the last one first. */
static void walk_fields(struct walk *walk, const px_field *fields, uint32_t count, const char *name,
                        enum forwarded_syntax syntax)
{
    for (uint32_t index = count; index-- > 0 && !walk->over;) {
        if (!field_name_is(fields[index].name, name))
            continue;
        walk->present = true;
        walk_list(walk, fields[index].value, syntax);
    }
}

/* X-Forwarded-Proto has one element a proxy, or the only one that the first proxy has set. */
static px_str plain_proto(const px_exchange *exchange, uint32_t hops)
{
    px_str list = px_request_field(exchange, "X-Forwarded-Proto");
    px_str proto = forwarded_take_text(&list), more = proto;

    for (uint32_t hop = 1; hop < hops && more.ptr; hop++) {
        more = forwarded_take_text(&list);
        if (more.ptr)
            proto = more;
    }
    return proto;
}

static void settle(px_exchange *exchange, const struct walk *walk)
{
    char text[ADDRESS_TEXT_BYTES];

    if (walk->hops > 0) {
        size_t len = address_format_host(&walk->client, text, sizeof(text));

        exchange_set_client(exchange, px_str_make(text, len));
    }
    /* RFC 7239 section 5.4 has other schemes too: nothing that is served here. */
    if (field_name_is(walk->proto, "https"))
        exchange_set_scheme(exchange, true);
    else if (field_name_is(walk->proto, "http"))
        exchange_set_scheme(exchange, false);
}

static bool same_client(const struct walk *left, const struct walk *right)
{
    char texts[2][ADDRESS_TEXT_BYTES];
    size_t left_len = address_format_host(&left->client, texts[0], sizeof(texts[0]));
    size_t right_len = address_format_host(&right->client, texts[1], sizeof(texts[1]));

    return left_len == right_len && memcmp(texts[0], texts[1], left_len) == 0;
}

/* Both lists of a request that came from a trusted peer: the one that counts, or NULL. */
static const struct walk *walk_both(const px_server *server, const px_field *fields, uint32_t count,
                                    const struct net_address *peer, struct walk walks[2])
{
    struct walk *rfc7239 = &walks[0], *plain = &walks[1];

    *rfc7239 = *plain = (struct walk){.server = server, .client = *peer};
    if (server->options.forwarded == PX_FORWARDED_EITHER ||
        server->options.forwarded == PX_FORWARDED_RFC7239)
        walk_fields(rfc7239, fields, count, "Forwarded", FORWARDED_RFC7239);
    if (server->options.forwarded == PX_FORWARDED_EITHER ||
        server->options.forwarded == PX_FORWARDED_PLAIN)
        walk_fields(plain, fields, count, "X-Forwarded-For", FORWARDED_PLAIN);
    /* A proxy that writes one of the two passes the other on as the client sent it: where both are
     * there and disagree, neither can be believed. */
    if (rfc7239->present && plain->present && !same_client(rfc7239, plain))
        return NULL;
    return rfc7239->present ? rfc7239 : plain;
}

void trust_settle(px_exchange *exchange)
{
    const px_server *server = server_of(exchange);
    const struct http_request *request = exchange_request(exchange);
    const struct session *session = session_of_exchange(exchange);
    struct walk walks[2];
    struct net_address peer;

    if (!session)
        return;
    session_peer_address(session, &peer);
    if (!trust_has(server, &peer))
        return;
    exchange_set_trusted(exchange);
    const struct walk *walk =
        walk_both(server, request->fields, request->field_count, &peer, walks);

    if (!walk || walk->names_none)
        exchange_set_client_unknown(exchange);
    if (!walk)
        return;
    if (walk == &walks[1] && server->options.forwarded != PX_FORWARDED_RFC7239 &&
        server->options.forwarded != PX_FORWARDED_NONE)
        walks[1].proto = plain_proto(exchange, walk->hops);
    settle(exchange, walk);
}

size_t trust_glimpse(const struct session *session, const struct http_glimpse *glimpse,
                     char *out_text, size_t room)
{
    const px_server *server = session->server;
    struct walk walks[2];
    struct net_address peer;

    if (server->trust.count == 0 || glimpse->fields_cut)
        return 0;
    session_peer_address(session, &peer);
    if (!trust_has(server, &peer))
        return 0;
    const struct walk *walk =
        walk_both(server, glimpse->fields, glimpse->field_count, &peer, walks);

    return walk && walk->hops > 0 ? address_format_host(&walk->client, out_text, room) : 0;
}
