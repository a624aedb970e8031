/*
 * Content that a helper thread writes to a descriptor.
 *
 * Happy path: what comes is copied into `waiting`; when no write is under way the two buffers
 * change places and a helper writes the other one, so there is one job at a time and order is kept.
 * Content is paused while SAVE_BYTES_MAX wait.  It can fail at any write, at the limit of a part,
 * or with the exchange: the program is told once, when no helper has the descriptor any more.  So
 * this outlives its exchange where a write is under way then.
 */
#include "pollux/save.h"

#include <string.h>

#include "base/error.h"
#include "exchange/save.h"

struct save {
    px_exchange *exchange; /* borrowed: NULL once it has ended */
    px_loop *loop;         /* borrowed: outlives it */
    struct file_write write;
    struct buf waiting; /* came and is not being written */
    struct buf writing; /* a helper's while `is_writing` */
    px_saved_fn on_saved;
    void *context;
    px_saved saved;
    uint64_t bytes_max;
    uint64_t taken;
    bool is_active;   /* on_saved is yet to be called */
    bool is_part;     /* of a form: until the part ends */
    bool is_last;     /* no more comes */
    bool is_writing;  /* a helper is at it */
    bool is_blocked;  /* content is paused by this */
    bool user_paused; /* ... and by the program */
    bool end_waits;   /* the part has ended: it is told when it is written */
};

static struct save *save_of(const px_exchange *exchange)
{
    return exchange->input.more ? exchange->input.more->save : NULL;
}

static void save_free(struct save *save)
{
    px_loop *loop = save->loop;

    CHECK(!save->is_active && !save->is_writing);
    buf_deinit(&save->waiting);
    buf_deinit(&save->writing);
    budget_give(&loop->memory, BUDGET_EXCHANGES, sizeof(*save));
    alloc_put(&loop->allocator, save);
}

static void save_tell(struct save *save)
{
    px_saved saved = save->saved;

    CHECK(save->is_active && !save->is_writing);
    save->is_active = false;
    buf_deinit(&save->waiting);
    save->on_saved(save->exchange, &saved, save->context);
}

static void save_unblock(struct save *save)
{
    if (!save->is_blocked || save->end_waits)
        return;
    save->is_blocked = false;
    if (!save->user_paused)
        px_request_resume(save->exchange);
}

/* The last byte is written, or there was a failure. */
static void save_end(struct save *save)
{
    save_tell(save);
    if (save->end_waits && !save->is_active) {
        save->end_waits = false;
        form_data_part_saved(save->exchange);
    }
    save_unblock(save);
}

static void save_fail(struct save *save, px_err err, int sys_errno)
{
    if (save->saved.status == PX_OK) {
        save->saved.status = err;
        save->saved.sys_errno = sys_errno;
    }
    save->is_last = true;
    save->waiting.len = 0;
}

static void save_next(struct save *save);

static void write_done(struct file_write *write, px_err status)
{
    struct save *save = CONTAINER_OF(write, struct save, write);

    CHECK(save->is_writing && save->is_active);
    save->is_writing = false;
    save->saved.bytes += write->written;
    if (status != PX_OK || write->sys_errno != 0)
        save_fail(save, status != PX_OK ? PX_ERR_CLOSED : error_category(write->sys_errno),
                  write->sys_errno);
    buf_deinit(&save->writing);
    if (save->exchange) {
        save_next(save);
        return;
    }
    save_tell(save);
    save_free(save);
}

/* Has the next piece written, or tells the end. */
static void save_next(struct save *save)
{
    struct buf empty = save->writing;

    if (!save->is_active || save->is_writing)
        return;
    if (save->waiting.len == 0) {
        if (save->is_last)
            save_end(save);
        return;
    }
    save->writing = save->waiting;
    save->waiting = empty;
    save->write.bytes = buf_str(&save->writing);
    save->write.done = write_done;
    save->is_writing = true;
    /* Without a helper it is written here: the loop waits, and no upload is lost. */
    if (file_write_later(save->loop, &save->write) == PX_OK) {
        save_unblock(save);
        return;
    }
    file_write_waiting(&save->write);
    write_done(&save->write, PX_OK);
}

/* The exchange has ended, after its on_end. */
static void save_abandon(px_exchange *exchange, px_end end, unsigned status, void *context)
{
    struct save *save = context;

    (void)end;
    (void)status;
    exchange->input.more->save = NULL;
    save->exchange = NULL;
    if (save->is_active)
        save_fail(save, PX_ERR_CLOSED, 0);
    if (save->is_writing)
        return;
    if (save->is_active)
        save_tell(save);
    save_free(save);
}

static void buf_prepare(struct buf *buf, px_loop *loop)
{
    buf_init(buf, &loop->allocator, SAVE_BYTES_MAX + SAVE_PIECE_BYTES_MAX);
    buf_use_budget(buf, &loop->memory, BUDGET_EXCHANGES);
}

/* That of the exchange: made once, and used for each part. */
static struct save *save_make(px_exchange *exchange)
{
    px_loop *loop = exchange->service->loop;
    struct input_more *input = exchange_input_more(exchange);

