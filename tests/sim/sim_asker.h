/*
 * A request that the program itself makes, by px_client, of its own server (sim_site.h).
 *
 * Everything it does is from a timer of the loop, as a program would: it starts, uses content in
 * pieces, pauses, resumes, has nothing to give for a while, and in some runs gives up.  The book:
 * on_end comes once, content is its tag's, what ends well is whole.
 */
#ifndef SIM_ASKER_H
#define SIM_ASKER_H

#include "pollux/client.h"
#include "sim_request.h"

struct sim_asker {
    px_client **client; /* borrowed: of the run; NULL in it once it is destroyed */
    const char *url;    /* borrowed: "http://sim", or with https */
    const char *address;
    px_fetch *fetch; /* until on_end */
    px_timer *timer; /* owned */
    struct sim_request request;
    char *content;     /* owned: of the request, where it is not pulled; or NULL */
    uint64_t received; /* bytes of the answer */
    uint64_t given;    /* bytes that were pulled */
    uint32_t protocol; /* px_fetch_protocol */
    px_err result;
    uint32_t cancel_in; /* so many turns of its timer, or 0: not at all */
    bool once;          /* PX_FETCH_ONCE or PX_FETCH_FRESH */
    bool hasty;         /* with deadlines that it may well miss */
    bool refused;       /* nobody listens there */
    bool begun;
    bool held; /* content is, or bytes to give are, waiting for px_fetch_resume */
    bool content_ended;
    bool over; /* on_end has come, or it could not begin */
    bool cancelled;
    bool reused;
    unsigned status;
    unsigned version;
};

/* Chooses what it asks for; it starts by itself.  `loop` is where its timer lives. */
void sim_asker_make(struct sim_asker *asker, px_loop *loop, uint32_t tag);

/* `excused`: the run may have cut any connection, or ended the client. */
void sim_asker_judge(const struct sim_asker *asker, bool excused);
void sim_asker_end(struct sim_asker *asker);

#endif
