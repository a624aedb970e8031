/*
 * What the adapters serve, the same on each loop.
 */
#ifndef ADAPTERS_SITE_H
#define ADAPTERS_SITE_H

#include "pollux/pollux.h"

/* A server that says hello from `name`, and listens at argv[1] or port 8080; NULL: it was said why
 * not. */
px_server *site_create(const char *name, int argc, char **argv);

/* Each adapter's: calls once, from a timer of the loop that runs, outside of any tick of pollux. */
void outer_after(unsigned delay_ms, void (*call)(void *context), void *context);

/* libuv_attach.c: steps a loop of pollux from libuv's default loop.  Before it is run; once. */
void libuv_attach(px_loop *attached);

#endif
