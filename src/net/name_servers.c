/*
 * Telling libc's resolver which servers it asks.
 *
 * The happy path: its state, which is the thread's own, is read from the system's configuration
 * once, and the addresses in it are put in place of those that were there; it is told not to read
 * the file again.  Addresses of IPv6 lie beside it, in memory that it frees with the thread.
 */
#include "net/name_servers.h"

#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "io/io.h"

enum { DNS_PORT = 53, SERVER_BYTES_MAX = 64 };

/* A bare address, or one with a port. */
static bool server_read(const char *text, struct net_address *out_address)
{
    struct address_text split;
    px_error error;

    if (address_numeric(px_str_of(text), DNS_PORT, out_address))
        return true;
    size_t len = strlen(text);

    if (len > 2 && text[0] == '[' && text[len - 1] == ']')
        return address_numeric(px_str_make(text + 1, len - 2), DNS_PORT, out_address);
    return address_split(text, &split, &error) == PX_OK && split.kind == ADDRESS_TCP &&
           split.port != 0 && address_numeric(split.host, split.port, out_address);
}

px_err name_servers_read(const char *const *texts, size_t count, struct name_servers *out_servers,
                         px_error *out_error)
{
    struct name_servers servers = {0};

    if (count > NAME_SERVERS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "at most %d name servers are asked",
                         NAME_SERVERS_MAX);
    for (size_t index = 0; index < count; index++)
        if (!server_read(texts[index], &servers.addresses[servers.count++]))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "\"%.*s\" is no address of a name server: write 192.0.2.1, "
                             "[2001:db8::1] or 192.0.2.1:53",
                             SERVER_BYTES_MAX, texts[index]);
    *out_servers = servers;
    return error_clear(out_error);
}

/* One in the thread's state; the family 0 says that it lies beside. */
static bool server_put(struct __res_state *state, int at, const struct net_address *server)
{
    if (server->socket.any.sa_family == AF_INET) {
        state->nsaddr_list[at] = server->socket.v4;
        return true;
    }
    CHECK(server->socket.any.sa_family == AF_INET6 && at < MAXNS);
    struct sockaddr_in6 *beside = state->_u._ext.nsaddrs[at];

    if (!beside)
        beside = malloc(sizeof(*beside));
    if (!beside)
        return false;
    *beside = server->socket.v6;
    state->_u._ext.nsaddrs[at] = beside;
    memset(&state->nsaddr_list[at], 0, sizeof(state->nsaddr_list[at]));
    return true;
}

bool name_servers_use(const struct name_servers *servers)
{
    struct __res_state *state = &_res;

    CHECK(servers->count <= NAME_SERVERS_MAX);
    if (servers->count == 0)
        return true; /* those of the system */
    if (!(state->options & RES_INIT) && res_init() != 0)
        return false;
    for (uint32_t index = 0; index < servers->count; index++)
        if (!server_put(state, (int)index, &servers->addresses[index]))
            return false;
    state->nscount = (int)servers->count;
    state->options |= RES_NORELOAD;
    return true;
}

px_err px_loop_set_name_servers(px_loop *loop, const char *const *servers, size_t count,
                                px_error *out_error)
{
    struct name_servers read = {0}, *kept;
    px_err err = name_servers_read(servers, count, &read, out_error);

    if (err != PX_OK)
        return err;
    kept = alloc_take(&loop->allocator, sizeof(*kept));
    if (!kept)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    *kept = read;
    alloc_put(&loop->allocator, loop->name_servers);
    loop->name_servers = kept;
    return PX_OK;
}

px_err px_name_server_check(const char *server, px_error *out_error)
{
    struct name_servers read = {0};

    return name_servers_read(&server, 1, &read, out_error);
}

px_err px_name_servers_use(const char *const *servers, size_t count, px_error *out_error)
{
    struct name_servers read = {0};
    px_err err = name_servers_read(servers, count, &read, out_error);

    if (err == PX_OK && !name_servers_use(&read))
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    return err;
}
