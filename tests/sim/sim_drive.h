/*
 * Runs the program's loop until a scenario says that it is done: by px_loop_run, or, as an embedder
 * with a loop of his own would, by waiting on its descriptor and stepping it.
 */
#ifndef SIM_DRIVE_H
#define SIM_DRIVE_H

#include "pollux/loop.h"
#include "sim_kernel.h"

/* `done` is asked often; it must not change the program. */
void sim_drive(px_loop *loop, bool (*done)(void *context), void *context);

/* A seeded address to listen on and the same for a peer to connect to: TCP over IPv4 or IPv6, or a
 * unix socket. */
struct sim_place {
    char text[64];
    struct sockaddr_storage *address; /* of `storage` */
    uint32_t bytes;
    _Alignas(8) char storage[128];
};

void sim_place_choose(struct sim_place *place);

#endif
