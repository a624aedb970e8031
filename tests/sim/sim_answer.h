/*
 * Reading answers: the strict, slow parser of a simulated client.
 */
#ifndef SIM_ANSWER_H
#define SIM_ANSWER_H

#include "sim_client.h"

/* Bytes were added to the peer's `received`. */
void sim_answer_read(struct sim_client *client);
/* The connection ended: 0 in order, or the errno of a reset. */
void sim_answer_end(struct sim_client *client, int error);

/* What it tells the client (sim_client.c): 100 came; an answer is whole. */
void sim_client_continue(struct sim_client *client);
void sim_client_tunnels(struct sim_client *client);
void sim_client_next(struct sim_client *client);
/* Whether a run like this may bring that status. */
bool sim_client_may_be_refused(unsigned status);

#endif
