/*
 * What carries exchanges: the table that a transport (HTTP/1, HTTP/2, a test double) fills in, and
 * how it takes an answer.
 */
#ifndef PX_EXCHANGE_TRANSPORT_H
#define PX_EXCHANGE_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/exchange.h"
#include "pollux/response.h"

/* What a connection knows of its peer where it is secure. */
enum exchange_fact { FACT_SERVER_NAME, FACT_CLIENT_SUBJECT, FACT_TLS_VERSION, FACT_TLS_CIPHER };

/* What a transport does for its exchanges.  None of these calls back. */
struct exchange_transport {
    void (*send_head)(px_exchange *exchange);    /* an answer is there to be taken */
    void (*send_content)(px_exchange *exchange); /* more content may be pulled */
    void (*give_credit)(px_exchange *exchange);  /* request content is wanted again */
    void (*reset)(px_exchange *exchange);        /* give it up: end it visibly broken */
    /* Sends an informational response; absent name: without a field. */
    void (*inform)(px_exchange *exchange, unsigned status, px_str name, px_str value);
    void (*peer)(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
    void (*local)(px_exchange *exchange, char *out_text, size_t room, size_t *out_len);
    /* A fact as text with a NUL: its length, 0 when there is none.  NULL: there are none. */
    size_t (*secure)(px_exchange *exchange, enum exchange_fact fact, char *out_text, size_t room);
    /* Whether the connection may be asked for this host (421 when not).  NULL: any. */
    bool (*serves)(px_exchange *exchange, px_str host);
};

/* ANSWER_READY -> ANSWER_TAKEN: runs the filters over the head and settles length and kind. */
void exchange_take_head(px_exchange *exchange);

/* The next content, through the filters: as px_pull says; checks the declared length. */
px_pull exchange_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes);

/* Bytes that filters have taken since the last call: work that a transport counts against a
 * connection's turn, for it is not seen in what is sent. */
uint32_t exchange_take_work(px_exchange *exchange);

/* The transport lets go: queues on_end, and the exchange for reaping. */
void exchange_finish(px_exchange *exchange, px_end end);

/* What the log says: the status that was sent; 500 where the program cut it short; 499 where the
 * peer did before. */
unsigned exchange_log_status(const px_exchange *exchange);

#endif
