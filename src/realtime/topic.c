/*
 * Topics: subscriptions in a list, messages in another, and a task that hands the ones to the
 * others.
 *
 * Publishing frames the message and sets the task.  A turn of it gives the message at hand to
 * TOPIC_TURN_COUNT subscribers; the next turn goes on where it stopped.  What subscribes meanwhile
 * has a number and gets what is published after it.  Giving can end a subscriber, whose program may
 * then end others, or the topic: the place in the list is moved on before each call.
 */
#include <string.h>

#include "base/error.h"
#include "base/number.h"
#include "base/options.h"
#include "base/text.h"
#include "http/ws/ws_deflate.h"
#include "http/ws/ws_frame.h"
#include "http/ws/ws_utf8.h"
#include "realtime/event_text.h"
#include "realtime/events.h"
#include "realtime/limits.h"
#include "realtime/socket.h"
#include "realtime/topic_message.h"

enum { KEPT_BYTES_DEFAULT = 1024 * 1024, DEFLATE_BYTES_MIN = 1024, DEFLATE_LEVEL = 5 };

struct subscription {
    struct list of_topic;
    struct list of_subscriber;
    px_topic *topic;               /* borrowed: outlives it */
    struct subscriber *subscriber; /* likewise */
    uint64_t since;                /* messages up to this one are not its own */
};

struct px_topic {
    px_loop *loop;             /* borrowed: outlives it */
    struct list subscriptions; /* of struct subscription, through `of_topic` */
    struct list messages;      /* of topic_message, the oldest first */
    struct list *next_message; /* the first that is not handed out; or the list's head */
    struct list *next_subscription;
    struct loop_task task;
    struct loop_hook checks;
    uint64_t last_id;
    uint64_t bytes; /* of all messages */
    uint64_t kept_bytes;
    uint32_t kept_count;
    uint32_t count; /* subscriptions */
    uint32_t message_count;
    uint32_t waiting_count; /* messages that are not handed out */
    px_str event;           /* owned */
};

/* --- Messages --------------------------------------------------------------------------------- */

static void message_free(px_topic *topic, struct topic_message *message)
{
    CHECK(topic->next_message != &message->node);
    CHECK(topic->message_count > 0 && topic->bytes >= message->content.len);
    list_remove(&message->node);
    topic->message_count--;
    topic->bytes -= message->content.len;
    shared_put(message->plain);
    shared_put(message->deflated);
    shared_put(message->event);
    socket_free(topic->loop, message, sizeof(*message));
}

static struct shared_bytes *frame_make(px_loop *loop, px_websocket_kind kind, uint8_t rsv,
                                       px_str content)
{
    char head[WS_HEAD_BYTES_MAX];
    size_t head_bytes = ws_head_write(head, (enum ws_opcode)kind, true, rsv, content.len, NULL);
    struct shared_bytes *shared =
        content.len < SIZE_MAX / 4 ? shared_create(loop, head_bytes + content.len) : NULL;

    if (!shared)
        return NULL;
    memcpy(shared->room, head, head_bytes);
    if (content.len > 0)
        memcpy(shared->room + head_bytes, content.ptr, content.len);
    return shared;
}

static struct topic_message *message_create(px_topic *topic, px_websocket_kind kind, px_str content)
{
    struct topic_message *message = socket_alloc(topic->loop, sizeof(*message));
    struct shared_bytes *plain = message ? frame_make(topic->loop, kind, 0, content) : NULL;

    if (!plain) {
        socket_free(topic->loop, message, sizeof(*message));
        return NULL;
    }
    *message = (struct topic_message){.topic = topic, .kind = kind, .plain = plain};
    message->content = px_str_make(plain->room + plain->bytes.len - content.len, content.len);
    message->id = ++topic->last_id;
    list_append(&topic->messages, &message->node);
    topic->message_count++;
    topic->bytes += content.len;
    return message;
}

/* Deflated for itself: any peer can inflate it whose window is whole. */
static struct shared_bytes *deflated_make(px_loop *loop, const struct topic_message *message)
{
    size_t bytes = ws_deflate_bytes(WS_WINDOW_BITS_MAX);
    struct shared_bytes *shared = NULL;
    struct ws_deflate *deflate = NULL;
    struct buf out;

