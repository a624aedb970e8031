/*
 * A WebSocket from inside.
 *
 *   socket_accept.c   the handshake
 *   socket_read.c     what comes: messages, control frames, the end
 *   socket_half.c     messages that are not whole: how long they may be, and which give way
 *   socket_coders.c   compression: what is kept between messages, and what gives way
 *   socket_send.c     what goes out, and what waits
 *   socket_slices.c   large messages that are deflated, a slice at a time
 *   socket_life.c     deadlines, closing, the end
 *   socket_call.c     small public calls, other threads
 *
 * It lives from px_websocket_accept until the exchange's on_end, which frees it; on_close was
 * called by then, at the latest from there.  Every callback of the program may close, abort or
 * send: that only takes note, and each caller looks at `state` afterwards.
 */
#ifndef PX_REALTIME_SOCKET_H
#define PX_REALTIME_SOCKET_H

#include "base/list.h"
#include "exchange/tunnel.h"
#include "http/ws/ws_extension.h"
#include "http/ws/ws_read.h"
#include "pollux/request.h"
#include "pollux/websocket.h"
#include "realtime/limits.h"
#include "realtime/outbox.h"
#include "realtime/subscriber.h"

enum socket_state {
    SOCKET_OPEN,
    SOCKET_CLOSING, /* our Close is said, the peer's is waited for */
    SOCKET_ENDING,  /* on_close was called: what waits goes out, and then our side ends */
    SOCKET_DEAD     /* given up: nothing goes out any more */
};

/* What matters after the handshake, of all WebSockets of a loop that were accepted alike. */
struct socket_terms {
    uint32_t holds;
    const px_websocket_events *events; /* borrowed: the program's */
    struct ws_limits limits;
    uint32_t backlog_bytes_max;
    uint32_t ping_ms;
    uint32_t idle_ms;
    uint32_t close_ms;
    uint32_t deflate_bytes_min;
    uint32_t rate_min;       /* bytes a second of a message that has begun, or PX_OFF ... */
    uint32_t rate_window_ms; /* ... over so long */
    uint8_t backlog;         /* px_backlog */
    uint8_t deflate_level;
};

struct px_websocket {
    px_exchange *exchange;      /* borrowed: outlives it, unless its tunnel parts */
    struct tunnel tunnel;       /* of one that parts from its exchange */
    px_loop *loop;              /* likewise */
    struct socket_terms *terms; /* a hold */
    void *context;
    void *user_data;
    struct socket_coders *coders; /* owned; NULL: no permessage-deflate */
    struct socket_work *work;     /* owned, or NULL while nothing comes and nothing waits but */
    struct shared_bytes *alone;   /* a hold of a frame of a topic that waits alone; NULL */
    struct subscriber subscriber;
    struct io_timer timer;
    struct loop_task again; /* reads on after a turn */
    uint64_t heard_ms;      /* when bytes last came */
    uint64_t pinged_ms;     /* our last ping; 0: answered, or none was sent */
    uint64_t ping_due_ms;
    uint64_t end_due_ms; /* lifetime, drain, or the wait for the peer's Close; UINT64_MAX */
    uint16_t doom;       /* enum ws_code: it fails with this, from the loop; 0: it does not */
    uint8_t state;       /* enum socket_state */
    bool detaches;       /* its exchange ends with the handshake, where the transport can do that */
    bool paused;         /* by the program */
    bool held;           /* reading waits for the backlog */
    bool starved;        /* reading waits for memory */
    bool full_told;      /* on_drain is due */
    bool in_pieces;      /* a message of ours is not finished ... */
    bool pieces_text;    /* ... and is text ... */
    struct ws_utf8 utf8; /* ... as far as this */
    bool reported;       /* on_close was called */
    uint16_t protocol_len;
    char protocol[]; /* the subprotocol; of none no byte */
};

