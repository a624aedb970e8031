/*
 * A request's beginning and end, the same whichever protocol carries it: facts, counters, log.
 */
#ifndef PX_SERVER_REQUEST_H
#define PX_SERVER_REQUEST_H

#include "http/message/glimpse.h"
#include "server/session/session.h"

/* A request is refused without a handler. */
struct request_refusal {
    const char *hint;                   /* static: in the answer's text; NULL: none */
    const char *reason;                 /* static: for the log, in a few words */
    const struct http_glimpse *glimpse; /* borrowed: what there was of it; NULL: not looked at */
    uint64_t since_ms;                  /* when it began, where there is no exchange */
    unsigned status;
};

/* A request was taken whole into its exchange: counts it, and dispatches it.  `expect_unknown`: it
 * expects what is not known, which is 417 (RFC 9110 section 10.1.1). */
void request_begin(struct session *session, px_exchange *exchange, bool expect_unknown);

/* The exchange is over: counts and logs it, and lets it go. */
void request_finish(struct session *session, px_exchange *exchange, px_end end);

/* Counts and logs an answer to what never became an exchange. */
void request_note_refusal(struct session *session, const struct request_refusal *refusal);

/* A request is refused without a handler: counts it, and logs it, where there is no exchange
 * (NULL) that does so when it is finished.  False when another answer is on its way already: that
 * must end visibly broken. */
PX_MUST_CHECK bool request_refuse(struct session *session, px_exchange *exchange,
                                  const struct request_refusal *refusal);

/* How an exchange ends that is refused. */
static inline px_end request_refused_end(unsigned status)
{
    return status == 408 ? PX_END_TIMEOUT : PX_END_REFUSED;
}

#endif