    if (!ws_deflate_is_there() || !budget_take(&loop->memory, BUDGET_SOCKET_CODERS, bytes))
        return NULL;
    buf_init(&out, &loop->allocator, message->content.len);
    deflate = ws_deflate_create(&loop->allocator, DEFLATE_LEVEL, WS_WINDOW_BITS_MAX);
    /* What does not become shorter is sent as it is. */
    work_count(&loop->work, (uint32_t)(message->content.len / WORK_FILTER_BYTES));
    if (deflate && ws_deflate_message(deflate, message->content, &out) == PX_OK)
        shared = frame_make(loop, message->kind, WS_RSV1, buf_str(&out));
    ws_deflate_destroy(deflate);
    buf_deinit(&out);
    budget_give(&loop->memory, BUDGET_SOCKET_CODERS, bytes);
    return shared;
}

struct shared_bytes *topic_message_frame(struct topic_message *message, bool may_deflate,
                                         bool *out_deflated)
{
    *out_deflated = false;
    if (!may_deflate || message->content.len < DEFLATE_BYTES_MIN ||
        message->content.len > TOPIC_DEFLATE_BYTES_MAX)
        return message->plain;
    if (!message->deflate_tried) {
        message->deflate_tried = true;
        message->deflated = deflated_make(message->topic->loop, message);
    }
    *out_deflated = message->deflated != NULL;
    return message->deflated ? message->deflated : message->plain;
}

struct shared_bytes *topic_message_event(struct topic_message *message)
{
    char digits[24];

    if (message->event || message->kind != PX_WEBSOCKET_TEXT)
        return message->event;
    px_str id = px_str_make(digits, (size_t)(text_write_number(digits, message->id) - digits));
    size_t len = event_bytes(id, message->topic->event, message->content);

    message->event = shared_create(message->topic->loop, len);
    if (message->event)
        event_write(message->event->room, id, message->topic->event, message->content);
    return message->event;
}

/* What was handed out and is more than is kept. */
static void messages_trim(px_topic *topic)
{
    while (!list_empty(&topic->messages) && topic->messages.next != topic->next_message &&
           (topic->message_count - topic->waiting_count > topic->kept_count ||
            topic->bytes > topic->kept_bytes))
        message_free(topic, LIST_ENTRY(topic->messages.next, struct topic_message, node));
}

/* --- Handing out ------------------------------------------------------------------------------ */

static void topic_free(px_topic *topic)
{
    topic->next_message = &topic->messages;
    while (!list_empty(&topic->messages))
        message_free(topic, LIST_ENTRY(topic->messages.next, struct topic_message, node));
    CHECK(topic->count == 0 && topic->bytes == 0);
    list_remove(&topic->task.node);
    list_remove(&topic->checks.node);
    socket_free(topic->loop, (void *)(uintptr_t)topic->event.ptr, topic->event.len + 1);
    alloc_put(&topic->loop->allocator, topic);
}

/* The message at hand went to all. */
static void message_done(px_topic *topic)
{
    CHECK(topic->waiting_count > 0 && topic->next_message != &topic->messages);
    topic->next_message = topic->next_message->next;
    topic->next_subscription = topic->subscriptions.next;
    topic->waiting_count--;
    messages_trim(topic);
}

static void topic_turn(struct loop_task *task)
{
    px_topic *topic = CONTAINER_OF(task, px_topic, task);
    uint32_t left = TOPIC_TURN_COUNT;

    while (topic->next_message != &topic->messages && left > 0) {
        struct topic_message *message = LIST_ENTRY(topic->next_message, struct topic_message, node);
        struct list *at = topic->next_subscription;

        if (at == &topic->subscriptions) {
            message_done(topic);
            continue;
        }
        struct subscription *subscription = LIST_ENTRY(at, struct subscription, of_topic);

        topic->next_subscription = at->next;
        left--;
        /* What is not taken is lost to that one, by its policy. */
        if (subscription->since < message->id)
            (void)subscription->subscriber->kind->give(subscription->subscriber, message);
    }
    if (topic->next_message != &topic->messages)
        loop_task_add(topic->loop, &topic->task);
}

px_err px_topic_publish(px_topic *topic, px_websocket_kind kind, px_str content)
{
    if (!topic || (kind == PX_WEBSOCKET_TEXT && !ws_utf8_valid(content)))
        return PX_ERR_INVALID;
    if (topic->waiting_count >= TOPIC_WAITING_MAX)
        return PX_FULL;
    struct topic_message *message = message_create(topic, kind, content);

    if (!message)
        return PX_ERR_MEMORY;
    if (topic->next_message == &topic->messages) {
        topic->next_message = &message->node;
        topic->next_subscription = topic->subscriptions.next;
    }
    topic->waiting_count++;
    loop_task_add(topic->loop, &topic->task);
    return PX_OK;
}

