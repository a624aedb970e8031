/*
 * Between sim_site.c and sim_site_work.c: the work of one exchange, and the handlers.
 */
#ifndef SIM_SITE_WORK_H
#define SIM_SITE_WORK_H

#include "sim_site.h"

struct site_work {
    struct sim_site *site;
    px_exchange *exchange;
    px_timer *timer; /* NULL without memory */
    void (*on_timer)(struct site_work *work);
    uint32_t tag;
    uint64_t length;   /* of the answer */
    uint64_t offset;   /* of the answer, written so far */
    uint64_t received; /* of the request's content */
    bool streams;      /* wants on_content */
    bool paused;
    bool content_ended;
    bool writes;              /* in pieces */
    struct sim_queue pending; /* of a tunnel: came, and is not sent back yet */
};

struct site_work *site_work_begin(struct sim_site *site, px_exchange *exchange);
char *site_content(uint32_t tag, uint64_t offset, uint64_t count);
/* The whole answer at once. */
void site_respond(struct site_work *work);

void site_on_timer(px_timer *timer, void *context);
void site_on_content(px_exchange *exchange, px_str bytes, void *context);
/* The same, by how many of the bytes were used. */
size_t site_on_content_some(px_exchange *exchange, px_str bytes, void *context);
void site_use_some(struct site_work *work);
void site_on_content_end(px_exchange *exchange, void *context);
void site_on_room(px_exchange *exchange, void *context);

void site_handle_body(px_exchange *exchange, void *context);
/* Counts the exchange and gives it its tag field; the tag. */
uint32_t site_count(struct sim_site *site, px_exchange *exchange);
/* Makes the folder's file of that length, in place of the one there was. */
void site_folder_file(uint64_t length);
void site_handle_folder(px_exchange *exchange, void *context);
void site_handle_file(px_exchange *exchange, void *context);
void site_handle_producer(px_exchange *exchange, void *context);
void site_handle_chunked(px_exchange *exchange, void *context);
void site_handle_pieces(px_exchange *exchange, void *context);
void site_handle_later(px_exchange *exchange, void *context);
void site_handle_thread(px_exchange *exchange, void *context);
void site_handle_collect(px_exchange *exchange, void *context);
void site_handle_stream(px_exchange *exchange, void *context);
void site_handle_early(px_exchange *exchange, void *context);
void site_handle_tunnel(px_exchange *exchange, void *context);
void site_handle_abort(px_exchange *exchange, void *context);

#endif
