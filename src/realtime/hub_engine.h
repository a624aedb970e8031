/*
 * What carries a hub's messages beside its sockets to other members (hub.c): an engine.
 */
#ifndef PX_REALTIME_HUB_ENGINE_H
#define PX_REALTIME_HUB_ENGINE_H

#include <stdbool.h>

#include "pollux/hub.h"

struct hub_engine;

struct hub_engine_calls {
    /* Hands a message to all other members: PX_OK, or PX_FULL where it is lost. */
    px_err (*publish)(struct hub_engine *engine, px_str name, px_websocket_kind kind,
                      px_str message);
    /* A topic has its name from now on. */
    void (*named)(struct hub_engine *engine, px_str name);
    bool (*is_connected)(const struct hub_engine *engine);
    /* The hub ends, and the engine with it. */
    void (*end)(struct hub_engine *engine);
};

struct hub_engine {
    const struct hub_engine_calls *calls; /* borrowed: static */
    px_hub *hub;                          /* borrowed: outlives it */
};

/* The hub is carried by the engine, which it owns from now on. */
void hub_engine_set(px_hub *hub, struct hub_engine *engine);

/* A message of another member. */
void hub_take(px_hub *hub, px_str name, px_websocket_kind kind, px_str message);

/* Calls `each` with every name of the hub. */
void hub_names_each(const px_hub *hub, void (*each)(px_str name, void *context), void *context);

#endif
