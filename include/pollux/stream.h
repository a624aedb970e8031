/*
 * Byte streams: listeners, connections, dialling, over TCP (IPv4, IPv6) and unix sockets.
 *
 * The contract in short (the whole of it stands in src/io/io.h): receiving is a subscription, and
 * the receiver says how much it used; one send is in flight a stream; a send is done at once or
 * reported once, later; closing is always asynchronous, ends in exactly one on_closed, and may be
 * asked for at any time, from any callback, any number of times.
 */
#ifndef PX_STREAM_H
#define PX_STREAM_H

#include "pollux/loop.h"
#include "pollux/str.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_stream px_stream;     /**< A connected byte stream. */
typedef struct px_listener px_listener; /**< One address to accept on (one or more sockets). */

/** A piece of what is to be sent: memory, or a range of a file. */
typedef struct px_part {
    px_str bytes;    /**< Memory: what to send.  File range: must be absent (ptr NULL). */
    int fd;          /**< File range: an open file.  Ignored for memory. */
    uint64_t offset; /**< File range: where it begins, in bytes. */
    uint64_t length; /**< File range: how many bytes. */
} px_part;

/** What became of a send. */
typedef enum px_sent {
    PX_SENT_DONE,   /**< Everything was taken; no callback follows. */
    PX_SENT_PENDING /**< Exactly one on_sent follows, from the loop. */
} px_sent;

/** What a stream reports.  A table that is shared by many streams: it must outlive them. */
typedef struct px_stream_events {
    /** Bytes arrived.  They are borrowed until this returns; the result says how many of them were
     *  used, and the stream keeps the rest and presents it again, in front of what follows.  NULL
     *  for a stream that is never read. */
    size_t (*on_recv)(px_stream *stream, px_str bytes, void *context);
    /** No more bytes will come: PX_OK at the peer's end of data (it may still read), PX_ERR_CLOSED
     *  on a reset, PX_ERR_LIMIT when unused bytes found no more room, PX_ERR_SYSTEM otherwise.
     *  Called at most once. */
    void (*on_recv_end)(px_stream *stream, px_err reason, void *context);
    /** A send that was PX_SENT_PENDING has ended: PX_OK, PX_ERR_CLOSED (the peer is gone),
     *  PX_ERR_CANCELLED (the stream was closed), PX_ERR_MALFORMED (a file range was shorter than
     *  said), PX_ERR_SYSTEM. */
    void (*on_sent)(px_stream *stream, px_err result, void *context);
    /** The last word: the stream is gone when this returns. */
    void (*on_closed)(px_stream *stream, void *context);
} px_stream_events;

/** Sets the table and the context that hear of a stream's events.  Called once, in on_accept or
 * on_dialled.
 *  @param events borrowed: outlives the stream.  @param context borrowed likewise.
 *  The loop's thread. */
void px_stream_attach(px_stream *stream, const px_stream_events *events, void *context);

/** Begins or resumes receiving.  Never calls back itself: bytes that were kept come from the loop.
 *  The loop's thread. */
void px_stream_recv_start(px_stream *stream);

/** Stops receiving: nothing is delivered until px_stream_recv_start, except that a reset is
 * reported. The loop's thread. */
void px_stream_recv_stop(px_stream *stream);

/** Sends `parts` in order.  No other send may be in flight.
 *  @param parts borrowed, like the memory and files they name, until the send is done or reported.
 *  @return PX_SENT_DONE or PX_SENT_PENDING; errors come by on_sent.  The loop's thread. */
px_sent px_stream_send(px_stream *stream, const px_part *parts, size_t count);

/** Sets how many bytes that on_recv did not use are kept; more ends the stream with PX_ERR_LIMIT.
 *  128 KiB when this is not called.  The loop's thread. */
void px_stream_set_inbox(px_stream *stream, uint32_t bytes_max);

/** Bytes that the system has taken from us since the stream began.  The loop's thread. */
uint64_t px_stream_sent_bytes(const px_stream *stream);

/** Tells the peer that no more bytes will come (half-close).  Not while a send is in flight.
 *  The loop's thread. */
void px_stream_shutdown(px_stream *stream);

/** Closes: from now on no data, end or error is reported; a send in flight reports once, then
 *  on_closed comes, from the loop.  May be called any number of times.  The loop's thread. */
void px_stream_close(px_stream *stream);

