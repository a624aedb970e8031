/*
 * The test-double transport.  Its functions only take note, as the contract of exchange.h asks; the
 * test drives.
 */
#include "unit/exchange/double.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http/h1/h1_parse.h"
#include "http/scan/scan.h"

enum { FIELDS_MAX = 50 };

static void note_head(px_exchange *exchange)
{
    ((struct call *)exchange->carrier)->heads++;
}

static void note_content(px_exchange *exchange)
{
    ((struct call *)exchange->carrier)->contents++;
}

static void note_credit(px_exchange *exchange)
{
    ((struct call *)exchange->carrier)->credits++;
}

static void note_reset(px_exchange *exchange)
{
    struct call *call = exchange->carrier;

    call->resets++;
    assert_int_equal(call->resets, 1);
}

static void note_inform(px_exchange *exchange, unsigned status, const px_field *fields,
                        uint32_t field_count)
{
    struct call *call = exchange->carrier;
    size_t len = strlen(call->inform);
    px_str name = field_count > 0 ? fields[0].name : px_str_make(NULL, 0);
    px_str value = field_count > 0 ? fields[0].value : px_str_make(NULL, 0);

    snprintf(call->inform + len, sizeof(call->inform) - len, "%u %.*s: %.*s\n", status,
             (int)name.len, name.len ? name.ptr : "", (int)value.len, value.len ? value.ptr : "");
}

static void note_peer(px_exchange *exchange, char *out_text, size_t room, size_t *out_len)
{
    (void)exchange;
    *out_len = (size_t)snprintf(out_text, room, "192.0.2.1:80");
}

static void note_local(px_exchange *exchange, char *out_text, size_t room, size_t *out_len)
{
    (void)exchange;
    *out_len = (size_t)snprintf(out_text, room, "[2001:db8::1]:8080");
}

static uint64_t note_open(const px_exchange *exchange)
{
    const struct call *call = exchange_carrier(exchange);

    return call->open_since_ms;
}

static const struct exchange_transport double_transport = {
    .send_head = note_head,
    .send_content = note_content,
    .give_credit = note_credit,
    .reset = note_reset,
    .inform = note_inform,
    .peer = note_peer,
    .local = note_local,
    .open_since = note_open,
};

bool stage_open(struct stage *stage, const px_allocator *allocator)
{
    px_loop_options options = PX_LOOP_OPTIONS_DEFAULT;
    px_error error;

    memset(stage, 0, sizeof(*stage));
    fault_alloc_init(&stage->fault);
    options.allocator = allocator ? allocator : &stage->fault.allocator;
    stage->loop = px_loop_create(&options, &error);
    if (!stage->loop)
        return false;
    exchange_service_init(&stage->service, stage->loop, 1000);
    stage->service.output_bytes_max = 64 * 1024;
    stage->service.exchange_bytes_max = 256 * 1024;
    stage->service.respond_bytes_max = 1024 * 1024;
    stage->site.holds = 1;
    stage->service.site = &stage->site;
    stage->service.rules = &stage->rules;
    stage->rules.filters = stage->filters;
    return true;
}

void stage_close(struct stage *stage)
{
    assert_int_equal(stage->service.exchanges.taken, 0);
    assert_int_equal(stage->site.holds, 1);
    exchange_service_deinit(&stage->service);
    assert_int_equal(px_loop_handle_count(stage->loop), 0);
    px_loop_destroy(stage->loop);
    fault_alloc_assert_empty(&stage->fault);
}

void stage_filter(struct stage *stage, const px_filter *filter, void *context)
{
    stage->site.has_filters = true;
    stage->filters[stage->rules.filter_count++] = (struct exchange_filter){filter, context};
}

/* --- Callbacks -------------------------------------------------------------------------------- */

static void on_content(px_exchange *exchange, px_str bytes, void *context)
{
    struct call *call = context;

    (void)exchange;
    assert_true(bytes.len > 0);
    assert_true(call->in_len + bytes.len < sizeof(call->in));
    memcpy(call->in + call->in_len, bytes.ptr, bytes.len);
    call->in_len += bytes.len;
}

static void on_content_end(px_exchange *exchange, void *context)
{
    struct call *call = context;

    (void)exchange;
    call->content_ended++;
}