/* --- Subscriptions ---------------------------------------------------------------------------- */

void subscriber_init(struct subscriber *subscriber, const struct subscriber_kind *kind)
{
    subscriber->kind = kind;
    list_init(&subscriber->subscriptions);
}

static void subscription_free(struct subscription *subscription)
{
    px_topic *topic = subscription->topic;

    CHECK(topic->count > 0);
    if (topic->next_subscription == &subscription->of_topic)
        topic->next_subscription = subscription->of_topic.next;
    list_remove(&subscription->of_topic);
    list_remove(&subscription->of_subscriber);
    topic->count--;
    socket_free(topic->loop, subscription, sizeof(*subscription));
}

void subscriber_deinit(struct subscriber *subscriber)
{
    while (!list_empty(&subscriber->subscriptions))
        subscription_free(
            LIST_ENTRY(subscriber->subscriptions.next, struct subscription, of_subscriber));
}

static struct subscription *subscription_find(const px_topic *topic, struct subscriber *subscriber)
{
    for (struct list *at = subscriber->subscriptions.next; at != &subscriber->subscriptions;
         at = at->next) {
        struct subscription *subscription = LIST_ENTRY(at, struct subscription, of_subscriber);

        if (subscription->topic == topic)
            return subscription;
    }
    return NULL;
}

static px_err subscribe(px_topic *topic, struct subscriber *subscriber)
{
    if (subscription_find(topic, subscriber))
        return PX_OK;
    struct subscription *subscription = socket_alloc(topic->loop, sizeof(*subscription));

    if (!subscription)
        return PX_ERR_MEMORY;
    *subscription =
        (struct subscription){.topic = topic, .subscriber = subscriber, .since = topic->last_id};
    list_init(&subscription->of_topic);
    list_init(&subscription->of_subscriber);
    list_append(&topic->subscriptions, &subscription->of_topic);
    list_append(&subscriber->subscriptions, &subscription->of_subscriber);
    topic->count++;
    /* Behind all that were there: it is passed over for what is handed out just now. */
    if (topic->next_subscription == &topic->subscriptions)
        topic->next_subscription = &subscription->of_topic;
    return PX_OK;
}

static void unsubscribe(px_topic *topic, struct subscriber *subscriber)
{
    struct subscription *subscription = subscription_find(topic, subscriber);

    if (subscription)
        subscription_free(subscription);
}

px_err px_topic_subscribe(px_topic *topic, px_websocket *socket)
{
    if (!topic || !socket)
        return PX_ERR_INVALID;
    return socket_is_open(socket) ? subscribe(topic, &socket->subscriber) : PX_ERR_CLOSED;
}

void px_topic_unsubscribe(px_topic *topic, px_websocket *socket)
{
    if (topic && socket)
        unsubscribe(topic, &socket->subscriber);
}

/* Gives a newcomer what is kept, from a message on. */
static px_err replay(px_topic *topic, struct subscriber *subscriber, uint64_t after)
{
    px_err err = PX_OK;

    for (struct list *at = topic->messages.next; at != &topic->messages && err == PX_OK;) {
        struct topic_message *message = LIST_ENTRY(at, struct topic_message, node);

        at = at->next;
        if (message->id > after)
            err = subscriber->kind->give(subscriber, message);
    }
    return err;
}

px_err px_topic_last(px_topic *topic, px_websocket *socket, uint32_t count)
{
    if (!topic || !socket)
        return PX_ERR_INVALID;
    return replay(topic, &socket->subscriber, topic->last_id > count ? topic->last_id - count : 0);
}

px_err px_topic_subscribe_events(px_topic *topic, px_events *stream)
{
    struct subscriber *subscriber = stream ? events_subscriber(stream) : NULL;
    uint64_t seen = 0;

    if (!topic || !stream)
        return PX_ERR_INVALID;
    if (!subscriber)
        return PX_ERR_CLOSED;
    px_err err = subscribe(topic, subscriber);
    px_str last_id = px_events_last_id(stream);

    /* A number that is none of this topic's says nothing of what was seen. */
    if (err == PX_OK && last_id.len > 0 && number_read(last_id, UINT64_MAX, &seen) &&
        seen <= topic->last_id)
        err = replay(topic, subscriber, seen);
    return err;
}

void px_topic_unsubscribe_events(px_topic *topic, px_events *stream)
{
    struct subscriber *subscriber = topic && stream ? events_subscriber(stream) : NULL;

    if (subscriber)
        unsubscribe(topic, subscriber);
}

