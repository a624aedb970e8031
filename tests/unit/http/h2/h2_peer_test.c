/*
 * A session against nghttp2's: random frames of a client, good ones and ones that were bent, cut at
 * random. Both see the same heads, the same content and the same ends, answer the same PING and
 * SETTINGS, and both end the connection or neither does.
 *
 *     h2_peer_test [ROUNDS [SEED]]
 */
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/h2/h2_engine.h"
#include "http/h2/h2_session.h"
#include "http/h2/hpack.h"
#include "lib/test.h"

enum {
    SCRIPT_MAX = 64 * 1024,
    LISTING_MAX = 64 * 1024,
    STREAMS = 64,
    ROUNDS = 4000,
    OUT_MAX = 4096
};

static const struct http_limits limits = {
    .head_bytes_max = 8192, .target_bytes_max = 1000, .field_count_max = 40};

static uint32_t rounds = ROUNDS;
static uint64_t first_seed = 11;
static uint64_t seed;

static uint32_t roll(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(seed >> 33) % below;
}

/* --- What each side has seen ------------------------------------------------------------------ */

struct side {
    char text[STREAMS][2048]; /* of each stream: fields, content by length, end */
    uint64_t content[STREAMS];
    uint32_t pongs;
    uint32_t acks;
    uint32_t resets;
    uint32_t error; /* of GOAWAY */
    bool broken;
};

static struct side ours, theirs;

static void note(struct side *side, uint32_t id, const char *what, size_t len)
{
    char *text = side->text[id / 2 % STREAMS];
    size_t at = strlen(text);

    if (at + len + 2 < sizeof(side->text[0])) {
        memcpy(text + at, what, len);
        memcpy(text + at + len, "\n", 2);
    }
}

static void note_field(struct side *side, uint32_t id, const char *name, size_t name_len,
                       const char *value, size_t value_len)
{
    char line[512];
    int len =
        snprintf(line, sizeof(line), "%.*s: %.*s", (int)name_len, name, (int)value_len, value);

    note(side, id, line, (size_t)len);
}

/* --- Ours ------------------------------------------------------------------------------------- */

static struct h2_session *session;
static struct h2_stream streams[STREAMS * 2];
static uint32_t stream_count;

static struct h2_stream *on_begin(void *context)
{
    (void)context;
    return stream_count < STREAMS * 2 ? &streams[stream_count++] : NULL;
}

static void note_head(const struct h2_stream *stream, const struct h2_head *head)
{
    static const char *const names[] = {":method", ":scheme", ":authority", ":path"};

    for (int pseudo = 0; pseudo < 4 && !head->trailers; pseudo++)
        note_field(&ours, stream->id, names[pseudo], strlen(names[pseudo]),
                   head->text + head->pseudo[pseudo].at, head->pseudo[pseudo].len);
    for (uint32_t index = 0; index < head->field_count; index++)
        note_field(&ours, stream->id, head->text + head->fields[index].name.at,
                   head->fields[index].name.len, head->text + head->fields[index].value.at,
                   head->fields[index].value.len);
    note(&ours, stream->id, "head", 4);
}

static void on_request(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    (void)context;
    note_head(stream, head);
    if (stream->remote_ended)
        note(&ours, stream->id, "end", 3);
}

static void on_refuse(struct h2_stream *stream, const struct h2_head *head, void *context)
{
    (void)head;
    (void)context;
    note(&ours, stream->id, "refused", 7);
}

static void on_content(struct h2_stream *stream, px_str bytes, void *context)
{
    (void)context;
    ours.content[stream->id / 2 % STREAMS] += bytes.len;
    h2_session_give(session, stream, (uint32_t)bytes.len);
}

static void on_content_end(struct h2_stream *stream, const struct h2_head *trailers, void *context)
{
    (void)context;
    if (trailers)
        note_head(stream, trailers);
    note(&ours, stream->id, "end", 3);
}

static px_pull on_pull(struct h2_stream *stream, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    (void)stream;
    (void)out;
    (void)room;
    (void)context;
    *out_bytes = 0;
    return PX_PULL_END;
}

static const px_field *on_trailers(struct h2_stream *stream, uint32_t *out_count, void *context)
{
    (void)stream;
    (void)context;
    *out_count = 0;
    return NULL;
}

