/*
 * A whole HTTP/2 connection: whatever a client sends, in whatever pieces, every stream that begins
 * ends once, what handlers see is well-formed, what is said is frames, and nothing is left over.
 *
 * The first byte sets how the bytes are cut and whether a good beginning stands in front.  The
 * owner of the session behaves as handlers do, each stream in a way of its own: it answers at once
 * or later, with content or without, with trailers, resets, and reads content slowly or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/h2/h2_session.h"

enum {
    INPUT_MAX = 64 * 1024,
    OUT_ROOM = 4096,
    ROUNDS_MAX = 64,
    STREAMS_MAX = 4096,
    BEGINNING_BYTES = H2_PREFACE_BYTES + H2_HEAD_BYTES
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct owner;

struct lane {
    struct h2_stream stream;
    struct owner *owner;
    struct arena arena;
    bool open;
    bool asked; /* a request or a refusal was reported */
    bool ended; /* ... and its end */
    bool sent;
    bool late;     /* answers when the bytes at hand are fed */
    uint32_t left; /* content to be pulled */
    uint32_t kept; /* content that was not given back */
    char text[4096];
};

struct owner {
    struct h2_session *session;
    struct lane *lanes[STREAMS_MAX]; /* owned */
    uint32_t count;
    uint32_t open;
    bool inside; /* of feed or render */
};

static const struct http_limits limits = {
    .head_bytes_max = 4096, .target_bytes_max = 200, .field_count_max = 10};

static struct lane *lane_of(struct h2_stream *stream)
{
    return CONTAINER_OF(stream, struct lane, stream);
}

static struct h2_stream *on_begin(void *context)
{
    struct owner *owner = context;

    CHECK(owner->inside);
    if (owner->count == STREAMS_MAX)
        return NULL;
    struct lane *lane = calloc(1, sizeof(*lane));

    CHECK(lane);
    lane->owner = owner;
    lane->open = true;
    arena_init(&lane->arena, &alloc_libc, lane->text, sizeof(lane->text), 64 * 1024);
    owner->lanes[owner->count++] = lane;
    owner->open++;
    CHECK(owner->open <= H2_STREAMS_MAX);
    return &lane->stream;
}

static void check_text(px_str text)
{
    CHECK(text.ptr && text.ptr[text.len] == '\0' && !memchr(text.ptr, '\r', text.len) &&
          !memchr(text.ptr, '\n', text.len) && strlen(text.ptr) == text.len);
}

static void answer(struct lane *lane)
{
    static const px_field field = {{"X-Upper", 7}, {"value", 5}};
    uint32_t kind = lane->stream.id / 2 % 8;
    struct h2_response response = {
        .status = 200,
        .ends = kind == 0,
        .has_length = kind == 1,
        .length = 20000,
        .type = px_str_make("text/plain", 10),
        .server = px_str_make("pollux", 6),
        .fields = &field,
        .field_count = 1,
    };

    lane->left = kind == 0 ? 0 : kind == 1 ? 20000 : kind * 100;
    if (kind == 5)
        h2_session_inform(lane->owner->session, &lane->stream, 103, &field, 1);
    if (kind == 6)
        h2_session_reset(lane->owner->session, &lane->stream, H2_CANCEL);
    CHECK(h2_session_respond(lane->owner->session, &lane->stream, &response) == PX_OK);
}

static void asked(struct lane *lane)
{
    CHECK(lane->open && !lane->asked);
    lane->asked = true;
    lane->late = lane->stream.id / 2 % 3 == 0;
    if (!lane->late)
        answer(lane);
}

static void on_request(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    struct lane *lane = lane_of(stream);
    struct http_request request;

    CHECK(lane->owner == context);
    CHECK(h2_head_take(head, &lane->arena, &request) == PX_OK);
    check_text(request.method);
    check_text(request.target);
    check_text(request.authority);
    CHECK(!request.raw_path.ptr || request.raw_path.len > 0);
    for (uint32_t index = 0; index < request.field_count; index++) {
        CHECK(request.fields[index].name.len > 0);
        check_text(request.fields[index].name);
        check_text(request.fields[index].value);
    }
    asked(lane);
}

static void on_refuse(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    struct http_glimpse glimpse;

    (void)context;
    CHECK(head->status >= 400 && head->status < 500 && head->reason);
    h2_head_glimpse(head, &glimpse);
    CHECK(glimpse.target.len <= GLIMPSE_BYTES_MAX && glimpse.field_count <= GLIMPSE_FIELDS_MAX);
    asked(lane_of(stream));
}

static void on_content(struct h2_stream *stream, px_str bytes, void *context)
{
    struct lane *lane = lane_of(stream);

    (void)context;
    CHECK(lane->open && lane->asked && !lane->ended && bytes.ptr);
    lane->kept += (uint32_t)bytes.len;
    CHECK(lane->kept == stream->unread && lane->kept <= H2_STREAM_WINDOW);
    if (stream->id / 2 % 4 == 3)
        return; /* a handler that has paused */
    h2_session_give(lane->owner->session, stream, lane->kept);
    lane->kept = 0;
}

static void on_content_end(struct h2_stream *stream, const struct h2_head *trailers, void *context)
{
    struct lane *lane = lane_of(stream);
    px_field *fields;
    uint32_t count = 0;

    (void)context;
    CHECK(lane->open && lane->asked && !lane->ended);
    lane->ended = true;
    if (trailers)
        CHECK(h2_head_take_trailers(trailers, &lane->arena, &fields, &count) == PX_OK);
    for (uint32_t index = 0; index < count; index++)
        check_text(fields[index].value);
}