/** As px_stream_close, but the peer sees a reset instead of an orderly end, so that what was cut
 *  short does not look complete.  A unix socket knows no reset: there the end is orderly.  The
 * loop's thread. */
void px_stream_reset(px_stream *stream);

/** Takes the stream off the loop and hands back its descriptor and unread bytes; the stream is gone
 *  afterwards, without on_closed.  Not while a send is in flight, and not after a close.
 *  @param out_unread what the stream kept, borrowed until the end of the tick; may be empty. Inside
 *  of on_recv it does not hold the bytes that on_recv was given: the caller has those.
 *  @return the descriptor, owned by the caller.  The loop's thread. */
int px_stream_release(px_stream *stream, px_str *out_unread);

/** The peer's address as text ("192.0.2.1:80", "[2001:db8::1]:80", "unix:").
 *  @param out_text filled and NUL-terminated.  @return its length, at most `room` - 1.
 *  The loop's thread. */
size_t px_stream_peer(const px_stream *stream, char *out_text, size_t room);

/** Our own address as text, as px_stream_peer.  The loop's thread. */
size_t px_stream_local(const px_stream *stream, char *out_text, size_t room);

/** The loop of a stream.  The loop's thread. */
px_loop *px_stream_loop(const px_stream *stream);

/* --- Listening ---------------------------------------------------------------------------- */

/** Options of a listener. */
typedef struct px_listen_options {
    size_t struct_size;  /**< sizeof(px_listen_options). */
    uint32_t backlog;    /**< Connections waiting to be accepted; 0: 4096. */
    uint32_t reuse_port; /**< 1: several listeners may share a TCP port (SO_REUSEPORT); the first
                              still fails when another socket listens there. 2: join the others
                              without that check. */
    uint32_t defer_accept_s; /**< TCP: accept when the first bytes are there, or after so many
                                  seconds; 0: 1 s; PX_OFF. */
    uint32_t unix_mode;      /**< Permission bits of a unix socket; 0: 0660. */
} px_listen_options;

