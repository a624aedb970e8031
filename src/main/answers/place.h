/*
 * Where the servers of `pollux proxy` are, as their URLs say: nothing is looked up.
 */
#ifndef PX_MAIN_PLACE_H
#define PX_MAIN_PLACE_H

#include "main/flags/options.h"
#include "process/sandbox.h"

struct place {
    bool is_unix;
    bool is_name; /* it has to be looked up */
    uint16_t port;
};

/* The place of a URL, as far as a sandbox cares: false when it is none. */
bool place_read(const char *url, struct place *out_place);

/* Whether it would be one with http:// in front. */
bool place_is_bare(const char *text);

/* What workers need to reach them (a sandbox that they are added to); `has_name` becomes true where
 * one has to be looked up. */
PX_MUST_CHECK px_err place_allow(struct sandbox *sandbox, const char *url, bool *has_name,
                                 px_error *out_error);
PX_MUST_CHECK px_err place_allow_names(struct sandbox *sandbox, px_error *out_error);

/* Ports of name servers, for answers that do not fit into a datagram. */
PX_MUST_CHECK px_err place_allow_name_servers(struct sandbox *sandbox,
                                              const struct resolver_options *resolver,
                                              px_error *out_error);

/* Checks the URLs of the command line, before anything is opened: PX_OK, or PX_ERR_INVALID with the
 * line to print. */
PX_MUST_CHECK px_err places_check(const struct gateway_options *gateway, px_error *out_error);

#endif
