/*
 * What a handler that asks another server tells of it: for the log, and for what is counted.
 *
 * Happy path: asked, then answered.  Asked again is another try.  Without memory nothing is noted,
 * and the request goes on.  No happening here changes what the exchange does.
 */
#ifndef PX_EXCHANGE_UPSTREAM_H
#define PX_EXCHANGE_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/exchange.h"
#include "pollux/str.h"

struct exchange_upstream {
    px_str server;        /* borrowed: the last that was asked */
    uint64_t asked_ms;    /* the first time, by the loop's clock */
    uint64_t answered_ms; /* when the head of its answer came; 0: none came */
    uint16_t status;      /* of that head */
    uint16_t tries;
    bool broke; /* it left the answer unfinished */
};

/* What the requests of one connection have of the servers that are asked for them; counted by those
 * that ask.  A connection has no more requests in progress than a byte counts; those that are kept
 * may have ended, and what is above a byte is not counted. */
struct exchange_places {
    uint8_t busy;    /* requests that a server has */
    uint8_t waiting; /* requests that wait for one */
    uint8_t kept;    /* requests of which content is kept that the other side has not taken */
};

/* That of the connection that carries the exchange: good until its on_end has returned.  NULL: it
 * is not known which that is. */
struct exchange_places *exchange_places(px_exchange *exchange);

/* Bytes that the other end of its connection has acknowledged so far; UINT64_MAX where they say
 * nothing: the peer's window is what its answer waits for, or they are not known. */
uint64_t exchange_acked_bytes(px_exchange *exchange);

/* A server is asked.  `server` is borrowed: lives as long as the exchange. */
void exchange_upstream_ask(px_exchange *exchange, px_str server);

/* The head of its answer has come. */
void exchange_upstream_answer(px_exchange *exchange, unsigned status);

/* It broke off within its answer. */
void exchange_upstream_break(px_exchange *exchange);

/* What is known of it; NULL: none was asked. */
const struct exchange_upstream *exchange_upstream_of(const px_exchange *exchange);

bool exchange_upstream_broke(const px_exchange *exchange);

#endif