static px_pull on_pull(struct h2_stream *stream, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    struct lane *lane = lane_of(stream);

    (void)context;
    CHECK(lane->open && !lane->sent && room > 0);
    *out_bytes = 0;
    if (stream->id / 2 % 8 == 4 && !lane->late) {
        lane->late = true;
        return PX_PULL_LATER;
    }
    if (stream->id / 2 % 8 == 7)
        return PX_PULL_ERROR;
    *out_bytes = lane->left < room ? lane->left : room;
    memset(out, 'x', *out_bytes);
    lane->left -= (uint32_t)*out_bytes;
    return lane->left > 0 ? PX_PULL_MORE : PX_PULL_END;
}

static const px_field *on_trailers(struct h2_stream *stream, uint32_t *out_count, void *context)
{
    static const px_field field = {{"x-sum", 5}, {"1", 1}};

    (void)context;
    *out_count = stream->id / 2 % 8 == 3;
    return &field;
}

static void on_sent(struct h2_stream *stream, void *context)
{
    struct lane *lane = lane_of(stream);

    (void)context;
    CHECK(lane->open && !lane->sent);
    lane->sent = true;
    if (!stream->remote_ended)
        h2_session_reset(lane->owner->session, stream, H2_NO_ERROR);
}

static void on_closed(struct h2_stream *stream, uint32_t error, void *context)
{
    struct lane *lane = lane_of(stream);

    (void)error;
    (void)context;
    CHECK(lane->open);
    lane->open = false;
    lane->owner->open--;
    /* Nothing of it is looked at any more. */
    arena_reset(&lane->arena);
}

static void on_gave_way(void *context)
{
    (void)context;
}

static const struct h2_events events = {on_begin,       on_request, on_refuse,   on_content,
                                        on_content_end, on_pull,    on_trailers, on_sent,
                                        on_gave_way,    on_closed};

/* What is said is whole frames, one behind the other, as far as it has been said. */
struct listener {
    uint8_t head[H2_HEAD_BYTES];
    size_t have;
    size_t left;
};

static void listen(struct listener *listener, const char *bytes, size_t len)
{
    for (size_t at = 0; at < len; at++) {
        if (listener->left > 0) {
            listener->left--;
            continue;
        }
        listener->head[listener->have++] = (uint8_t)bytes[at];
        if (listener->have < H2_HEAD_BYTES)
            continue;
        listener->have = 0;
        listener->left =
            (size_t)listener->head[0] << 16 | (size_t)listener->head[1] << 8 | listener->head[2];
        CHECK(listener->left <= H2_FRAME_BYTES_MAX && listener->head[3] <= H2_CONTINUATION);
    }
}

static void go_on(struct owner *owner)
{
    for (uint32_t index = 0; index < owner->count; index++) {
        struct lane *lane = owner->lanes[index];

        if (!lane->open || !lane->asked)
            continue;
        if (lane->late && !lane->stream.responded)
            answer(lane);
        CHECK(h2_session_resume(owner->session, &lane->stream) == PX_OK);
    }
}

static void render(struct owner *owner, struct listener *listener)
{
    char out[OUT_ROOM];

    for (int round = 0; round < ROUNDS_MAX && h2_session_has_output(owner->session); round++) {
        owner->inside = true;
        size_t len = h2_session_render(owner->session, out, sizeof(out));

        owner->inside = false;
        CHECK(len <= sizeof(out));
        listen(listener, out, len);
        if (len == 0)
            break;
    }
}

static void run(struct h2_shared *shared, const char *bytes, size_t len, size_t step, bool drain)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    struct listener listener = {.have = 0};

    CHECK(owner);
    CHECK(h2_session_open(shared, owner, &owner->session) == PX_OK);
    for (size_t from = 0; from < len; from += step) {
        size_t piece = len - from < step ? len - from : step;
        char *copy = malloc(piece);

        CHECK(copy);
        memcpy(copy, bytes + from, piece);
        owner->inside = true;
        for (size_t at = 0; at < piece;)
            at += h2_session_feed(owner->session, from, px_str_make(copy + at, piece - at));
        owner->inside = false;
        free(copy);
        go_on(owner);
        render(owner, &listener);
        if (drain && from > len / 2)
            h2_session_drain(owner->session);
        if (h2_session_is_over(owner->session))
            break;
    }
    h2_session_terminate(owner->session, H2_NO_ERROR);
    render(owner, &listener);
    CHECK(listener.have == 0 || h2_session_has_failed(owner->session) ||
          h2_session_has_output(owner->session));
    h2_session_close(owner->session);
    for (uint32_t index = 0; index < owner->count; index++) {
        arena_reset(&owner->lanes[index]->arena);
        free(owner->lanes[index]);
    }
    free(owner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char bytes[INPUT_MAX + BEGINNING_BYTES];
    const struct h2_options options = {&alloc_libc, &events, &limits, &scan_plain, 4, NULL};
    struct h2_shared *shared;
    size_t count = 0;

    if (len < 1 || len > INPUT_MAX)
        return 0;
    if (data[0] & 1) {
        memcpy(bytes, H2_PREFACE "\0\0\0\4\0\0\0\0\0", BEGINNING_BYTES);
        count = BEGINNING_BYTES;
    }
    memcpy(bytes + count, data + 1, len - 1);
    count += len - 1;
    CHECK(h2_shared_create(&options, &shared) == PX_OK);
    run(shared, bytes, count, count + 1, false);
    run(shared, bytes, count, (size_t)data[0] / 4 + 1, data[0] & 2);
    h2_shared_destroy(shared);
    return 0;
}
