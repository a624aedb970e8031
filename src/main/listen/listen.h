/*
 * The program's listeners: every address, once for each slot (see process/supervisor.h).
 *
 * They are opened before the workers are forked, so that a port that is taken is found while there
 * is still a user to tell, and stay open in the master, so that a worker that takes the place of
 * a dead one finds the connections that wait.
 */
#ifndef PX_MAIN_LISTEN_H
#define PX_MAIN_LISTEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "main/flags/options.h"
#include "pollux/server.h"
#include "pollux/stream.h"
#include "process/successor.h"

enum {
    LISTEN_NONE = UINT32_MAX,
    LISTEN_EVER_MAX = 4096, /* addresses in the life of a program, those it left included */
};

struct listening {
    px_listener *listener; /* owned; NULL where handed on */
    uint32_t slot;         /* SUPERVISOR_NOBODY: every worker accepts on it */
    uint32_t address;
};

struct listeners {
    /* Addresses, by an index that stays: workers of an older generation know them by it.  One that
     * is listened on no longer keeps its place, and gets it again when it comes back. */
    char **texts;                   /* owned: without options */
    struct listen_options *options; /* owned: of each address */
    uint32_t *tags;     /* owned: which address of the configuration it is; LISTEN_NONE: none */
    uint32_t *old_tags; /* owned: while a change is tried; else NULL */
    uint32_t old_count; /* of old_tags */
    uint32_t address_count;
    px_tls *tls;            /* borrowed: for those that begin with https:// */
    const char *redirect;   /* borrowed: the one that redirects, or NULL */
    uint32_t redirect_port; /* ... to https there */
    bool proxy_protocol;    /* trusted proxies send a PROXY header on all of them */
    struct listening *at;   /* owned */
    uint32_t count;
    uint32_t room;
    uint32_t slot_count;
    uint32_t backlog;
    bool is_refusing;
    int spare_fd; /* owned: to turn peers away where there is no other descriptor; 0: none */
    struct master_socket *sockets; /* owned: of all that is in `at` */
    uint32_t socket_count;
    const char *metrics;  /* borrowed: the address that an operator looks at, or NULL */
    struct buf addresses; /* as text, with the ports that were picked */
    struct buf observed;  /* likewise, of `metrics` */
};

struct listen_plan {
    const char *const *addresses;
    const struct listen_options *options; /* of each */
    uint32_t address_count;
    const char *metrics; /* one of `addresses`, for an operator; or NULL */
    uint32_t slot_count;
    uint32_t backlog;
    bool is_shared;        /* one socket for all workers, for TCP too */
    struct legacy *legacy; /* borrowed: sockets of a predecessor, which are taken first */
};

/* Opens all, or none: PX_OK, or the error of px_listener_open. */
PX_MUST_CHECK px_err listeners_open(struct listeners *out_listeners, const struct listen_plan *plan,
                                    px_error *out_error);

/* What serves. */
struct listen_servers {
    px_server *server;  /* borrowed */
    px_server *observe; /* borrowed: at `metrics`; NULL where there is none */
};
/* States what holds between two changes. */
void listeners_check(const struct listeners *listeners);

/* Tries a change: what the plan has and is not listened on is opened, all of it or nothing; what it
 * has not goes on until listeners_settle.  PX_OK; else as it was, and *out_wrong is the address of
 * the plan that could not be opened. */
PX_MUST_CHECK px_err listeners_try(struct listeners *listeners, const struct listen_plan *plan,
                                   uint32_t *out_wrong, px_error *out_error);

/* Ends it: with what the plan has alone, or as it was before. */
void listeners_settle(struct listeners *listeners, bool is_good);

/* Serves all of them, in a process that is alone. */
PX_MUST_CHECK px_err listeners_serve(struct listeners *listeners,
                                     const struct listen_servers *servers, px_error *out_error);

/* Serves a listener as its address (an index) asks for.  One that this generation does not know, or
 * listens on no longer, is PX_ERR_CLOSED: it came too late. */
PX_MUST_CHECK px_err listen_serve(const struct listeners *listeners,
                                  const struct listen_servers *servers, px_listener *listener,
                                  uint32_t address, px_error *out_error);

/* Has peers refused, or lets them in again.  Addresses that are not ours alone cannot be told to
 * refuse: peers that wait there are turned away at each listeners_turn_away. */
void listeners_refuse(struct listeners *listeners, bool is_refused);
void listeners_turn_away(struct listeners *listeners);

/* Looks whether each still listens and its file is there, mends what can be, makes unix sockets
 * anew, and says so.  Whether one was made anew: workers have the old one. */
bool listeners_mend(struct listeners *listeners);

/* Sets where --https-redirect sends clients: what it says, or the port where TLS is spoken here.
 * PX_OK; PX_ERR_INVALID: there is none, which is said. */
PX_MUST_CHECK px_err listeners_redirect(struct listeners *listeners, const struct options *options);

/* Says on stderr where it listens, in one line. */
void listeners_announce(const struct listeners *listeners, uint32_t worker_count);

/* Whether closing removes the files of unix sockets: they may be a successor's now. */
void listeners_own(struct listeners *listeners, bool is_ours);

/* --- Between listen.c and listen_change.c ----------------------------------------------------- */

/* Opens all sockets of an address, which is `number` in the plan. */
PX_MUST_CHECK px_err listen_open_address(struct listeners *listeners,
                                         const struct listen_plan *plan, uint32_t address,
                                         uint32_t number, px_error *out_error);

/* Owns the listener from then on, also when it fails; NULL: the error is written. */
PX_MUST_CHECK px_err listen_keep(struct listeners *listeners, px_listener *listener, uint32_t slot,
                                 uint32_t address, px_error *out_error);

/* Lists descriptors anew, as the master hands them out. */
PX_MUST_CHECK px_err listen_list(struct listeners *listeners, px_error *out_error);

/* Lists addresses as they are announced. */
PX_MUST_CHECK px_err listen_announce_list(struct listeners *listeners, px_error *out_error);

/* Closes what was not handed on; they can still be announced.  May be called twice. */
void listeners_close(struct listeners *listeners);

/* Closes, and frees the rest; one that is all zeros is fine. */
void listeners_deinit(struct listeners *listeners);

#endif
