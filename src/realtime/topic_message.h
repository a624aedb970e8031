/*
 * A message of a topic, and the forms in which it is sent: each is made once, when the first
 * subscriber asks for it.
 */
#ifndef PX_REALTIME_TOPIC_MESSAGE_H
#define PX_REALTIME_TOPIC_MESSAGE_H

#include "base/list.h"
#include "pollux/topic.h"
#include "realtime/outbox.h"

struct topic_message {
    struct list node; /* of its topic's messages */
    px_topic *topic;  /* borrowed: outlives it */
    uint64_t id;      /* its number in the topic */
    px_websocket_kind kind;
    px_str content;                /* inside of `plain` */
    struct shared_bytes *plain;    /* a frame; a hold */
    struct shared_bytes *deflated; /* a frame, deflated for itself; a hold, or NULL */
    struct shared_bytes *event;    /* an event of a stream; a hold, or NULL */
    bool deflate_tried;
};

/* The frame for a WebSocket.  *out_deflated says which it is; where it does not help, or there is
 * no memory for it, the plain one is given to those that could take the other. */
struct shared_bytes *topic_message_frame(struct topic_message *message, bool may_deflate,
                                         bool *out_deflated);

/* The event for a stream; NULL for binary, or without memory. */
struct shared_bytes *topic_message_event(struct topic_message *message);

#endif
