/*
 * The router: method, host and raw path to what was registered for them.
 *
 *   router_add(router, "GET /users/{id}", value, &error);
 *   switch (router_find(router, METHOD_GET, method, host, raw_path, &match)) { ... }
 *
 * A trie of path segments for each host and one for any host; a leaf has a table of methods.  Of
 * the patterns that match a request the most specific one is found; registration refuses two of
 * which neither is more specific, so there always is one.  A host's patterns come before those of
 * any host.
 *
 * Happy path: one walk down the trie, no allocation.  A literal that leads nowhere makes the walk
 * turn back to the wildcard beside it, so it visits at most the nodes that fit, and goes at most
 * ROUTE_SEGMENTS_MAX deep.  A lookup cannot fail; adding can, and then changes nothing that
 * matters.
 *
 * The walk does not clean paths: see route/path.h.
 */
#ifndef PX_ROUTE_ROUTER_H
#define PX_ROUTE_ROUTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/limits.h"
#include "http/h1/h1_parse.h"
#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/str.h"
#include "route/path.h"

struct router;

enum router_result {
    ROUTER_FOUND,          /* out_match is filled in */
    ROUTER_REDIRECT_SLASH, /* only the path with a slash behind it is there: redirect to it
                              (router_redirect_path with add_slash) */
    ROUTER_NO_METHOD,      /* the path is there, for other methods: 405 with router_allow; for
                              OPTIONS an answer of the server's own with the same list */
    ROUTER_NO_PATH,        /* 404 */
    ROUTER_REDIRECT_PLAIN  /* not by router_find, see router_is_elsewhere: redirect to the path's
                              plain spelling (router_plain_path) */
};

struct router_match {
    void *value;         /* as registered */
    const char *pattern; /* as registered; borrowed: lives as long as the router */
    const px_str *names; /* of the parameters, in the pattern's order; borrowed as pattern */
    bool has_rest;       /* the pattern has one, and there are other patterns */
    uint32_t param_count;
    px_str params[ROUTE_PARAMS_MAX]; /* the first param_count: slices of raw_path as received (not
                                        decoded), never absent; only a rest can be empty */
};

/* One that lives in `arena`, which outlives it, and ends with that; NULL without memory. */
struct router *router_create(struct arena *arena);

/* Registers `pattern` (copied).  PX_OK, PX_ERR_INVALID (no good pattern), PX_ERR_CONFLICT (with one
 * that is there), PX_ERR_LIMIT or PX_ERR_MEMORY; out_error says which pattern and why, and may be
 * NULL.  Not while lookups are made in another thread. */
PX_MUST_CHECK px_err router_add(struct router *router, const char *pattern, void *value,
                                px_error *out_error);

/* Takes out what matches the same requests as `pattern`; its parameters may have other names there.
 * What was found before stays as it is: the memory is the arena's.  PX_OK, PX_ERR_NOT_FOUND, or
 * what router_add says of a pattern that is none; out_error may be NULL. */
PX_MUST_CHECK px_err router_remove(struct router *router, const char *pattern, px_error *out_error);

/* Finds what is registered for a request.
 *   method_id  enum http_method; `method` is looked at for METHOD_OTHER only.
 *   host       as in the Host field, with or without a port, in any case; absent: none.
 *   raw_path   as received, without the query.  Empty or absent counts as "/"; for CONNECT so does
 *              whatever does not begin with a slash.  "*" is no path: ROUTER_NO_PATH.
 * CONNECT is matched by patterns that name it alone.  out_match is written with ROUTER_FOUND, and
 * of its params only those in use; with ROUTER_REDIRECT_SLASH it says of what rest the path is a
 * part, and its value is NULL where it is of none. */
enum router_result router_find(const struct router *router, uint8_t method_id, px_str method,
                               px_str host, px_str raw_path, struct router_match *out_match);

/* Whether a path that `match` was found for is, in its plain spelling (route/path.h), for another
 * value.  What it takes of `arena` stays taken; without memory it is. */
bool router_is_elsewhere(const struct router *router, uint8_t method_id, px_str method, px_str host,
                         px_str raw_path, struct arena *arena, const struct router_match *match);

/* The value of the Allow field (RFC 9110 section 10.2.1) for a path: the methods that router_find
 * finds there, HEAD with GET, and OPTIONS always.  Where a pattern takes any method, those with a
 * number but TRACE and CONNECT are listed.  Text in `arena` that ends in NUL.
 * PX_OK, PX_ERR_NOT_FOUND (no pattern matches that path) or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err router_allow(const struct router *router, px_str host, px_str raw_path,
                                  struct arena *arena, px_str *out_allow);

#endif