static void on_sent(struct h2_stream *stream, void *context)
{
    (void)stream;
    (void)context;
}

static void on_closed(struct h2_stream *stream, uint32_t error, void *context)
{
    (void)stream;
    (void)error;
    (void)context;
    ours.resets++;
}

static void on_gave_way(void *context)
{
    (void)context;
}

static const struct h2_events events = {on_begin,       on_request, on_refuse,   on_content,
                                        on_content_end, on_pull,    on_trailers, on_sent,
                                        on_gave_way,    on_closed};

/* Counts what was said. */
static void hear(struct side *side, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at + H2_HEAD_BYTES <= len;) {
        const uint8_t *frame = bytes + at;

        if (frame[3] == H2_PING && (frame[4] & H2_FLAG_ACK))
            side->pongs++;
        if (frame[3] == H2_SETTINGS && (frame[4] & H2_FLAG_ACK))
            side->acks++;
        if (frame[3] == H2_GOAWAY) {
            side->error = (uint32_t)frame[H2_HEAD_BYTES + 7];
            side->broken = side->error != 0;
        }
        at += H2_HEAD_BYTES + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
    }
}

static void run_ours(struct h2_shared *shared, const char *script, size_t len)
{
    static char out[SCRIPT_MAX];
    size_t said = 0;

    memset(&ours, 0, sizeof(ours));
    stream_count = 0;
    assert_int_equal(h2_session_open(shared, NULL, &session), PX_OK);
    for (size_t at = 0; at < len;) {
        size_t piece = 1 + roll(roll(2) ? 20 : 4000), to = at + piece < len ? at + piece : len;

        while (at < to)
            at += h2_session_feed(session, 1000, px_str_make(script + at, to - at));
        while (h2_session_has_output(session) && said + OUT_MAX < sizeof(out)) {
            size_t bytes = h2_session_render(session, out + said, OUT_MAX);

            if (bytes == 0)
                break;
            said += bytes;
        }
    }
    hear(&ours, (const uint8_t *)out, said);
    h2_session_close(session);
}

/* --- Theirs ----------------------------------------------------------------------------------- */

static int their_field(nghttp2_session *peer, const nghttp2_frame *frame, const uint8_t *name,
                       size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                       void *context)
{
    (void)peer;
    (void)flags;
    (void)context;
    note_field(&theirs, (uint32_t)frame->hd.stream_id, (const char *)name, name_len,
               (const char *)value, value_len);
    return 0;
}

static int their_frame(nghttp2_session *peer, const nghttp2_frame *frame, void *context)
{
    uint32_t id = (uint32_t)frame->hd.stream_id;
    bool ends = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

    (void)peer;
    (void)context;
    if (frame->hd.type == NGHTTP2_HEADERS)
        note(&theirs, id, "head", 4);
    if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && ends)
        note(&theirs, id, "end", 3);
    return 0;
}

static int their_content(nghttp2_session *peer, uint8_t flags, int32_t id, const uint8_t *bytes,
                         size_t len, void *context)
{
    (void)flags;
    (void)bytes;
    (void)context;
    theirs.content[(uint32_t)id / 2 % STREAMS] += len;
    nghttp2_session_consume(peer, id, len);
    return 0;
}

static int their_close(nghttp2_session *peer, int32_t id, uint32_t error, void *context)
{
    (void)peer;
    (void)id;
    (void)error;
    (void)context;
    theirs.resets++;
    return 0;
}

static nghttp2_session *their_open(void)
{
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2_STREAM_WINDOW},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
    };
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *options;
    nghttp2_session *peer;

    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    assert_int_equal(nghttp2_option_new(&options), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, their_field);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, their_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, their_content);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, their_close);
    nghttp2_option_set_no_auto_window_update(options, 1);
    nghttp2_option_set_no_http_messaging(options, 1);
    nghttp2_option_set_no_closed_streams(options, 1);
    nghttp2_option_set_max_continuations(options, SIZE_MAX);
    nghttp2_option_set_builtin_recv_extension_type(options, NGHTTP2_PRIORITY_UPDATE);
    assert_int_equal(nghttp2_session_server_new2(&peer, callbacks, NULL, options), 0);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(peer, 0, settings, ARRAY_COUNT(settings)), 0);
    assert_int_equal(nghttp2_session_set_local_window_size(peer, 0, 0, H2_CONN_WINDOW), 0);
    return peer;
}

