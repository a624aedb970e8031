/*
 * Topics: one message to all that have subscribed, WebSockets and streams of events alike.
 *
 * A message is framed once and every subscriber sends the same bytes.  Publishing takes note; the
 * loop hands messages out in turns of bounded work, in order.  A subscriber whose backlog is full
 * is treated by its own policy (px_backlog), and costs the others nothing.  A topic belongs to one
 * loop and is used on its thread; messages between loops and processes go by a px_hub.  A topic or
 * a subscriber that is NULL, such as one that was refused, is PX_ERR_INVALID, or nothing is done.
 */
#ifndef PX_TOPIC_H
#define PX_TOPIC_H

#include "pollux/events.h"
#include "pollux/loop.h"
#include "pollux/websocket.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_topic px_topic; /**< What can be subscribed to. */

/** Options of a topic.  Zero is the default everywhere. */
typedef struct px_topic_options {
    size_t struct_size;  /**< sizeof(px_topic_options). */
    uint64_t kept_bytes; /**< Memory of messages that are kept for newcomers; 0: 1 MiB. */
    uint32_t kept_count; /**< How many of the last messages are kept; 0: none. */
    uint32_t reserved;   /**< Zero. */
    const char *event;   /**< Names the events of streams; NULL: they have no name.  Copied. */
} px_topic_options;

/** The defaults, as a value.  Any thread. */
static inline px_topic_options px_topic_options_default(void)
{
    px_topic_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_topic_options, as a value. */
#define PX_TOPIC_OPTIONS_DEFAULT px_topic_options_default()
/** The same as an initialiser of a static. */
#define PX_TOPIC_OPTIONS_INIT PX_INIT_OF(px_topic_options)

/** Makes a topic.  @param loop borrowed: outlives it.  @param options borrowed for the call; NULL:
 *  the defaults.  @return owned by the caller (px_topic_destroy), or NULL: PX_ERR_MEMORY,
 *  PX_ERR_INVALID. */
px_topic *px_topic_create(px_loop *loop, const px_topic_options *options, px_error *out_error);

/** Ends a topic and all subscriptions to it; what was published and not handed out is dropped.
 *  NULL is fine. */
void px_topic_destroy(px_topic *topic);

/** Publishes a message to all that are subscribed now.  Streams of events get text alone.
 *  @param message copied.
 *  @return PX_OK: it will be handed out, from the loop; PX_FULL: 1,024 messages wait for that, and
 *  this one is dropped; PX_ERR_INVALID: text that is no UTF-8 (RFC 6455 section 8.1), which its
 *  readers would have to fail at; PX_ERR_MEMORY. */
px_err px_topic_publish(px_topic *topic, px_websocket_kind kind, px_str message);

/** Subscribes a WebSocket; it is subscribed until its on_close, px_topic_unsubscribe or the topic's
 *  end.  @return PX_OK, also when it is already; PX_ERR_CLOSED, PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_topic_subscribe(px_topic *topic, px_websocket *socket);

/** Ends a subscription; nothing when there is none. */
void px_topic_unsubscribe(px_topic *topic, px_websocket *socket);

/** Subscribes a stream of events likewise.  Its events have an id, the number of the message; what
 *  is kept and came after the stream's Last-Event-ID is sent first.
 *  @return as px_topic_subscribe; PX_FULL, or PX_ERR_MEMORY: it did not take all of what is kept,
 *  and where there was memory it is subscribed all the same (px_topic_unsubscribe_events). */
PX_MUST_CHECK px_err px_topic_subscribe_events(px_topic *topic, px_events *stream);

/** As px_topic_unsubscribe, for a stream. */
void px_topic_unsubscribe_events(px_topic *topic, px_events *stream);

/** Sends the last `count` messages that are kept to a WebSocket, the oldest first; call it before
 *  px_topic_subscribe.
 *  @return PX_OK, or why it did not take one: PX_FULL, PX_ERR_CLOSED, PX_ERR_MEMORY. */
px_err px_topic_last(px_topic *topic, px_websocket *socket, uint32_t count);

/** How many are subscribed. */
uint32_t px_topic_count(const px_topic *topic);

#ifdef __cplusplus
}
#endif

#endif
