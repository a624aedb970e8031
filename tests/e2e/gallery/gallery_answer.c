/*
 * Handlers that answer in every way there is: bytes, a file, a producer, pieces, late, with interim
 * responses and trailers, and wrongly (content that is not as long as was said).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gallery.h"

void gallery_body(px_exchange *exchange, void *context)
{
    px_body body = {sizeof(px_body), gallery_pattern(gallery_number(exchange, "n", 13)), NULL,
                    NULL};

    (void)context;
    px_respond_body(exchange, 200, px_str_of("application/octet-stream"), &body);
}

struct producer {
    px_exchange *exchange;
    px_timer *timer; /* owned: for answers that say LATER in between */
    size_t next, last, calls;
    int fails;
};

static void producer_release(void *context)
{
    px_timer_destroy(((struct producer *)context)->timer);
    free(context);
}

static void producer_again(px_timer *timer, void *context)
{
    (void)timer;
    px_resume(((struct producer *)context)->exchange);
}

static px_pull producer_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                             void *context)
{
    struct producer *producer = context;
    size_t bytes = producer->last - producer->next;

    (void)exchange;
    if (producer->timer && producer->calls++ % 3 == 1) {
        px_timer_start(producer->timer, 1);
        return PX_PULL_LATER;
    }
    bytes = bytes < room ? bytes : room;
    memcpy(out, gallery_pattern(GALLERY_BYTES_MAX).ptr + producer->next, bytes);
    producer->next += bytes;
    *out_bytes = bytes;
    if (producer->fails && producer->next > producer->last / 2)
        return PX_PULL_ERROR;
    return producer->next == producer->last ? PX_PULL_END : PX_PULL_MORE;
}

/* ?n=BYTES [&known=1] [&later=1] [&fails=1] */
void gallery_producer(px_exchange *exchange, void *context)
{
    struct producer *producer = calloc(1, sizeof(*producer));
    px_producer how = {sizeof(px_producer), producer_pull, producer_release, producer};
    uint64_t length = PX_LENGTH_UNKNOWN;

    (void)context;
    if (!producer) {
        px_respond_error(exchange, 503);
        return;
    }
    producer->exchange = exchange;
    producer->last = gallery_pattern(gallery_number(exchange, "n", 13)).len;
    producer->fails = gallery_number(exchange, "fails", 0) != 0;
    if (gallery_number(exchange, "later", 0) != 0)
        producer->timer = px_timer_create(px_exchange_loop(exchange), producer_again, producer);
    if (gallery_number(exchange, "known", 0) != 0)
        length = producer->last;
    px_respond_producer(exchange, 200, px_str_of("text/plain"), length, &how);
}

struct pieces {
    size_t next, last;
    int is_ended; /* on_room may come after the end, when the last piece leaves */
};

static void pieces_write(px_exchange *exchange, struct pieces *pieces)
{
    while (pieces->next < pieces->last) {
        size_t bytes = pieces->last - pieces->next;
        size_t room = px_response_room(exchange);

        if (room == 0)
            return;
        bytes = bytes < room ? bytes : room;
        bytes = bytes < 5000 ? bytes : 5000;
        px_response_write(
            exchange, px_str_make(gallery_pattern(GALLERY_BYTES_MAX).ptr + pieces->next, bytes));
        pieces->next += bytes;
    }
    if (pieces->is_ended)
        return;
    pieces->is_ended = 1;
    px_response_add_trailer(exchange, px_str_of("X-Sum"), px_str_of("none"));
    px_response_add_trailer(exchange, px_str_of("x-end"), px_str_of("yes"));
    px_response_end(exchange);
}

static void pieces_room(px_exchange *exchange, void *context)
{
    pieces_write(exchange, context);
}

