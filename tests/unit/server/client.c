/*
 * The server and its clients share the test's thread: whoever waits pumps the loop.
 */
#include "unit/server/client.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENT_ROOM = 4 << 20 };

static void open_with(struct site *site, const px_server_options *given, uint32_t defer_s,
                      uint64_t inbox_bytes_max)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_loop_options loop_options = PX_LOOP_OPTIONS_DEFAULT;
    px_listen_options listen = PX_LISTEN_OPTIONS_DEFAULT;
    px_error error;

    fault_alloc_init(&site->fault);
    loop_options.allocator = &site->fault.allocator;
    loop_options.inbox_bytes_max = inbox_bytes_max;
    site->loop = px_loop_create(&loop_options, &error);
    assert_non_null(site->loop);
    if (given)
        options = *given;
    options.loop = site->loop;
    if (!options.server_name)
        options.server_name = "";
    site->server = px_server_create(&options, &error);
    if (!site->server)
        fail_msg("%s", error.text);
    listen.defer_accept_s = defer_s;
    px_listener *listener = px_listener_open("127.0.0.1:0", &listen, &error);

    assert_non_null(listener);
    snprintf(site->address, sizeof(site->address), "%s", px_listener_address(listener));
    assert_int_equal(px_server_serve(site->server, listener, &error), PX_OK);
}

void site_open(struct site *site, const px_server_options *options)
{
    open_with(site, options, PX_OFF, 0);
}

void site_open_inbox(struct site *site, const px_server_options *options, uint64_t inbox_bytes_max)
{
    open_with(site, options, PX_OFF, inbox_bytes_max);
}

void site_open_deferred(struct site *site, const px_server_options *options)
{
    open_with(site, options, 1, 0);
}

void site_close(struct site *site)
{
    px_server_destroy(site->server);
    assert_int_equal(px_loop_handle_count(site->loop), 0);
    px_loop_destroy(site->loop);
    fault_alloc_assert_empty(&site->fault);
}

void site_route(struct site *site, const char *pattern, px_handler handler, void *context)
{
    px_error error;

    if (px_server_route(site->server, pattern, handler, context, &error) != PX_OK)
        fail_msg("%s", error.text);
}

void site_route_with(struct site *site, const char *pattern, uint32_t content_mode,
                     uint64_t content_bytes_max, px_handler handler, void *context)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_error error;

    options.content_mode = content_mode;
    options.content_bytes_max = content_bytes_max;
    if (px_server_route_with(site->server, pattern, &options, handler, context, &error) != PX_OK)
        fail_msg("%s", error.text);
}

px_counters site_counters(const struct site *site)
{
    px_counters counters = {.struct_size = sizeof(counters)};

    px_server_counters(site->server, &counters);
    return counters;
}

/* --- Clients ---------------------------------------------------------------------------------- */

void client_open(struct client *client, const struct site *site)
{
    memset(client, 0, sizeof(*client));
    client->fd = peer_connect(site->address);
    client->room = 4096;
    client->text = calloc(1, client->room);
}

void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    free(client->text);
    client->text = NULL;
}

void client_send(struct client *client, px_str bytes)
{
    peer_send(client->fd, bytes);
}

/* Cuts "Date: ...\r\n" lines that are whole. */
static void dates_cut(struct client *client)
{
    for (char *at = client->text; (at = strstr(at, "\r\nDate: ")) != NULL;) {
        char *end = strstr(at + 2, "\r\n");

        if (!end)
            return;
        assert_int_equal(end - (at + 8), 29); /* IMF-fixdate */
        memmove(at, end, client->len - (size_t)(end - client->text) + 1);
        client->len -= (size_t)(end - at);
        client->dates++;
    }
}

static void client_take(struct client *client)
{
    while (client->state == CLIENT_OPEN) {
        if (client->room - client->len < 65536) {
            client->room = client->room * 2 + 65536;
            client->text = realloc(client->text, client->room);
            assert_non_null(client->text);
        }
        long got =
            peer_recv(client->fd, client->text + client->len, client->room - client->len - 1, 0);

        if (got == -1)
            break;
        if (got <= 0)
            client->state = got == 0 ? CLIENT_ENDED : CLIENT_RESET;
        else
            client->len += (size_t)got;
        client->text[client->len] = '\0';
    }
    if (strlen(client->text) == client->len || strstr(client->text, "Date: "))
        dates_cut(client);
}

void client_pump(struct client *client, const struct site *site)
{
    pump_once(site->loop, 2);
    client_take(client);
}

void client_await(struct client *client, const struct site *site, size_t len)
{
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

    while (client->len < len && client->state == CLIENT_OPEN) {
        client_pump(client, site);
        if (pump_now_ms() > end)
            fail_msg("%zu bytes of %zu came: \"%s\"", client->len, len, client->text);
    }
}

void client_await_end(struct client *client, const struct site *site)
{
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

    while (client->state == CLIENT_OPEN) {
        client_pump(client, site);
        if (pump_now_ms() > end)
            fail_msg("it did not end: \"%s\"", client->text);
    }
}

void client_expect(struct client *client, const struct site *site, const char *expected)
{
    size_t len = strlen(expected);
    uint64_t end = pump_now_ms() + PUMP_LIMIT_MS;

    while (client->len < len || (strstr(client->text, "\r\nDate: ") && len > 0)) {
        if (client->state != CLIENT_OPEN || pump_now_ms() > end)
            break;
        client_pump(client, site);
    }
    if (client->len < len) /* a Date field counted for what was wanted */
        client_take(client);
    assert_str_equal(px_str_make(client->text, client->len), px_str_make(expected, len));
}

void client_forget(struct client *client)
{
    client->len = 0;
    client->text[0] = '\0';
}

void site_exchange(const struct site *site, const char *request, const char *expected,
                   enum client_state state)
{
    struct client client;

    client_open(&client, site);
    client_send(&client, px_str_of(request));
    client_expect(&client, site, expected);
    if (state == CLIENT_OPEN)
        pump_quietly(site->loop, 5);
    else
        client_await_end(&client, site);
    client_take(&client);
    assert_str_equal(px_str_make(client.text, client.len), px_str_of(expected));
    assert_int_equal(client.state, state);
    client_close(&client);
}
