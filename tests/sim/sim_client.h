/*
 * A simulated HTTP/1 client: a peer with a list of requests, and a parser of answers that shares no
 * line with the code under test.  It fails the run for an answer that is malformed, out of order,
 * of another request, or that looks complete although it was cut short.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "sim_peer.h"
#include "sim_request.h"

enum { SIM_CLIENT_REQUESTS_MAX = 8 };

enum sim_reading {
    SIM_READ_HEAD,
    SIM_READ_LENGTH,
    SIM_READ_CHUNK_SIZE,
    SIM_READ_CHUNK,
    SIM_READ_CHUNK_END,
    SIM_READ_TRAILER,
    SIM_READ_UNTIL_CLOSE
};

struct sim_tls_world;

struct sim_client {
    struct sim_peer peer;
    struct sim_tls_world *tls; /* borrowed: it speaks TLS; NULL: it does not */
    struct sim_event start;
    struct sim_event think;
    struct sim_request requests[SIM_CLIENT_REQUESTS_MAX];
    const void *address; /* borrowed */
    uint32_t address_bytes;
    uint32_t number;
    uint32_t count;    /* requests it means to make */
    uint32_t asked;    /* made so far */
    uint32_t answered; /* answered so far, whole */
    bool pipelines;    /* does not wait for an answer before the next request */
    bool garbles;      /* one byte of what it sends is changed: anything may come back */
    bool started;
    bool holds_content; /* waits for 100 before it sends the content */
    bool server_closes; /* an answer said so */
    bool deaf;          /* nothing more of what comes is understood */
    enum sim_reading reading;
    uint64_t left;   /* of the content or the chunk */
    uint64_t offset; /* in the answer's content */
};

/* Fills in a client with seeded requests; it starts by itself, some time later. */
void sim_client_make(struct sim_client *client, uint32_t number, const void *address,
                     uint32_t address_bytes, bool mannerly);

/* It is through, or silent. */
bool sim_client_done(const struct sim_client *client);

/* Looks back on it.  `excused`: the run may have cut any connection. */
void sim_client_judge(const struct sim_client *client, bool excused);
void sim_client_end(struct sim_client *client);

#endif