/* What compression takes, of a WebSocket that has agreed to it. */
struct socket_coders {
    px_websocket *socket; /* borrowed: whose it is */
    struct ws_deflate_terms terms;
    struct ws_deflate *deflate;    /* owned; made for a message, and kept while there is room */
    struct socket_slices *slices;  /* owned, or NULL: of a message that is being deflated */
    struct ws_inflate *inflate;    /* owned; made with the first message, or each */
    size_t reserved_bytes;         /* for a window that the peer takes over */
    struct budget_holder window;   /* spare: of `deflate` between messages */
    struct budget_holder inflater; /* of `inflate`, for a message that stands for itself ... */
    uint64_t seen_bytes;           /* ... of which so much was seen to have come */
};

/* The content of a ping. */
struct waiting_pong {
    uint8_t len;
    char bytes[WS_CONTROL_BYTES_MAX];
};

/* What reading and sending take; most WebSockets are silent most of the time, and hold none. */
struct socket_work {
    px_websocket *socket; /* borrowed: whose it is */
    struct ws_reader reader;
    char *message; /* owned: what came of the message at hand */
    size_t message_len;
    size_t message_cap;
    struct budget_holder holder; /* of the message, while it is not whole */
    size_t moved_len;            /* what of it there was when it was seen to move */
    uint64_t rated_ms;           /* since when what came of it is counted ... */
    uint64_t rated_bytes;        /* ... and what had come by then */
    uint64_t starved_ms;         /* since when it waits for memory; 0: it does not */
    uint64_t retry_ms;           /* when it asks again */
    bool rated;

    struct outbox outbox;
    struct outbox *later; /* owned: what was shared while a message in pieces is not finished, or
                           * sent while one is deflated in slices */
    struct waiting_pong *pong; /* owned, or NULL: the latest ping, answered when there is room */
};

extern const struct tunnel_events socket_tunnel_events;
extern const px_tunnel_callbacks socket_tunnel;
extern const px_exchange_callbacks socket_callbacks;

/* Reading, and giving up, by the exchange or, once it has parted, by the tunnel. */
void socket_stop_reading(px_websocket *socket);
void socket_start_reading(px_websocket *socket);
void socket_abort(px_websocket *socket);

/* Takes what work needs, where it is not there, and what waits alone into it: false without memory.
 * And gives it back where it is of no use, at the end of what the transport calls. */
bool socket_work_take(px_websocket *socket);
void socket_work_rest(px_websocket *socket);

/* Whether what waited has given way: nothing is sent behind it. */
static inline bool socket_gave_way(const px_websocket *socket)
{
    return socket->work && socket->work->outbox.gave_way;
}

/* As give_way of an outbox of a socket's. */
void socket_outbox_gives_way(struct budget_holder *holder);

/* Drops what waits without work. */
void socket_drop_alone(px_websocket *socket);

/* Drops what was to follow a message in pieces. */
void socket_drop_later(px_websocket *socket);

/* Gives a hold back. */
void socket_terms_put(px_loop *loop, struct socket_terms *terms);

/* Everything of it goes. */
void socket_destroy(px_websocket *socket);

/* Reads bytes that came: how many were used. */
size_t socket_receive(px_websocket *socket, px_str bytes);

/* --- Large messages that are deflated (socket_slices.c) --------------------------------------- */

static inline bool slices_are_made(const px_websocket *socket)
{
    return socket->coders && socket->coders->slices;
}

/* Deflates a message by and by: PX_OK, PX_ERR_MEMORY or, without a coder, PX_ERR_UNSUPPORTED. */
PX_MUST_CHECK px_err slices_begin(px_websocket *socket, px_websocket_kind kind, px_str message);
void slices_drop(px_websocket *socket); /* without any is fine, here and below */

size_t slices_waiting(const px_websocket *socket); /* bytes of it that are not deflated */
void slices_go_on(px_websocket *socket);           /* some of what was made is sent */
void slices_give_way(px_websocket *socket);
void slices_check(const px_websocket *socket);

/* --- What goes out ---------------------------------------------------------------------------- */

/* Bytes that wait. */
static inline size_t socket_waiting(const px_websocket *socket)
{
    const struct socket_work *work = socket->work;

    if (!work)
        return socket->alone ? socket->alone->bytes.len : 0;
    return work->outbox.bytes + (work->later ? work->later->bytes : 0) + slices_waiting(socket);
}

/* Has what waits sent. */
void socket_flush(px_websocket *socket);

