/*
 * The handlers: each answers in its own way, at seeded moments.
 */
#include "sim_site_work.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t some_ms(void)
{
    return (uint32_t)sim_random_skewed(&sim_world->random, 0, 300);
}

/* Has `call` made later, or at once where there was no memory for a timer. */
static void work_later(struct site_work *work, void (*call)(struct site_work *work))
{
    if (work->timer) {
        work->on_timer = call;
        px_timer_start(work->timer, some_ms());
    } else {
        call(work);
    }
}

void site_on_timer(px_timer *timer, void *context)
{
    struct site_work *work = context;

    void (*call)(struct site_work * work) = work->on_timer;

    (void)timer;
    work->on_timer = NULL;
    call(work);
}

static void check_content(struct site_work *work, px_str bytes)
{
    for (size_t index = 0; index < bytes.len; index++)
        if (bytes.ptr[index] != sim_content_byte(work->tag, work->received + index) &&
            sim_times("a client garbled its request") == 0)
            sim_fail("request %u: byte %llu of its content is wrong", work->tag,
                     (unsigned long long)(work->received + index));
    work->received += bytes.len;
}

/* --- Memory and files that are not copied ----------------------------------------------------- */

struct site_loan {
    struct sim_site *site;
    void *bytes;
    char path[32];
};

static struct site_loan *loan_begin(struct sim_site *site)
{
    struct site_loan *loan = calloc(1, sizeof(*loan));

    if (!loan)
        abort();
    loan->site = site;
    site->handed_out++;
    return loan;
}

static void body_release(void *context)
{
    struct site_loan *loan = context;

    loan->site->handed_out--;
    free(loan->bytes);
    free(loan);
}

void site_handle_body(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);
    struct site_loan *loan = loan_begin(work->site);

    loan->bytes = site_content(work->tag, 0, work->length);
    px_body body = {sizeof(px_body), px_str_make(loan->bytes, work->length), body_release, loan};

    px_respond_body(exchange, 200, px_str_of("text/plain"), &body);
}

static void file_release(int fd, void *context)
{
    struct site_loan *loan = context;

    close(fd);
    unlink(loan->path);
    body_release(loan);
}

void site_handle_file(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);
    struct site_loan *loan = loan_begin(work->site);

    snprintf(loan->path, sizeof(loan->path), "/sim/file%llu",
             (unsigned long long)sim_random_next(&sim_world->random));
    sim_node_make(loan->path, work->tag, work->length);
    int fd = open(loan->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        sim_node_unlink(loan->path);
        body_release(loan);
        px_respond_error(exchange, 503);
        return;
    }
    px_file_range range = {.struct_size = sizeof(px_file_range),
                           .fd = fd,
                           .offset = 0,
                           .length = work->length,
                           .release = file_release,
                           .context = loan};

    px_respond_file(exchange, 200, px_str_of("text/plain"), &range);
}

/* The folder's files are made when the site is; one is replaced now and then, as by a rename. */
void site_handle_folder(px_exchange *exchange, void *context)
{
    struct sim_site *site = context;
    struct sim_random *random = &sim_world->random;

    site_count(site, exchange);
    if (sim_random_chance(random, 4096)) {
        site_folder_file(sim_folder_lengths[sim_random_below(random, SIM_FOLDER_FILES)]);
        sim_sometimes("a file was replaced");
    }
    px_files_handle(exchange, site->files);
}

/* --- Producers -------------------------------------------------------------------------------- */

static void producer_goes_on(struct site_work *work)
{
    px_resume(work->exchange);
}