/** The defaults, as a value.  Any thread. */
static inline px_listen_options px_listen_options_default(void)
{
    px_listen_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_listen_options, as a value. */
#define PX_LISTEN_OPTIONS_DEFAULT px_listen_options_default()
/** The same as an initialiser of a static. */
#define PX_LISTEN_OPTIONS_INIT PX_INIT_OF(px_listen_options)

/** Opens an address to listen on.  No loop is needed, so a program may open it before it forks.
 *  @param address ":8080" or "*:8080" (both families), "8080" is refused; "127.0.0.1:8080",
 *  "[::1]:8080", "name:8080" (every address found), "unix:/path" (a stale socket is replaced),
 *  "fd:3" or "fd:NAME" (inherited as systemd passes them).  Port 0 picks one.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_listener_close), or NULL: PX_ERR_ADDRESS_IN_USE,
 *  PX_ERR_PERMISSION, PX_ERR_INVALID, PX_ERR_NOT_FOUND, PX_ERR_MEMORY, PX_ERR_SYSTEM.
 *  Any thread. */
px_listener *px_listener_open(const char *address, const px_listen_options *options,
                              px_error *out_error);

/** Makes a listener of a descriptor that listens already.
 *  @param fd owned by the listener on success.
 *  @return as px_listener_open.  Any thread. */
px_listener *px_listener_adopt(int fd, px_error *out_error);

/** Says whether closing the listener removes the file of its unix socket: true for one that was
 *  opened here, false for one that was adopted, until this is called.  For a socket that another
 *  process goes on with, or that was handed over by one that has ended.  Any thread. */
void px_listener_own_path(px_listener *listener, int is_ours);

/** Opens another listener on the same addresses, for another loop (SO_REUSEPORT for TCP where the
 *  first was opened with it, a duplicate of the descriptor otherwise).
 *  @return as px_listener_open.  Any thread. */
px_listener *px_listener_clone(const px_listener *listener, px_error *out_error);

/** Begins to accept.
 *  @param on_accept gets each new stream; it calls px_stream_attach, or px_stream_close.
 *  @return PX_OK, PX_ERR_MEMORY, PX_ERR_LIMIT or PX_ERR_SYSTEM.  The loop's thread. */
PX_MUST_CHECK px_err px_listener_start(px_listener *listener, px_loop *loop,
                                       void (*on_accept)(px_stream *stream, void *context),
                                       void *context, px_error *out_error);

/** Stops accepting; px_listener_start goes on later.  Connections wait in the backlog meanwhile.
 *  The loop's thread. */
void px_listener_stop(px_listener *listener);

/** Stops and frees it, and removes its unix socket from the file system when it made it.  NULL is
 *  fine, and so is its own callback.  The loop's thread, or any when it was never started. */
void px_listener_close(px_listener *listener);

/** Whether `text` names a block of addresses, as px_server_options.trusted_proxies
 *  takes them.  Any thread.
 *  @return PX_OK, or PX_ERR_INVALID with a line that says what is wrong. */
PX_MUST_CHECK px_err px_address_block_check(const char *text, px_error *out_error);

/** Whether px_listener_open understands an address; it is neither resolved nor bound.  Any thread.
 *  @return PX_OK, or PX_ERR_INVALID with a line that says what is wrong. */
PX_MUST_CHECK px_err px_address_check(const char *text, px_error *out_error);

/** Its address as text with the port that was picked ("0.0.0.0:8080", "unix:/run/x.sock"); several
 *  are separated by ", ".  Owned by the listener.  Any thread. */
const char *px_listener_address(const px_listener *listener);

/** How many sockets it has, and the descriptor of one, owned by the listener; -1 past the last.
 *  Any thread. */
int px_listener_fd(const px_listener *listener, size_t index);

/* --- Dialling ----------------------------------------------------------------------------- */

/** Connects to an address ("host:port", "[v6]:port", "unix:/path"); numeric hosts are
 *  taken as they are, names are resolved on a helper thread; the addresses found race, as with
 *  px_dial_start.
 *  @param timeout_ms for the whole of it; 0: 10 s.
 *  @param on_dialled called once, from the loop: with the stream (attach it or close it) and
 *  PX_OK, or with NULL and PX_ERR_TIMEOUT, PX_ERR_CLOSED (refused), PX_ERR_NOT_FOUND,
 *  PX_ERR_CANCELLED, PX_ERR_SYSTEM.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_MEMORY or PX_ERR_LIMIT.  The loop's thread. */
PX_MUST_CHECK px_err px_dial(px_loop *loop, const char *address, uint32_t timeout_ms,
                             void (*on_dialled)(px_stream *stream, px_err result, void *context),
                             void *context, px_error *out_error);

/** A dial that is under way: good until its callback is called. */
typedef struct px_dialing px_dialing;

/** Options of a dial.  Zero is the default everywhere. */
typedef struct px_dial_options {
    size_t struct_size;          /**< sizeof(px_dial_options). */
    uint32_t timeout_ms;         /**< For the whole of it; 0: 10 s. */
    uint32_t address_timeout_ms; /**< For each address; 0: only the whole has a limit. */
    uint32_t stagger_ms;         /**< Between the beginnings of two attempts that race (RFC 8305);
                                      0: 250; PX_OFF: one after the other. */
} px_dial_options;

/** The defaults, as a value.  Any thread. */
static inline px_dial_options px_dial_options_default(void)
{
    px_dial_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_dial_options, as a value. */
#define PX_DIAL_OPTIONS_DEFAULT px_dial_options_default()
/** The same as an initialiser of a static. */
#define PX_DIAL_OPTIONS_INIT PX_INIT_OF(px_dial_options)

/** As px_dial, with a handle, deadlines for each address, and what went wrong in words.  The
 *  addresses of a name race: families by turns, IPv6 first, each attempt beginning 250 ms after the
 *  one before it or as soon as that has failed; the first that connects ends the others.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @param on_done called once, from the loop: with the stream (attach it or close it) and an error
 *  with the code PX_OK, or with NULL and the error of the attempt that failed last, PX_ERR_TIMEOUT
 *  or PX_ERR_CANCELLED.  `error` is borrowed until it returns.
 *  @return the dial, or NULL: PX_ERR_INVALID, PX_ERR_MEMORY, PX_ERR_LIMIT.  The loop's thread. */
px_dialing *px_dial_start(px_loop *loop, const char *address, const px_dial_options *options,
                          void (*on_done)(px_stream *stream, const px_error *error, void *context),
                          void *context, px_error *out_error);

/** Gives a dial up: its callback comes from the loop, with PX_ERR_CANCELLED.  Any number of times
 *  before that.  The loop's thread. */
void px_dial_cancel(px_dialing *dial);

#ifdef __cplusplus
}
#endif

#endif
