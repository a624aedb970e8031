/*
 * What a topic sends to: a WebSocket or a stream of events, seen alike.
 *
 * What can subscribe embeds one of these; the topics that it is subscribed to hang on it, and go
 * with it.
 */
#ifndef PX_REALTIME_SUBSCRIBER_H
#define PX_REALTIME_SUBSCRIBER_H

#include "base/list.h"
#include "pollux/error.h"

struct shared_bytes;
struct topic_message;
struct subscriber;

struct subscriber_kind {
    /* Appends a message: PX_OK, PX_FULL, PX_ERR_CLOSED or PX_ERR_MEMORY.  Never calls the program
     * back. */
    px_err (*give)(struct subscriber *subscriber, struct topic_message *message);
};

struct subscriber {
    const struct subscriber_kind *kind; /* borrowed: static */
    struct list subscriptions; /* of struct subscription (topic.h), through `of_subscriber` */
};

void subscriber_init(struct subscriber *subscriber, const struct subscriber_kind *kind);

/* Ends all of its subscriptions. */
void subscriber_deinit(struct subscriber *subscriber);

#endif