static void run_theirs(const char *script, size_t len)
{
    nghttp2_session *peer = their_open();
    const uint8_t *bytes;
    ssize_t count;

    memset(&theirs, 0, sizeof(theirs));
    for (size_t at = 0; at < len && !theirs.broken;) {
        size_t piece = 1 + roll(4000), to = at + piece < len ? at + piece : len;

        count = nghttp2_session_mem_recv(peer, (const uint8_t *)script + at, to - at);
        if (count < 0)
            theirs.broken = true;
        at = to;
        while (count >= 0 && (count = nghttp2_session_mem_send(peer, &bytes)) > 0)
            hear(&theirs, bytes, (size_t)count);
    }
    nghttp2_session_del(peer);
}

/* --- Frames ----------------------------------------------------------------------------------- */

struct client {
    struct h2_spares spares;
    struct h2_memory memory;
    struct hpack_encoder encoder;
    size_t len;
    size_t heads[4096]; /* where frames begin */
    uint32_t frame_count;
    uint32_t next_id;
    uint32_t open[16]; /* streams whose content comes */
    uint32_t open_count;
    char script[SCRIPT_MAX];
};

static struct client client;

static void put_frame(uint8_t type, uint8_t flags, uint32_t id, const char *payload, size_t len)
{
    uint8_t *out = (uint8_t *)client.script + client.len;

    assert_true(client.len + len + H2_HEAD_BYTES < SCRIPT_MAX && client.frame_count < 4096);
    client.heads[client.frame_count++] = client.len;
    for (int at = 0; at < 3; at++)
        out[at] = (uint8_t)(len >> (16 - 8 * at));
    out[3] = type;
    out[4] = flags;
    for (int at = 0; at < 4; at++)
        out[5 + at] = (uint8_t)(id >> (24 - 8 * at));
    if (len > 0)
        memcpy(out + H2_HEAD_BYTES, payload, len);
    client.len += H2_HEAD_BYTES + len;
}

/* Pads some of it. */
static void put_padded(uint8_t type, uint8_t flags, uint32_t id, const char *payload, size_t len)
{
    static char text[SCRIPT_MAX];
    size_t at = 0, pad = roll(30);

    if (roll(3) > 0) {
        put_frame(type, flags, id, payload, len);
        return;
    }
    text[at++] = (char)pad;
    memcpy(text + at, payload, len);
    memset(text + at + len, 0, pad);
    put_frame(type, flags | H2_FLAG_PADDED, id, text, at + len + pad);
}

/* A block in one frame or several. */
static void put_block(uint32_t id, bool ends, const char *block, size_t len)
{
    uint8_t flags = ends ? H2_FLAG_END_STREAM : 0;
    size_t first = roll(3) ? len : roll((uint32_t)len + 1);

    put_padded(H2_HEADERS, (uint8_t)(flags | (first == len ? H2_FLAG_END_HEADERS : 0)), id, block,
               first);
    for (size_t at = first; at < len;) {
        size_t piece = 1 + roll((uint32_t)(len - at));

        put_frame(H2_CONTINUATION, at + piece == len ? H2_FLAG_END_HEADERS : 0, id, block + at,
                  piece);
        at += piece;
    }
}

static char *put_fields(char *end)
{
    for (uint32_t count = roll(5); count > 0; count--) {
        char name[32], value[128];

        snprintf(name, sizeof(name), "x-%u", roll(6));
        snprintf(value, sizeof(value), "%.*s", (int)roll(100),
                 "some text of a value, which is long enough for codes of Huffman to be worth it, "
                 "or nearly all of it");
        size_t len = strlen(value);

        if (len > 0 && value[len - 1] == ' ')
            value[len - 1] = '.';
        end = hpack_encode(&client.encoder, end, px_str_of(name), px_str_of(value));
    }
    return end;
}

