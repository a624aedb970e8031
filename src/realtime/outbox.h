/*
 * What waits for a peer to read: bytes of its own, and bytes that it shares with others.
 *
 * A frame that goes to many is made once and counted (struct shared_bytes); what goes to one is
 * appended to a chunk.  Everything is taken from the share of the loop's budget, so it can fail
 * with NULL or PX_ERR_MEMORY when all peers together keep too much waiting; and what a peer does
 * not read for long gives way, where its owner has said how.  Nothing is sent behind that: a frame
 * may have been begun.
 */
#ifndef PX_REALTIME_OUTBOX_H
#define PX_REALTIME_OUTBOX_H

#include "http/ws/ws_frame.h"
#include "io/io.h"
#include "pollux/response.h"

/* Bytes that several send. */
struct shared_bytes {
    px_loop *loop; /* borrowed: outlives it */
    uint32_t holds;
    px_str bytes; /* behind it, or borrowed until `release` */
    void (*release)(void *context);
    void *context;
    size_t taken; /* from the budget, and of memory */
    char room[];
};

/* Room for `len` bytes, with one hold; NULL without memory. */
struct shared_bytes *shared_create(px_loop *loop, size_t len);

/* Bytes of another owner: `body` is released once, also when there is no memory. */
struct shared_bytes *shared_of(px_loop *loop, const px_body *body);

struct shared_bytes *shared_hold(struct shared_bytes *shared); /* takes another hold */
void shared_put(struct shared_bytes *shared);                  /* gives a hold back; NULL is fine */

struct outbox_item {
    struct outbox_item *next;    /* owned */
    struct shared_bytes *shared; /* a hold, or NULL: the bytes are in `room` */
    px_str bytes;
    size_t at;    /* what of them was sent */
    size_t cap;   /* of `room` */
    bool follows; /* it goes on with the frame that the item before has begun */
    char room[];
};

struct outbox {
    px_loop *loop;               /* borrowed: outlives it */
    void *owner;                 /* borrowed: its socket or stream; NULL */
    struct budget_holder holder; /* of the memory that waits; without give_way it only counts */
    struct outbox_item *head;    /* owned */
    struct outbox_item *tail;    /* borrowed: the last */
    size_t bytes;                /* that wait */
    bool gave_way;               /* what waited is gone, and nothing more is taken */
};

void outbox_init(struct outbox *outbox, px_loop *loop);
void outbox_clear(struct outbox *outbox);

/* What is called when it has to give way: that calls outbox_give_way, and ends the peer from the
 * loop. */
void outbox_own(struct outbox *outbox, void *owner, void (*give_way)(struct budget_holder *holder));
void outbox_give_way(struct outbox *outbox);

/* Room for exactly `len` bytes behind what waits; outbox_add says that they are written.  NULL
 * without memory. */
char *outbox_room(struct outbox *outbox, size_t len);
void outbox_add(struct outbox *outbox, size_t len);

/* Appends a frame.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err outbox_frame(struct outbox *outbox, enum ws_opcode opcode, bool fin,
                                  uint8_t rsv, px_str content);

/* Appends bytes that are shared: takes a hold of its own.  PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err outbox_share(struct outbox *outbox, struct shared_bytes *shared, bool follows);

/* Moves all that waits in `from` behind what waits in `outbox`. */
void outbox_join(struct outbox *outbox, struct outbox *from);

/* Drops what waits but for a frame that was begun. */
void outbox_drop(struct outbox *outbox);

/* The first item that waits, whole (absent: none does), and taking it off. */
px_str outbox_first(const struct outbox *outbox);
void outbox_pass(struct outbox *outbox);

/* Takes `bytes` off it, and leaves some. */
void outbox_skip(struct outbox *outbox, size_t bytes);

/* Writes what waits to `out`: how many bytes. */
size_t outbox_pull(struct outbox *outbox, char *out, size_t room);

/* States what must hold between calls; O(items), for tests. */
void outbox_check(const struct outbox *outbox);

/* Memory for what waits for peers, or is made for them, from that share; socket_resize: for what
 * comes, which leaves half of it free unless it `goes_on`; NULL makes it new, `since_ms` is as in a
 * budget_asker.  What holds most without moving for longest gives way. */
void *socket_alloc(px_loop *loop, size_t bytes);
void *socket_resize(px_loop *loop, void *ptr, size_t before, size_t bytes, uint64_t since_ms,
                    bool goes_on);
void socket_free(px_loop *loop, void *ptr, size_t bytes); /* NULL is fine */

#endif