/* Borrows the work, which lives as long as the exchange, which asks until then. */
static px_pull produce(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                       void *context)
{
    struct site_work *work = context;
    struct sim_random *random = &sim_world->random;

    if (exchange != work->exchange || work->offset > work->length || room == 0)
        sim_fail("a producer was asked for what it does not have");
    if (work->timer && sim_random_chance(random, 8192)) {
        sim_sometimes("a producer had nothing yet");
        work_later(work, producer_goes_on);
        return PX_PULL_LATER;
    }
    uint64_t left = work->length - work->offset;
    size_t count = left < room ? (size_t)left : room;

    if (count > 1)
        count = (size_t)sim_random_skewed(random, 1, count);
    for (size_t index = 0; index < count; index++)
        out[index] = sim_file_byte(work->tag, work->offset + index);
    work->offset += count;
    *out_bytes = count;
    /* The last bytes come with the end, or before it. */
    if (work->offset < work->length || (count > 0 && sim_random_chance(random, 32768)))
        return PX_PULL_MORE;
    return PX_PULL_END;
}

static void producer_release(void *context)
{
    struct sim_site *site = context;

    site->handed_out--;
}

struct site_source {
    struct sim_site *site;
    struct site_work *work;
};

static px_pull source_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                           void *context)
{
    struct site_source *source = context;

    return produce(exchange, out, room, out_bytes, source->work);
}

static void source_release(void *context)
{
    struct site_source *source = context;

    producer_release(source->site);
    free(source);
}

static void producer_begin(px_exchange *exchange, struct site_work *work, uint64_t length)
{
    struct site_source *source = calloc(1, sizeof(*source));

    if (!source)
        abort();
    source->site = work->site;
    source->work = work;
    work->site->handed_out++;
    px_producer producer = {sizeof(px_producer), source_pull, source_release, source};

    px_respond_producer(exchange, 200, px_str_of("text/plain"), length, &producer);
}

void site_handle_producer(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);

    producer_begin(exchange, work, work->length);
}

void site_handle_chunked(px_exchange *exchange, void *context)
{
    producer_begin(exchange, site_work_begin(context, exchange), PX_LENGTH_UNKNOWN);
}

/* --- In pieces -------------------------------------------------------------------------------- */

static void pieces_go_on(struct site_work *work)
{
    struct sim_random *random = &sim_world->random;

    while (work->offset < work->length) {
        size_t room = px_response_room(work->exchange);
        uint64_t left = work->length - work->offset;
        uint64_t count = left < room ? left : room;

        if (count == 0) {
            sim_sometimes("pieces waited for room");
            return; /* on_room */
        }
        count = sim_random_skewed(random, 1, count);
        char *bytes = site_content(work->tag, work->offset, count);

        px_response_write(work->exchange, px_str_make(bytes, count));
        free(bytes);
        work->offset += count;
        if (work->timer && sim_random_chance(random, 4096)) {
            work_later(work, pieces_go_on);
            return;
        }
    }
    work->writes = false;
    px_response_end(work->exchange);
}

void site_on_room(px_exchange *exchange, void *context)
{
    struct site_work *work = context;

    (void)exchange;
    sim_sometimes("room was reported");
    if (work->writes && !work->on_timer)
        pieces_go_on(work);
}

void site_handle_pieces(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);

    work->writes = true;
    px_response_start(exchange, 200, px_str_of("text/plain"), PX_LENGTH_UNKNOWN);
    pieces_go_on(work);
}

/* --- A tunnel --------------------------------------------------------------------------------- */

enum { PENDING_BYTES_MAX = 2048 };

enum { TUNNEL_IDLE_MS = 60 * 1000 };

/* A tunnel has no deadline but its handler's. */
static void tunnel_idle(struct site_work *work)
{
    sim_sometimes("a tunnel was idle for too long");
    px_exchange_abort(work->exchange);
}

static void tunnel_wait(struct site_work *work)
{
    work->on_timer = tunnel_idle;
    if (work->timer)
        px_timer_start(work->timer, TUNNEL_IDLE_MS);
    else
        px_exchange_abort(work->exchange);
}