static void put_request(void)
{
    char block[2048], path[32];
    bool ends = client.open_count == ARRAY_COUNT(client.open) || roll(2);
    char *end = hpack_begin(&client.encoder, block);

    snprintf(path, sizeof(path), "/%u", roll(20));
    end =
        hpack_encode(&client.encoder, end, px_str_of(":method"), px_str_of(ends ? "GET" : "POST"));
    end = hpack_encode(&client.encoder, end, px_str_of(":scheme"), px_str_of("http"));
    end = hpack_encode(&client.encoder, end, px_str_of(":authority"), px_str_of("a.example"));
    end = hpack_encode(&client.encoder, end, px_str_of(":path"), px_str_of(path));
    end = put_fields(end);
    put_block(client.next_id, ends, block, (size_t)(end - block));
    if (!ends)
        client.open[client.open_count++] = client.next_id;
    client.next_id += 2;
}

/* Something for a stream that is open: content, its end, trailers, or a reset. */
static void put_more(void)
{
    static char content[4096];
    char block[2048];
    uint32_t at = roll(client.open_count), id = client.open[at], what = roll(8);

    if (what < 5) {
        put_padded(H2_DATA, what == 0 ? H2_FLAG_END_STREAM : 0, id, content, roll(sizeof(content)));
        if (what > 0)
            return;
    } else if (what == 5) {
        char *end = put_fields(hpack_begin(&client.encoder, block));

        put_block(id, true, block, (size_t)(end - block));
    } else {
        put_frame(H2_RST_STREAM, 0, id, "\0\0\0\x08", 4);
    }
    client.open[at] = client.open[--client.open_count];
}

static void put_small(void)
{
    static const struct {
        uint8_t type;
        uint8_t flags;
        uint32_t id;
        const char *payload;
        size_t len;
    } rows[] = {
        {H2_PING, 0, 0, "12345678", 8},
        {H2_SETTINGS, 0, 0, "", 0},
        {H2_SETTINGS, 0, 0, "\0\1\0\0\0\x40\0\1\0\0\x10\0", 12},
        {H2_SETTINGS, 0, 0, "\0\4\0\0\x40\0\0\3\0\0\0\x07\x0f\x0f\1\2\3\4", 18},
        {H2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4},
        {H2_WINDOW_UPDATE, 0, 1, "\0\0\1\1", 4},
        {H2_PRIORITY, 0, 3, "\0\0\0\0\x10", 5},
        {H2_PRIORITY_UPDATE, 0, 0, "\0\0\0\1u=1", 7},
        {0x77, 0x55, 5, "unknown", 7},
    };
    uint32_t row = roll(ARRAY_COUNT(rows));

    if (rows[row].type == H2_WINDOW_UPDATE && rows[row].id >= client.next_id)
        return;
    put_frame(rows[row].type, rows[row].flags, rows[row].id, rows[row].payload, rows[row].len);
}

static void write_script(void)
{
    memset(&client.len, 0, sizeof(client) - offsetof(struct client, len));
    h2_spares_init(&client.spares, &alloc_libc, NULL);
    h2_memory_init(&client.memory, &client.spares, 64 * 1024);
    hpack_encoder_init(&client.encoder, &client.memory);
    client.next_id = 1;
    memcpy(client.script, H2_PREFACE, H2_PREFACE_BYTES);
    client.len = H2_PREFACE_BYTES;
    put_frame(H2_SETTINGS, 0, 0, "", 0);
    put_frame(H2_SETTINGS, H2_FLAG_ACK, 0, "", 0);
    for (uint32_t count = 5 + roll(20); count > 0; count--) {
        uint32_t what = roll(4);

        if (what == 0)
            put_small();
        else if (what == 1 || client.open_count == 0)
            put_request();
        else
            put_more();
    }
    h2_memory_deinit(&client.memory);
    h2_spares_deinit(&client.spares);
}

/* --- Tests ------------------------------------------------------------------------------------ */

static struct h2_shared *shared;