    if (!input || input->save)
        return input ? input->save : NULL;
    if (!budget_take(&loop->memory, BUDGET_EXCHANGES, sizeof(struct save)))
        return NULL;
    struct save *save = alloc_take_zeroed(&loop->allocator, sizeof(*save));

    if (save && px_exchange_at_end(exchange, save_abandon, save) != PX_OK) {
        alloc_put(&loop->allocator, save);
        save = NULL;
    }
    if (!save) {
        budget_give(&loop->memory, BUDGET_EXCHANGES, sizeof(*save));
        return NULL;
    }
    save->exchange = exchange;
    save->loop = loop;
    buf_prepare(&save->waiting, loop);
    buf_prepare(&save->writing, loop);
    input->save = save;
    return save;
}

static px_err save_begin(px_exchange *exchange, int fd, uint64_t bytes_max, px_saved_fn on_saved,
                         void *context, bool is_part)
{
    struct save *save = save_make(exchange);

    if (!save)
        return PX_ERR_MEMORY;
    CHECK(!save->is_active && !save->is_writing);
    save->write.fd = fd;
    save->on_saved = on_saved;
    save->context = context;
    save->saved = (px_saved){.struct_size = sizeof(save->saved)};
    save->bytes_max = bytes_max;
    save->taken = 0;
    save->is_active = true;
    save->is_part = is_part;
    save->is_last = false;
    return PX_OK;
}

px_err px_request_save(px_exchange *exchange, int fd, uint64_t bytes_max, px_saved_fn on_saved,
                       void *context)
{
    if (!exchange_alive(exchange))
        return PX_ERR_CLOSED;
    if (save_is_active(exchange))
        return PX_ERR_CONFLICT;
    if (exchange->input.received > 0 || exchange->input.sink == SINK_MULTIPART ||
        exchange->input.sink == SINK_TUNNEL || exchange->input.sink == SINK_SAVE)
        return PX_ERR_INVALID;
    px_err err = save_begin(exchange, fd, PX_UNLIMITED_BYTES, on_saved, context, false);

    if (err != PX_OK)
        return err;
    exchange_content_limit(exchange, bytes_max);
    exchange->input.sink = SINK_SAVE;
    exchange->transport->give_credit(exchange);
    return PX_OK;
}

px_err px_part_save(px_exchange *exchange, int fd, uint64_t bytes_max, px_saved_fn on_saved,
                    void *context)
{
    if (!exchange_alive(exchange))
        return PX_ERR_CLOSED;
    if (save_is_active(exchange))
        return PX_ERR_CONFLICT;
    if (exchange->input.sink != SINK_MULTIPART || !exchange->input.more->in_on_part)
        return PX_ERR_INVALID;
    return save_begin(exchange, fd, bytes_max, on_saved, context, true);
}

/* --- What comes ------------------------------------------------------------------------------- */

static void save_block(struct save *save)
{
    if (save->is_blocked)
        return;
    bool was_paused = save->exchange->input.paused;

    px_request_pause(save->exchange);
    save->is_blocked = true;
    save->user_paused = was_paused;
}

static void save_put(struct save *save, px_str bytes)
{
    if (!save->is_active || save->saved.status != PX_OK)
        return;
    if (bytes.len > save->bytes_max - save->taken) {
        save_fail(save, PX_ERR_LIMIT, 0);
    } else {
        px_err err = buf_append(&save->waiting, bytes);

        if (err != PX_OK)
            save_fail(save, PX_ERR_MEMORY, 0);
    }
    save->taken += bytes.len;
    save_next(save);
    if (save->waiting.len >= SAVE_BYTES_MAX)
        save_block(save);
}

size_t save_receive(px_exchange *exchange, px_str bytes)
{
    struct save *save = save_of(exchange);
    size_t room = SAVE_BYTES_MAX - save->waiting.len;

    if (!save->is_active || bytes.len < room)
        room = bytes.len;
    save_put(save, px_str_make(bytes.ptr, room));
    if (room < bytes.len)
        save_block(save);
    return room;
}

void save_part_data(px_exchange *exchange, px_str bytes)
{
    CHECK(bytes.len <= SAVE_PIECE_BYTES_MAX);
    save_put(save_of(exchange), bytes);
}

void save_finish(px_exchange *exchange)
{
    struct save *save = save_of(exchange);

    if (!save->is_active)
        return;
    save->is_last = true;
    save_next(save);
    if (save->is_active && save->is_part) {
        save->end_waits = true;
        save_block(save);
    }
}

bool save_has_part(const px_exchange *exchange)
{
    const struct save *save = save_of(exchange);

    return save && save->is_part;
}

void save_leave_part(px_exchange *exchange)
{
    save_of(exchange)->is_part = false;
}

bool save_is_active(const px_exchange *exchange)
{
    const struct save *save = save_of(exchange);

    return save && save->is_active;
}

bool save_note_pause(px_exchange *exchange, bool is_paused)
{
    struct save *save = save_of(exchange);

    if (!save || !save->is_blocked)
        return false;
    save->user_paused = is_paused;
    return true;
}