uint32_t px_topic_count(const px_topic *topic)
{
    return topic->count;
}

/* --- Checking --------------------------------------------------------------------------------- */

static void messages_check(const px_topic *topic)
{
    uint32_t waiting = 0;
    uint64_t bytes = 0, id = 0;
    bool is_waiting = false;

    for (const struct list *at = topic->messages.next; at != &topic->messages; at = at->next) {
        const struct topic_message *message = LIST_ENTRY(at, const struct topic_message, node);

        is_waiting = is_waiting || at == topic->next_message;
        waiting += is_waiting;
        bytes += message->content.len;
        ASSERT(message->topic == topic);
        ASSERT(message->id > id && message->id <= topic->last_id);
        ASSERT(message->plain->holds > 0 && message->plain->loop == topic->loop);
        ASSERT(!message->deflated || message->deflate_tried);
        ASSERT(!message->event || message->kind == PX_WEBSOCKET_TEXT);
        id = message->id;
    }
    ASSERT(waiting == topic->waiting_count && waiting <= TOPIC_WAITING_MAX);
    ASSERT(is_waiting || topic->next_message == &topic->messages);
    ASSERT(bytes == topic->bytes);
}

static void subscriptions_check(const px_topic *topic)
{
    bool is_there = topic->next_subscription == &topic->subscriptions;

    for (const struct list *at = topic->subscriptions.next; at != &topic->subscriptions;
         at = at->next) {
        const struct subscription *subscription =
            LIST_ENTRY(at, const struct subscription, of_topic);

        is_there = is_there || at == topic->next_subscription;
        ASSERT(subscription->topic == topic);
        ASSERT(subscription->since <= topic->last_id);
        ASSERT(list_linked(&subscription->of_subscriber) && subscription->subscriber->kind);
    }
    ASSERT(is_there);
}

/* What must hold of a topic between ticks. */
static void topic_check(struct loop_hook *hook)
{
    const px_topic *topic = CONTAINER_OF(hook, px_topic, checks);

    if (!ASSERTS)
        return;
    ASSERT(list_check(&topic->messages) == topic->message_count);
    ASSERT(list_check(&topic->subscriptions) == topic->count);
    messages_check(topic);
    subscriptions_check(topic);
    /* Else what waits would wait for the next message. */
    ASSERT(topic->waiting_count == 0 || list_linked(&topic->task.node));
    ASSERT(topic->message_count - topic->waiting_count <= topic->kept_count);
}

/* --- Topics ----------------------------------------------------------------------------------- */

px_topic *px_topic_create(px_loop *loop, const px_topic_options *given, px_error *out_error)
{
    px_topic_options options;

    error_clear(out_error);
    if (options_take(&options, sizeof(options), given, "topic options", out_error) != PX_OK)
        return NULL;
    if (!loop || !event_word_valid(px_str_of(options.event))) {
        error_set(out_error, PX_ERR_INVALID, 0, "a topic has a loop, and a name without CR or LF");
        return NULL;
    }
    px_topic *topic = alloc_take_zeroed(&loop->allocator, sizeof(*topic));

    if (!topic) {
        error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a topic");
        return NULL;
    }
    topic->loop = loop;
    list_init(&topic->subscriptions);
    list_init(&topic->messages);
    topic->next_message = &topic->messages;
    topic->next_subscription = &topic->subscriptions;
    loop_task_init(&topic->task, topic_turn);
    topic->kept_count = options.kept_count;
    topic->kept_bytes = options.kept_bytes ? options.kept_bytes : KEPT_BYTES_DEFAULT;
    if (options.event) {
        px_str name = px_str_of(options.event);
        char *copy = socket_alloc(loop, name.len + 1);

        if (!copy) {
            alloc_put(&loop->allocator, topic);
            error_set(out_error, PX_ERR_MEMORY, 0, "no memory for a topic");
            return NULL;
        }
        memcpy(copy, name.ptr, name.len + 1);
        topic->event = px_str_make(copy, name.len);
    }
    topic->checks.run = topic_check;
    loop_hook_add(loop, LOOP_CHECKS, &topic->checks);
    error_clear(out_error);
    return topic;
}

void px_topic_destroy(px_topic *topic)
{
    if (!topic)
        return;
    while (!list_empty(&topic->subscriptions))
        subscription_free(LIST_ENTRY(topic->subscriptions.next, struct subscription, of_topic));
    topic_free(topic);
}