static int setup(void **state)
{
    const struct h2_options options = {&alloc_libc, &events, &limits, &scan_plain, 4, NULL};

    (void)state;
    seed = first_seed;
    assert_int_equal(h2_shared_create(&options, &shared), PX_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_shared_destroy(shared);
    return 0;
}

static void compare(uint32_t round)
{
    for (uint32_t at = 0; at < STREAMS; at++) {
        if (strcmp(ours.text[at], theirs.text[at]) != 0)
            fail_msg("round %u, stream %u:\n%s--- and for the peer\n%s", round, 2 * at + 1,
                     ours.text[at], theirs.text[at]);
        assert_int_equal(ours.content[at], theirs.content[at]);
    }
    assert_int_equal(ours.pongs, theirs.pongs);
    assert_int_equal(ours.acks, theirs.acks);
}

static void both_see_the_same(void **state)
{
    uint64_t frames = 0;

    (void)state;
    for (uint32_t round = 0; round < rounds; round++) {
        write_script();
        run_ours(shared, client.script, client.len);
        run_theirs(client.script, client.len);
        if (ours.broken || theirs.broken)
            fail_msg("round %u: %u, and for the peer %u", round, ours.error, theirs.error);
        compare(round);
        assert_int_equal(ours.resets, theirs.resets);
        frames += client.frame_count;
    }
    print_message("%llu frames\n", (unsigned long long)frames);
}

/* Where a script is bent: in a frame, but not where we are stricter by intention, which is what
 * becomes of the streams that new ones pass over, the length of CONTINUATION, what PRIORITY is of,
 * and PRIORITY_UPDATE on a stream or of none (RFC 9218 section 7.1). */
static size_t bend(void)
{
    for (;;) {
        uint32_t index = 1 + roll(client.frame_count - 1);
        size_t frame = client.heads[index];
        size_t end = index + 1 < client.frame_count ? client.heads[index + 1] : client.len;
        size_t at = roll(2) ? roll(H2_HEAD_BYTES) : roll((uint32_t)(end - frame));
        uint8_t type = (uint8_t)client.script[frame + 3];
        char *byte = &client.script[frame + at];

        if ((type == H2_HEADERS && at >= 3 && at < 9 && at != 4) ||
            (type == H2_CONTINUATION && at < 3) || (type == H2_PRIORITY && at > 4) ||
            (type == H2_PRIORITY_UPDATE && at < H2_HEAD_BYTES + 4)) /* theirs passes it over */
            continue;
        *byte = (char)(roll(2) ? *byte ^ 1 << roll(8) : (int)roll(256));
        if (client.script[frame + 3] != H2_PRIORITY_UPDATE || type == H2_PRIORITY_UPDATE)
            return frame;
        *byte = (char)type;
    }
}

/* Whether the two sides may judge a script in different ways. It ends within a frame, or a frame is
 * for a stream that later ones passed over (a bent length can swallow the frame that began it):
 * ours says so, as in RFC 9113 section 5.1.1, theirs only of some frames. */
static bool is_doubtful(void)
{
    bool begun[2 * STREAMS] = {false};
    uint32_t last = 0;
    size_t at = H2_PREFACE_BYTES;

    while (at + H2_HEAD_BYTES <= client.len) {
        const uint8_t *head = (const uint8_t *)client.script + at;
        uint32_t id = h2_number_at(head + 5) & INT32_MAX;

        at += H2_HEAD_BYTES + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]);
        if (id > last && id < 2 * STREAMS && head[3] == H2_HEADERS)
            begun[last = id] = true;
        if ((id > 0 && id < last && !begun[id]) || (id == 0 && head[3] == H2_PRIORITY))
            return true;
    }
    return at != client.len;
}

static void both_break_alike(void **state)
{
    uint32_t broken = 0, whole = 0;

    (void)state;
    for (uint32_t round = 0; round < rounds; round++) {
        write_script();
        size_t frame = bend();

        if (is_doubtful())
            continue;
        run_ours(shared, client.script, client.len);
        run_theirs(client.script, client.len);
        /* Frames on a stream that its peer has ended: theirs resets it, or passes over them.  And
         * theirs takes 32 settings a frame. */
        if (ours.broken != theirs.broken && ours.error != H2_STREAM_CLOSED &&
            theirs.error != H2_ENHANCE_YOUR_CALM)
            fail_msg("round %u: %u, and for the peer %u; frame type %u at %zu", round, ours.error,
                     theirs.error, (uint8_t)client.script[frame + 3], frame);
        broken += ours.broken;
        whole += !ours.broken;
    }
    print_message("%u were broken, %u whole\n", broken, whole);
    assert_true(broken > rounds / 5 && whole > rounds / 5);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_see_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(both_break_alike, setup, teardown),
    };

    if (argc > 1)
        rounds = (uint32_t)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