static void on_room(px_exchange *exchange, void *context)
{
    struct call *call = context;

    (void)exchange;
    call->room_told++;
}

static void on_end(px_exchange *exchange, px_end end, void *context)
{
    struct call *call = context;

    (void)exchange;
    call->ended++;
    call->end = end;
    assert_int_equal(call->ended, 1);
    assert_null(call->exchange); /* never from inside of a handler */
}

static const px_exchange_callbacks callbacks = {.struct_size = sizeof(px_exchange_callbacks),
                                                .on_content = on_content,
                                                .on_content_end = on_content_end,
                                                .on_room = on_room,
                                                .on_end = on_end};

/* --- A request -------------------------------------------------------------------------------- */

bool call_make(struct call *call, struct stage *stage, const char *head)
{
    static const struct http_limits limits = {8192, 4096, FIELDS_MAX};
    struct http_field_span spans[FIELDS_MAX];
    struct h1_parser parser;

    memset(call, 0, sizeof(*call));
    call->stage = stage;
    call->pull_room = 1024;
    h1_parser_init(&parser, H1_REQUEST, scan_table_best(), &limits, spans);
    assert_int_equal(h1_parse(&parser, head, strlen(head)), PX_OK);
    px_exchange *exchange = exchange_create(&stage->service, &double_transport, call);

    if (!exchange)
        return false;
    px_exchange_set_callbacks(exchange, &callbacks, call);
    call->exchange = exchange;
    if (h1_request_take(&parser, head, &exchange->arena, &exchange->arrival.request) != PX_OK) {
        call_end(call, PX_END_NO_MEMORY);
        return false;
    }
    exchange->arrival.method = parser.method_id;
    exchange->arrival.version = parser.minor_version == 0 ? 10 : 11;
    exchange->arrival.asks_upgrade =
        (parser.seen & H1_SEEN_CONNECTION_UPGRADE) && (parser.seen & H1_SEEN_UPGRADE);
    exchange->input.bytes_max = 4096;
    if (parser.framing == H1_FRAMING_LENGTH)
        exchange->input.length = parser.content_length;
    else if (parser.framing != H1_FRAMING_NONE)
        exchange->input.length = PX_LENGTH_UNKNOWN;
    return true;
}

void call_handler(struct call *call, px_handler handler, void *context)
{
    px_exchange *exchange = call->exchange;

    exchange->handling.handler = handler;
    exchange->handling.handler_context = context;
    exchange_call_handler(exchange);
    if (exchange->input.length == 0 && exchange->output.kind != CONTENT_TUNNEL)
        exchange_receive_end(exchange);
}

bool call_begin(struct call *call, struct stage *stage, const char *head, px_handler handler,
                void *context)
{
    if (!call_make(call, stage, head))
        return false;
    call_handler(call, handler, context);
    return true;
}

size_t call_receive(struct call *call, px_str bytes)
{
    size_t used = 0;

    /* In small pieces, so that a pause in one is seen before the next. */
    while (call->exchange && used < bytes.len && exchange_takes_content(call->exchange)) {
        size_t len = bytes.len - used < 7 ? bytes.len - used : 7;
        size_t taken;
        px_err err = exchange_receive(call->exchange, px_str_make(bytes.ptr + used, len), &taken);

        used += taken;
        if (err != PX_OK)
            call_end(call, err == PX_ERR_LIMIT ? PX_END_REFUSED : PX_END_NO_MEMORY);
        else if (call->resets > 0)
            call_end(call, PX_END_ABORTED);
    }
    return used;
}

void call_receive_end(struct call *call)
{
    if (call->exchange)
        exchange_receive_end(call->exchange);
}

/* --- An answer -------------------------------------------------------------------------------- */

static void content_add(struct call *call, const char *bytes, size_t len)
{
    if (!call->content)
        call->content = malloc(CALL_ROOM);
    assert_non_null(call->content);
    assert_true(call->content_len + len <= CALL_ROOM);
    if (len > 0)
        memcpy(call->content + call->content_len, bytes, len);
    call->content_len += len;
}

