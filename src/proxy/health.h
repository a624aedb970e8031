/*
 * What is known of a server's health: failures of requests, and what checks say.
 *
 * It lies in memory that processes share, so all of it is atomic; two that write at once may lose a
 * failure, which is no more than one that came a moment later.  Happy path: requests are answered,
 * and nothing is written.
 */
#ifndef PX_PROXY_HEALTH_H
#define PX_PROXY_HEALTH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zeros at first: up, and it always was.  Times are of the monotonic clock, in milliseconds. */
struct health {
    _Atomic uint64_t key;        /* whose it is, on a board; 0: free */
    _Atomic uint64_t seen_ms;    /* on a board: when an upstream last had it */
    _Atomic uint64_t fail_ms;    /* the last failure */
    _Atomic uint64_t out_ms;     /* until then it is out, for failures */
    _Atomic uint64_t back_ms;    /* when it was let in again; 0: it was never out */
    _Atomic uint64_t check_ms;   /* the next check is due */
    _Atomic uint32_t fails;      /* in a row */
    _Atomic uint32_t backoff_ms; /* how long it was out last; 0: it was not */
    _Atomic uint32_t check_row;  /* checks in a row that say other than `down` */
    _Atomic uint32_t down;       /* checks say so */
};

/* Shares of a weight, so that one that is back can have a part of its own. */
enum { HEALTH_SHARES = 256 };

struct health_rules {
    uint32_t fails_max; /* PX_OFF: failures put no server out */
    uint32_t fails_ms;
    uint32_t backoff_ms;
    uint32_t backoff_ms_max;
    uint32_t slow_start_ms; /* PX_OFF: none */
    uint32_t fall;
    uint32_t rise;
};

bool health_is_up(const struct health *health, uint64_t now_ms);

/* How much of its weight it gets, 1 to HEALTH_SHARES. */
uint32_t health_share(const struct health *health, const struct health_rules *rules,
                      uint64_t now_ms);

/* A request was answered: true when it had been out for failures. */
bool health_answered(struct health *health);

/* A request failed: true when it is out from now on. */
bool health_failed(struct health *health, const struct health_rules *rules, uint64_t now_ms);

/* A check ended: true when it is down, or up again, by that. */
bool health_checked(struct health *health, const struct health_rules *rules, bool is_well,
                    uint64_t now_ms);

/* Whether the caller, of all processes, is the one to check it now: then the next check is due
 * after `every_ms`. */
bool health_take_check(struct health *health, uint64_t now_ms, uint32_t every_ms);

#endif
