/*
 * A server on a loop of the test's, and clients of it that are plain sockets in the same thread.
 *
 *   struct site site;
 *   site_open(&site, NULL);                          options, or NULL: no Server field
 *   site_route(&site, "GET /", handler, context);
 *   site_exchange(&site, "GET / HTTP/1.1\r\n...", "HTTP/1.1 200 OK\r\n...");
 *   site_close(&site);                               checks that nothing was left over
 *
 * Date fields are cut out of what comes back, and checked to be there where they must.
 */
#ifndef PX_TESTS_UNIT_SERVER_CLIENT_H
#define PX_TESTS_UNIT_SERVER_CLIENT_H

#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "pollux/pollux.h"
#include "unit/io/pump.h"

struct site {
    struct fault_alloc fault;
    px_loop *loop;
    px_server *server;
    char address[64];
};

/* `defer`: with deferred accept, as px_server_listen; else connections are accepted at once. */
void site_open(struct site *site, const px_server_options *options);
void site_open_deferred(struct site *site, const px_server_options *options);
/* With so many unread bytes for the whole loop. */
void site_open_inbox(struct site *site, const px_server_options *options, uint64_t inbox_bytes_max);
void site_close(struct site *site);

void site_route(struct site *site, const char *pattern, px_handler handler, void *context);
void site_route_with(struct site *site, const char *pattern, uint32_t content_mode,
                     uint64_t content_bytes_max, px_handler handler, void *context);

px_counters site_counters(const struct site *site);

/* How a client's connection stands. */
enum client_state { CLIENT_OPEN, CLIENT_ENDED, CLIENT_RESET };

struct client {
    int fd;
    enum client_state state;
    char *text; /* owned: what has come, without Date fields, NUL-terminated */
    size_t len;
    size_t room;
    uint32_t dates; /* Date fields cut out */
};

void client_open(struct client *client, const struct site *site);
void client_close(struct client *client);
void client_send(struct client *client, px_str bytes);

/* Ticks once and takes what has come. */
void client_pump(struct client *client, const struct site *site);

/* Takes until `len` bytes, or the end, have come. */
void client_await(struct client *client, const struct site *site, size_t len);
void client_await_end(struct client *client, const struct site *site);

/* Takes until exactly `expected` has come. */
void client_expect(struct client *client, const struct site *site, const char *expected);

/* Forgets what has come. */
void client_forget(struct client *client);

/* A new connection sends `request` and half-closes nothing; exactly `expected` comes back; then, by
 * `state`, the connection is still open, or has ended. */
void site_exchange(const struct site *site, const char *request, const char *expected,
                   enum client_state state);

/* Answers of pollux's own. */
#define ANSWER_TEXT(status_line, text, length, more)                               \
    "HTTP/1.1 " status_line "\r\nContent-Type: text/plain; charset=utf-8\r\n" more \
    "Content-Length: " length "\r\n\r\n" text

#endif
