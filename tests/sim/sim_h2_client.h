/*
 * A simulated HTTP/2 client: the same requests as sim_client.h makes, several at a time on one
 * connection, spoken by nghttp2's client side.
 *
 * It fails the run for a frame or a field that breaks the protocol, for content that is not its
 * request's own, and for an answer that looks complete although it was cut short.
 */
#ifndef SIM_H2_CLIENT_H
#define SIM_H2_CLIENT_H

#include "sim_peer.h"
#include "sim_request.h"

enum { SIM_H2_REQUESTS_MAX = 16 };

struct nghttp2_session;

/* A request on its stream. */
struct sim_h2_lane {
    struct sim_request request;
    int32_t stream;  /* 0: not asked */
    uint32_t site;   /* that the answer is of, as its middleware says, and ... */
    uint32_t filter; /* as its filter does; 0: neither */
    uint64_t sent;
    uint64_t received;
    bool holds;     /* waits for 100 before it sends the content */
    bool cancelled; /* by us: anything is fine */
    bool over;
    uint32_t error; /* the code of its end */
};

struct sim_tls_world;

struct sim_h2_client {
    struct sim_peer peer;
    struct sim_tls_world *tls; /* borrowed: it speaks TLS; NULL: it does not */
    struct sim_event start;
    struct sim_event think;
    struct nghttp2_session *session; /* owned, or NULL */
    struct sim_h2_lane lanes[SIM_H2_REQUESTS_MAX];
    const void *address; /* borrowed */
    uint32_t address_bytes;
    uint32_t number;
    uint32_t count; /* requests it means to make */
    uint32_t asked;
    uint32_t over;
    uint32_t together; /* requests it has under way at once */
    bool garbles;      /* one byte of what it sends is changed: anything may come back */
    bool cancels;
    bool started;
    bool leaving;
    bool told_to_leave; /* GOAWAY came */
};

void sim_h2_client_make(struct sim_h2_client *client, uint32_t number, const void *address,
                        uint32_t address_bytes, bool mannerly);
bool sim_h2_client_done(const struct sim_h2_client *client);
void sim_h2_client_judge(const struct sim_h2_client *client, bool excused);
void sim_h2_client_end(struct sim_h2_client *client);

#endif
