/*
 * A transport that is not there: it drives exchanges without sockets, and writes down what they
 * would have sent.
 *
 *   struct stage stage;
 *   stage_open(&stage, NULL);                      a loop and a service, on a counting allocator
 *   struct call call;
 *   call_begin(&call, &stage, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", handler, context);
 *   call_drive(&call);                             as a transport's driver: answers, content
 *   call_finish(&call);                            pumps until on_end has come
 *   stage_close(&stage);                           nothing may be left over
 */
#ifndef PX_TESTS_UNIT_EXCHANGE_DOUBLE_H
#define PX_TESTS_UNIT_EXCHANGE_DOUBLE_H

#include "exchange/exchange_private.h"
#include "lib/fault_alloc.h"
#include "lib/test.h"
#include "unit/io/pump.h"

struct stage {
    struct fault_alloc fault; /* used when no allocator was given */
    px_loop *loop;
    struct exchange_service service;
    struct exchange_site site;
    struct exchange_rules rules;
    struct exchange_filter filters[FILTERS_MAX];
};

enum { CALL_ROOM = 256 * 1024, CALL_INFORM_ROOM = 256 };

struct call {
    struct stage *stage;
    px_exchange *exchange; /* NULL once the transport has let go, or when there was no memory */
    px_ref ref;
    bool has_ref;
    size_t pull_room; /* room of each pull, at first 1024 */
    uint64_t open_since_ms;
    /* What the exchange asked of its transport, in how many calls. */
    uint32_t heads;
    uint32_t contents;
    uint32_t credits;
    uint32_t resets;
    /* The answer, once its head was taken. */
    bool taken;
    bool done; /* the content is whole */
    unsigned status;
    uint64_t length;
    char head[8192]; /* "name: value\n" of each field, Content-Type first */
    char trailers[256];
    char inform[CALL_INFORM_ROOM]; /* "103 name: value\n" */
    char *content;                 /* owned */
    size_t content_len;
    /* Written by the callbacks that call_begin sets. */
    uint32_t ended;
    px_end end;
    uint32_t room_told;
    uint32_t content_ended;
    char in[4096]; /* what on_content was given */
    size_t in_len;
};

/* `allocator`: NULL: the stage's own, which is checked in the end. */
bool stage_open(struct stage *stage, const px_allocator *allocator);
void stage_close(struct stage *stage);
void stage_filter(struct stage *stage, const px_filter *filter, void *context);

/* Parses the head, makes the exchange, sets callbacks that write into `call`, calls the handler as
 * a route would, ends the content when the head says that there is none.  False without memory. */
bool call_begin(struct call *call, struct stage *stage, const char *head, px_handler handler,
                void *context);

/* The same up to the call of the handler. */
bool call_make(struct call *call, struct stage *stage, const char *head);
void call_handler(struct call *call, px_handler handler, void *context);

/* Content of the request: as much as the exchange takes; returns what it took. */
size_t call_receive(struct call *call, px_str bytes);
void call_receive_end(struct call *call);

/* What a transport's driver does: takes the head, pulls the content, ends the exchange when all is
 * out or it was reset.  Stops where there is nothing to do. */
void call_drive(struct call *call);

/* The transport lets go. */
void call_end(struct call *call, px_end end);

/* Pumps until on_end has come, and frees what the call holds. */
void call_finish(struct call *call);

px_str call_content(const struct call *call);

#endif
