/*
 * A simulated WebSocket client: a peer that opens one, sends numbered messages and reads what
 * comes, with a reader of frames that shares no line with the code under test.  It fails the run
 * for a frame that no server may send, an echo that is not the next one or not what it sent, and a
 * message of the topic that is out of order.
 */
#ifndef SIM_TALKER_H
#define SIM_TALKER_H

#include "sim_peer.h"

struct sim_talker {
    struct sim_peer peer;
    struct sim_event start;
    const void *address; /* borrowed */
    uint32_t address_bytes;
    uint32_t number;
    uint32_t count;   /* messages it means to send */
    uint32_t sent;    /* ... and has */
    uint32_t echoed;  /* came back, in order */
    uint64_t last;    /* of the topic, that came */
    uint32_t seed;    /* of its messages' lengths */
    uint16_t code;    /* of the server's Close; 0: none came */
    bool topic;       /* it talks to all, and hears the others */
    bool at_once;     /* sends all without waiting for echoes */
    bool asks_pings;  /* a ping goes with each message */
    bool forgets;     /* leaves without Close */
    bool stays;       /* ... or does not leave by itself */
    bool breaks_rule; /* its last frame is none that a client may send */
    bool started;
    bool opened;  /* the handshake is done */
    bool refused; /* ... or was answered otherwise */
    bool closing; /* its own Close is sent */
};

void sim_talker_make(struct sim_talker *talker, uint32_t number, const void *address,
                     uint32_t address_bytes, bool mannerly);

/* It is through, or silent. */
bool sim_talker_done(const struct sim_talker *talker);

/* Looks back on it.  `excused`: the run may have cut any connection. */
void sim_talker_judge(const struct sim_talker *talker, bool excused);
void sim_talker_end(struct sim_talker *talker);

#endif