/* ?n=BYTES: written as there is room, with two trailers. */
void gallery_pieces(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_room = pieces_room};
    struct pieces *pieces = px_exchange_alloc(exchange, sizeof(*pieces));

    (void)context;
    if (!pieces) {
        px_respond_error(exchange, 503);
        return;
    }
    *pieces = (struct pieces){0, gallery_pattern(gallery_number(exchange, "n", 13)).len, 0};
    px_exchange_set_callbacks(exchange, &callbacks, pieces);
    px_response_start(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN);
    pieces_write(exchange, pieces);
}

static void file_close(int fd, void *context)
{
    (void)context;
    close(fd);
}

/* ?at=OFFSET&n=BYTES of the file that is the context. */
void gallery_file(px_exchange *exchange, void *context)
{
    int fd = open(context, O_RDONLY | O_CLOEXEC);
    px_file_range range = {.struct_size = sizeof(px_file_range),
                           .fd = fd,
                           .offset = gallery_number(exchange, "at", 0),
                           .length = gallery_number(exchange, "n", 13),
                           .release = file_close};

    if (fd < 0)
        px_respond_error(exchange, 404);
    else
        px_respond_file(exchange, 200, px_str_of("application/octet-stream"), &range);
}

struct late {
    px_ref exchange;
    px_timer *timer;
};

static void late_answer(px_timer *timer, void *context)
{
    struct late *late = context;
    px_exchange *exchange = px_ref_get(&late->exchange);

    if (exchange)
        gallery_say(exchange, "late\n");
    px_ref_release(&late->exchange);
    px_timer_destroy(timer);
    free(late);
}

/* ?ms=MILLISECONDS */
void gallery_late(px_exchange *exchange, void *context)
{
    struct late *late = malloc(sizeof(*late));

    (void)context;
    if (late)
        late->timer = px_timer_create(px_exchange_loop(exchange), late_answer, late);
    if (!late || !late->timer) {
        free(late);
        px_respond_error(exchange, 503);
        return;
    }
    late->exchange = px_exchange_ref(exchange);
    px_timer_start(late->timer, (uint32_t)gallery_number(exchange, "ms", 10));
}

void gallery_inform(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_inform(exchange, 103, px_str_of("Link"), px_str_of("</a.css>; rel=preload"));
    px_response_inform(exchange, 103, px_str_of("Link"), px_str_of("</b.css>; rel=preload"));
    gallery_say(exchange, "after 103\n");
}

/* ?how=...: each breaks a rule, and its answer must not look complete. */
/* Gives up and says that it is whole. */
static px_pull give_up_and_end(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                               void *context)
{
    (void)room;
    (void)context;
    memcpy(out, "half of it", 10);
    *out_bytes = 10;
    px_exchange_abort(exchange);
    return PX_PULL_END;
}

void gallery_wrong(px_exchange *exchange, void *context)
{
    px_str how = px_request_query_param(exchange, "how");

    (void)context;
    if (px_str_equal(how, px_str_of("short"))) {
        px_response_start(exchange, 200, px_str_of("text/plain"), 10);
        px_response_write(exchange, px_str_of("12345"));
        px_response_end(exchange);
    } else if (px_str_equal(how, px_str_of("long"))) {
        px_response_start(exchange, 200, px_str_of("text/plain"), 5);
        px_response_write(exchange, px_str_of("1234567890"));
        px_response_end(exchange);
    } else if (px_str_equal(how, px_str_of("field"))) {
        px_response_add_field(exchange, px_str_of("X"), px_str_of("a\r\nb: c"));
        gallery_say(exchange, "not sent\n");
    } else if (px_str_equal(how, px_str_of("twice"))) {
        gallery_say(exchange, "first\n");
        gallery_say(exchange, "second\n");
    } else if (px_str_equal(how, px_str_of("end"))) {
        px_producer gives_up = {.struct_size = sizeof(px_producer), .pull = give_up_and_end};

        px_respond_producer(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN, &gives_up);
    } else if (px_str_equal(how, px_str_of("begun"))) {
        px_response_start(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN);
        px_response_write(exchange, px_str_of("12345"));
        px_exchange_abort(exchange);
    } else {
        px_exchange_abort(exchange);
    }
}