static void tunnel_flush(struct site_work *work)
{
    /* Until it hears that there is no room: only then on_room will come. */
    while (work->pending.len > 0) {
        size_t room = px_response_room(work->exchange);
        size_t count = work->pending.len < room ? work->pending.len : room;

        if (count == 0)
            break;
        px_response_write(work->exchange, px_str_make(sim_queue_front(&work->pending), count));
        sim_queue_take(&work->pending, NULL, count);
    }
    if (work->paused && work->pending.len < PENDING_BYTES_MAX / 2) {
        work->paused = false;
        px_request_resume(work->exchange);
    }
    if (work->content_ended && work->pending.len == 0 && work->writes) {
        work->writes = false;
        px_response_end(work->exchange);
    }
}

static void tunnel_receive(px_exchange *exchange, px_str bytes, void *context)
{
    struct site_work *work = context;

    if (work->paused || work->content_ended)
        sim_fail("request %u: its tunnel brought bytes while paused or ended", work->tag);
    check_content(work, bytes);
    sim_queue_put(&work->pending, bytes.ptr, bytes.len);
    if (work->pending.len > PENDING_BYTES_MAX) {
        sim_sometimes("a tunnel was paused");
        work->paused = true;
        px_request_pause(exchange);
    }
    tunnel_wait(work);
    tunnel_flush(work);
}

static void tunnel_receive_end(px_exchange *exchange, void *context)
{
    struct site_work *work = context;

    (void)exchange;
    work->content_ended = true;
    tunnel_flush(work);
}

static void tunnel_room(px_exchange *exchange, void *context)
{
    (void)exchange;
    tunnel_flush(context);
}

static const px_tunnel_callbacks tunnel_callbacks = {.struct_size = sizeof(px_tunnel_callbacks),
                                                     .on_receive = tunnel_receive,
                                                     .on_receive_end = tunnel_receive_end,
                                                     .on_room = tunnel_room};

void site_handle_tunnel(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);

    work->writes = true;
    px_respond_tunnel(exchange, px_str_of("sim"), &tunnel_callbacks, work);
    tunnel_wait(work);
}

/* --- Giving up -------------------------------------------------------------------------------- */

static void abort_now(struct site_work *work)
{
    sim_sometimes("a handler aborted");
    px_exchange_abort(work->exchange);
}

/* One byte short of what it declared, at the latest. */
void site_handle_abort(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);
    bool declared = sim_random_chance(&sim_world->random, 32768);
    size_t room;

    px_response_start(exchange, 200, px_str_of("text/plain"),
                      declared ? work->length : PX_LENGTH_UNKNOWN);
    room = px_response_room(exchange);
    uint64_t count = work->length > 0 ? work->length - 1 : 0;

    if (count > room)
        count = room;
    count = sim_random_between(&sim_world->random, 0, count);
    char *bytes = site_content(work->tag, 0, count);

    px_response_write(exchange, px_str_make(bytes, count));
    free(bytes);
    work_later(work, abort_now);
}

/* --- Later ------------------------------------------------------------------------------------ */

void site_handle_later(px_exchange *exchange, void *context)
{
    work_later(site_work_begin(context, exchange), site_respond);
}

/* Another thread, which holds a reference. */
struct site_thread {
    struct list link;
    struct sim_event event;
    px_ref ref;
};

static void thread_ends(struct site_thread *thread)
{
    list_remove(&thread->link);
    px_ref_release(&thread->ref);
    free(thread);
}

static void thread_answers(px_exchange *exchange, px_err status, void *context)
{
    struct site_thread *thread = context;

    if ((exchange != NULL) != (status == PX_OK))
        sim_fail("a posted call got an exchange and the status %d", (int)status);
    if (exchange) {
        px_str tag = px_request_param(exchange, "tag");
        px_str length = px_request_param(exchange, "length");
        uint64_t bytes = strtoull(length.ptr, NULL, 10);
        char *content = site_content((uint32_t)strtoul(tag.ptr, NULL, 10), 0, bytes);

        sim_sometimes("another thread answered");
        px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(content, bytes));
        free(content);
    } else {
        sim_sometimes("another thread came too late");
    }
    thread_ends(thread);
}