/* Appends a control frame; false without memory. */
bool socket_control(px_websocket *socket, enum ws_opcode opcode, px_str content);

/* Answers a ping, now or when there is room. */
void socket_pong(px_websocket *socket, px_str content);

/* Whether the backlog is full; and what then becomes of a message, by the policy. */
bool socket_is_full(const px_websocket *socket);
px_err socket_overflow(px_websocket *socket);

extern const struct subscriber_kind socket_subscriber;

/* Reads on, where nothing holds it back. */
void socket_read_on(px_websocket *socket);
void socket_again(struct loop_task *task);

/* As on_pull of px_tunnel_callbacks. */
px_pull socket_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                    void *context);

/* The same for a tunnel that has parted. */
px_pull socket_tunnel_pull(struct tunnel *tunnel, char *out, size_t room, size_t *out_bytes);

/* Says Close and waits for the peer's. */
px_err socket_close(px_websocket *socket, unsigned code, px_str reason);

/* The peer's Close has come: answers it. */
void socket_peer_close(px_websocket *socket, uint16_t code, px_str reason);

/* Fails the connection (RFC 6455 section 7.1.7). */
void socket_fail(px_websocket *socket, uint16_t code);

/* The peer has ended its side; without its Close that is no end of a WebSocket's. */
void socket_peer_end(px_websocket *socket);

/* The peer is gone, or is given up. */
void socket_give_up(px_websocket *socket);

/* As socket_fail or, with WS_CODE_ABNORMAL, socket_give_up, but from the loop: for what the program
 * has called, which is not called back inside of that. */
void socket_doom(px_websocket *socket, uint16_t code);

/* The same, whether it is closing or not. */
void socket_doom_any(px_websocket *socket, uint16_t code);

/* States what must hold between its callbacks; O(what waits), for tests. */
void socket_check(const px_websocket *socket);

/* Sets the timer to what is due first. */
void socket_schedule(px_websocket *socket);
void socket_due(struct io_timer *timer);

/* --- Compression (socket_coders.c) ------------------------------------------------------------ */

/* PX_OK or PX_ERR_MEMORY.  What the peer's window takes is set aside, or it is told not to keep
 * one. */
PX_MUST_CHECK px_err coders_create(px_websocket *socket, const struct ws_deflate_terms *terms);
void coders_destroy(px_websocket *socket); /* without any is fine */

/* For a message that comes: NULL without memory.  Behind it what stands for itself goes. */
struct ws_inflate *coders_inflate(px_websocket *socket);
void coders_inflated(px_websocket *socket);

/* So much of the message has come by now; `starved`: it waits for us. */
void coders_come(px_websocket *socket, uint64_t bytes, bool starved);

/* For a message of ours; NULL: it is sent as it is.  Behind it the window is kept where there is
 * room, and dropped where the message did not go out (`is_sent`). */
struct ws_deflate *coders_deflate(px_websocket *socket);
void coders_deflated(px_websocket *socket, bool is_sent);

/* The peer's window has moved by what our coder has not seen. */
void coders_moved(px_websocket *socket);

void coders_check(const px_websocket *socket);

/* --- Messages that are not whole (socket_half.c) ---------------------------------------------- */

void half_init(struct socket_work *work, px_websocket *socket);

/* Room behind what has come of a message; false: there is none now. */
bool half_grow(px_websocket *socket, size_t there);

/* It is whole, and not taken any more.  And it goes, with what inflates it. */
void half_end(struct socket_work *work);
void half_drop(px_websocket *socket);

/* Waits for memory, of a message or for what inflates it; false: it has done so for too long. */
bool half_starve(px_websocket *socket, bool for_message);

/* At the end of what came: a message that is not whole is rated. */
void half_look(px_websocket *socket);

/* Time in which nothing is read does not count. */
void half_read_on(px_websocket *socket);

/* When something of it is due; what is done then: false when its peer is too slow. */
uint64_t half_due_ms(const px_websocket *socket);
bool half_due(px_websocket *socket);

static inline bool socket_is_open(const px_websocket *socket)
{
    return socket->state == SOCKET_OPEN && socket->doom == 0;
}

#endif