static void head_write(struct call *call)
{
    const px_exchange *exchange = call->exchange;
    size_t len = 0;

    if (exchange->answer.type.len > 0)
        len += (size_t)snprintf(call->head, sizeof(call->head), "Content-Type: %.*s\n",
                                (int)exchange->answer.type.len, exchange->answer.type.ptr);
    for (uint16_t index = 0; index < exchange->answer.field_count && len < sizeof(call->head);
         index++) {
        const px_field *field = &exchange->answer.fields[index];

        /* Both end in NUL. */
        assert_int_equal(field->name.ptr[field->name.len], 0);
        assert_int_equal(field->value.ptr[field->value.len], 0);
        len += (size_t)snprintf(call->head + len, sizeof(call->head) - len, "%s: %s\n",
                                field->name.ptr, field->value.ptr);
    }
    call->taken = true;
    call->status = exchange->answer.status;
    call->length = exchange->output.length;
}

static void trailers_write(struct call *call)
{
    const struct output_more *output = call->exchange->output.more;
    size_t len = 0;

    for (uint32_t index = 0; output && index < output->trailer_count; index++)
        len +=
            (size_t)snprintf(call->trailers + len, sizeof(call->trailers) - len, "%s: %s\n",
                             output->trailers[index].name.ptr, output->trailers[index].value.ptr);
}

static void call_complete(struct call *call)
{
    trailers_write(call);
    call->done = true;
    call_end(call, PX_END_COMPLETE);
}

/* Content that is sent from where it lies. */
static void direct_write(struct call *call)
{
    px_exchange *exchange = call->exchange;

    if (exchange->output.kind == CONTENT_FILE) {
        const px_file_range *file = &exchange->output.more->file;
        char *bytes = malloc(file->length + 1);
        ssize_t got = pread(file->fd, bytes, file->length, (off_t)file->offset);

        content_add(call, bytes, got > 0 ? (size_t)got : 0);
        free(bytes);
        if (got < 0 || (uint64_t)got < file->length) {
            call_end(call, PX_END_ABORTED);
            return;
        }
    } else {
        content_add(call, exchange->output.body.bytes.ptr, exchange->output.body.bytes.len);
    }
    call_complete(call);
}

static void content_pull(struct call *call)
{
    char room[65536];

    for (int count = 0; call->exchange && call->resets == 0; count++) {
        size_t bytes = 0;
        px_pull pull = exchange_pull(call->exchange, room, call->pull_room, &bytes);

        assert_true(count < 1000000);
        assert_true(bytes <= call->pull_room || pull == PX_PULL_ERROR);
        if (call->resets > 0)
            break;
        if (pull == PX_PULL_ERROR) {
            call_end(call, PX_END_ABORTED);
            return;
        }
        content_add(call, room, bytes);
        if (pull == PX_PULL_LATER)
            return;
        if (pull == PX_PULL_END)
            call_complete(call);
    }
}

void call_drive(struct call *call)
{
    px_exchange *exchange = call->exchange;

    if (!exchange)
        return;
    if (call->resets == 0 && exchange->answer.state == ANSWER_NONE)
        exchange_tell_whole(exchange);
    if (call->resets == 0 && exchange->answer.state == ANSWER_READY) {
        exchange_take_head(exchange);
        if (call->resets == 0)
            head_write(call);
    }
    if (call->resets == 0 && exchange->answer.state == ANSWER_TAKEN) {
        if (exchange->answer.head_only)
            call_complete(call);
        else if (exchange_is_direct(exchange))
            direct_write(call);
        else
            content_pull(call);
    }
    if (call->exchange && call->resets > 0)
        call_end(call, PX_END_ABORTED);
}

void call_end(struct call *call, px_end end)
{
    px_exchange *exchange = call->exchange;

    call->exchange = NULL;
    exchange_finish(exchange, end);
}

void call_finish(struct call *call)
{
    if (call->exchange)
        call_end(call, PX_END_PEER_GONE);
    if (call->stage->service.exchanges.taken > 0 && call->ended == 0)
        pump_until(call->stage->loop, call->ended == 1);
    pump_once(call->stage->loop, 0);
    free(call->content);
    call->content = NULL;
}

px_str call_content(const struct call *call)
{
    return px_str_make(call->content ? call->content : "", call->content_len);
}