static void thread_posts(struct sim_event *event)
{
    struct site_thread *thread = CONTAINER_OF(event, struct site_thread, event);
    px_err err = px_ref_post(&thread->ref, thread_answers, thread);

    if (err == PX_ERR_MEMORY) {
        sim_event_start(&sim_world->clock, event, 50 * SIM_NS_PER_MS, thread_posts);
        return;
    }
    if (err == PX_ERR_CLOSED) {
        sim_sometimes("a post found the loop gone");
        thread_ends(thread);
    }
}

void site_handle_thread(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);
    struct site_thread *thread = calloc(1, sizeof(*thread));

    if (!thread)
        abort();
    thread->ref = px_exchange_ref(exchange);
    list_append(&work->site->threads, &thread->link);
    sim_event_start(&sim_world->clock, &thread->event, some_ms() * SIM_NS_PER_MS, thread_posts);
}

void sim_site_join(struct sim_site *site)
{
    struct list *next;

    for (struct list *at = site->threads.next; at != &site->threads; at = next) {
        struct site_thread *thread = LIST_ENTRY(at, struct site_thread, link);

        next = at->next;
        if (!sim_event_waits(&thread->event))
            continue;
        sim_event_stop(&sim_world->clock, &thread->event);
        thread_posts(&thread->event);
    }
}

/* --- Content of requests ---------------------------------------------------------------------- */

static void collected(px_exchange *exchange, px_str content, void *context)
{
    struct site_work *work = context;

    (void)exchange;
    check_content(work, content);
    site_respond(work);
}

void site_handle_collect(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);

    px_request_collect(exchange, 200000, collected, work);
}

static void content_goes_on(struct site_work *work)
{
    work->paused = false;
    px_request_resume(work->exchange);
}

void site_on_content(px_exchange *exchange, px_str bytes, void *context)
{
    struct site_work *work = context;

    if (work->paused || work->content_ended || bytes.len == 0)
        sim_fail("request %u: content while paused, after its end, or of no bytes", work->tag);
    check_content(work, bytes);
    if (work->streams && work->timer && sim_random_chance(&sim_world->random, 16384)) {
        sim_sometimes("a handler paused the content");
        work->paused = true;
        px_request_pause(exchange);
        work_later(work, content_goes_on);
    }
}

size_t site_on_content_some(px_exchange *exchange, px_str bytes, void *context)
{
    struct site_work *work = context;
    size_t used = bytes.len;

    (void)exchange;
    if (work->paused || work->content_ended || bytes.len == 0)
        sim_fail("request %u: content while paused, after its end, or of no bytes", work->tag);
    if (work->timer && sim_random_chance(&sim_world->random, 16384))
        used = (size_t)sim_random_skewed(&sim_world->random, 0, bytes.len);
    check_content(work, px_str_make(bytes.ptr, used));
    if (used < bytes.len) {
        sim_sometimes("a handler used some of the content");
        work->paused = true;
        work_later(work, content_goes_on);
    }
    return used;
}

void site_on_content_end(px_exchange *exchange, void *context)
{
    struct site_work *work = context;

    (void)exchange;
    if (work->content_ended)
        sim_fail("request %u: its content ended twice", work->tag);
    if (work->paused)
        sim_sometimes("content ended while it was paused");
    work->content_ended = true;
    if (work->streams)
        site_respond(work);
}

void site_handle_stream(px_exchange *exchange, void *context)
{
    struct site_work *work = site_work_begin(context, exchange);

    work->streams = true;
    if (sim_random_chance(&sim_world->random, 32768))
        site_use_some(work);
}

void site_handle_early(px_exchange *exchange, void *context)
{
    site_respond(site_work_begin(context, exchange));
}
