/*
 * What all handlers share: the work of an exchange, its end, routes, and the books.
 */
#include "sim_site.h"

#include <stdlib.h>
#include <string.h>

#include "sim_site_work.h"

void sim_site_init(struct sim_site *site)
{
    memset(site, 0, sizeof(*site));
    list_init(&site->threads);
}

static uint64_t number_of(px_str text)
{
    uint64_t number = 0;

    for (size_t index = 0; index < text.len && text.ptr[index] >= '0' && text.ptr[index] <= '9';
         index++)
        number = number * 10 + (uint64_t)(text.ptr[index] - '0');
    return number;
}

static void work_ends(px_exchange *exchange, px_end end, void *context)
{
    struct site_work *work = context;
    struct sim_site *site = work->site;

    if (work->exchange != exchange)
        sim_fail("on_end of another exchange");
    site->ended[work->tag % SIM_TAGS_MAX]++;
    site->ends[end]++;
    if (end == PX_END_PEER_GONE)
        sim_sometimes("an exchange lost its peer");
    if (end == PX_END_SERVER_CLOSED)
        sim_sometimes("an exchange lost its server");
    if (end == PX_END_TIMEOUT)
        sim_sometimes("an exchange timed out");
    px_timer_destroy(work->timer);
    sim_queue_end(&work->pending);
    free(work);
}

static const px_exchange_callbacks work_callbacks = {.struct_size = sizeof(px_exchange_callbacks),
                                                     .on_content = site_on_content,
                                                     .on_content_end = site_on_content_end,
                                                     .on_room = site_on_room,
                                                     .on_end = work_ends};

/* In place of on_content: a receiver that may be slower than its peer. */
static const px_exchange_callbacks some_callbacks = {.struct_size = sizeof(px_exchange_callbacks),
                                                     .on_content_some = site_on_content_some,
                                                     .on_content_end = site_on_content_end,
                                                     .on_room = site_on_room,
                                                     .on_end = work_ends};

void site_use_some(struct site_work *work)
{
    px_exchange_set_callbacks(work->exchange, &some_callbacks, work);
}

static void number_field(px_exchange *exchange, const char *name, uint32_t number)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", number);
    px_response_add_field(exchange, px_str_of(name), px_str_of(text));
}

/* Counts the exchange and gives it its tag field; the tag. */
uint32_t site_count(struct sim_site *site, px_exchange *exchange)
{
    uint32_t tag = (uint32_t)number_of(px_request_param(exchange, "tag"));

    site->handled[tag % SIM_TAGS_MAX]++;
    number_field(exchange, "X-Tag", tag);
    /* From inside of a handler, whose own site must live on until it has ended. */
    if (site->swaps && sim_random_chance(&sim_world->random, 16384))
        sim_site_swap(site);
    return tag;
}

struct site_work *site_work_begin(struct sim_site *site, px_exchange *exchange)
{
    struct site_work *work = calloc(1, sizeof(*work));

    if (!work)
        abort();
    work->site = site;
    work->exchange = exchange;
    work->tag = site_count(site, exchange);
    work->length = number_of(px_request_param(exchange, "length"));
    /* A garbled length may be anything. */
    if (work->length > 300000)
        work->length = 300000;
    work->timer = px_timer_create(px_exchange_loop(exchange), site_on_timer, work);
    site->tracked[work->tag % SIM_TAGS_MAX]++;
    px_exchange_set_callbacks(exchange, &work_callbacks, work);
    return work;
}

char *site_content(uint32_t tag, uint64_t offset, uint64_t count)
{
    char *bytes = malloc(count + 1);

    if (!bytes)
        abort();
    for (uint64_t index = 0; index < count; index++)
        bytes[index] = sim_file_byte(tag, offset + index);
    return bytes;
}

void site_respond(struct site_work *work)
{
    char *bytes = site_content(work->tag, 0, work->length);

    px_respond(work->exchange, 200, px_str_of("text/plain"), px_str_make(bytes, work->length));
    free(bytes);
}

/* Without callbacks: the exchange ends by itself. */
static void handle_bytes(px_exchange *exchange, void *context)
{
    struct sim_site *site = context;
    uint64_t length = number_of(px_request_param(exchange, "length"));
    uint32_t tag = site_count(site, exchange);

    if (length > 300000)
        length = 300000;
    char *bytes = site_content(tag, 0, length);

    px_respond(exchange, 200, px_str_make(NULL, 0), px_str_make(bytes, length));
    free(bytes);
}

/* --- Sites: each has a number, which its middleware and its filter tell ----------------------- */

struct served {
    struct sim_site *site;
    uint32_t number;
};

static px_verdict served_begins(px_exchange *exchange, void *context)
{
    const struct served *served = context;

    number_field(exchange, "X-Site", served->number);
    return PX_NEXT;
}

/* A site has ended: the last one takes the folder with it. */
static void served_ends(void *context)
{
    struct served *served = context;
    struct sim_site *site = served->site;

    free(served);
    if (++site->sites_released > site->sites_made)
        sim_fail("a filter's context was released twice");
    if (site->sites_released == site->sites_made)
        px_files_destroy(site->files);
    else
        sim_sometimes("a site ended, and another was served");
}

static struct served *served_make(struct sim_site *site)
{
    struct served *served = malloc(sizeof(*served));

    if (!served)
        abort();
    *served = (struct served){site, ++site->sites_made};
    return served;
}

/* --- A filter: changes every byte ------------------------------------------------------------- */

static int filter_head(px_exchange *exchange, void *context, void **out_state)
{
    const struct served *served = context;
    struct sim_site *site = served->site;

    number_field(exchange, "X-Filter", served->number);
    if (!px_str_equal(px_request_query(exchange), px_str_of("filter")) ||
        px_response_status(exchange) != 200)
        return 0;
    site->filters_open++;
    *out_state = site;
    return 1;
}

static int filter_content(px_exchange *exchange, px_filter_step *step, void *state)
{
    size_t count = step->in.len < step->room ? step->in.len : step->room;

    (void)exchange;
    (void)state;
    if (count > 1)
        count = (size_t)sim_random_skewed(&sim_world->random, 1, count);
    for (size_t index = 0; index < count; index++)
        step->out[index] = (char)(step->in.ptr[index] ^ 0x5a);
    step->in_used = count;
    step->out_used = count;
    step->done = step->last && count == step->in.len;
    return 0;
}

static void filter_end(px_exchange *exchange, void *state)
{
    struct sim_site *site = state;

    (void)exchange;
    site->filters_open--;
}

static const px_filter site_filter = {.struct_size = sizeof(px_filter),
                                      .on_head = filter_head,
                                      .on_content = filter_content,
                                      .on_end = filter_end};

/* --- A folder of files ------------------------------------------------------------------------ */

const uint64_t sim_folder_lengths[SIM_FOLDER_FILES] = {0, 1, 3000, 65536, 65537, 1300000};

void site_folder_file(uint64_t length)
{
    char path[64];

    snprintf(path, sizeof(path), "/sim/www/%llu", (unsigned long long)length);
    /* A file without a tag is empty. */
    sim_node_make(path, length > 0 ? sim_folder_tag(length) : 0, length);
}

static px_err folder_open(struct sim_site *site, const px_allocator *allocator, px_error *out_error)
{
    px_files_options options = PX_FILES_OPTIONS_DEFAULT;

    sim_node_make_folder("/sim/www");
    for (size_t index = 0; index < SIM_FOLDER_FILES; index++)
        site_folder_file(sim_folder_lengths[index]);
    options.allocator = allocator;
    options.cache_files_max = (uint32_t)sim_random_between(&sim_world->random, 1, 3);
    options.cache_bytes_max = sim_random_between(&sim_world->random, 1, 200000);
    site->files = px_files_create("/sim/www", &options, out_error);
    return site->files ? PX_OK : out_error->code;
}

/* --- Routes ----------------------------------------------------------------------------------- */

static const struct {
    const char *pattern;
    px_handler handler;
} routes[] = {{"GET /bytes/{tag}/{length}", handle_bytes},
              {"GET /body/{tag}/{length}", site_handle_body},
              {"GET /file/{tag}/{length}", site_handle_file},
              {"GET /folder/{tag}/{file...}", site_handle_folder},
              {"GET /producer/{tag}/{length}", site_handle_producer},
              {"GET /chunked/{tag}/{length}", site_handle_chunked},
              {"GET /pieces/{tag}/{length}", site_handle_pieces},
              {"GET /later/{tag}/{length}", site_handle_later},
              {"GET /thread/{tag}/{length}", site_handle_thread},
              {"POST /collect/{tag}/{length}", site_handle_collect},
              {"POST /stream/{tag}/{length}", site_handle_stream},
              {"POST /early/{tag}/{length}", site_handle_early},
              {"GET /abort/{tag}/{length}", site_handle_abort},
              {"GET /tunnel/{tag}/{length}", site_handle_tunnel}};

enum { ROUTE_COUNT = sizeof(routes) / sizeof(routes[0]) };

px_err sim_site_routes(struct sim_site *site, px_server *server, const px_allocator *allocator,
                       px_error *out_error)
{
    px_err err = folder_open(site, allocator, out_error);

    site->server = server;
    site->allocator = allocator;
    if (err != PX_OK)
        return err;
    for (size_t index = 0; index < ROUTE_COUNT && err == PX_OK; index++)
        err =
            px_server_route(server, routes[index].pattern, routes[index].handler, site, out_error);
    struct served *served = served_make(site);

    if (err == PX_OK)
        err = px_server_use(server, served_begins, served, NULL, out_error);
    if (err != PX_OK) {
        served_ends(served);
        return err;
    }
    return px_server_filter(server, &site_filter, served, served_ends, out_error);
}

static px_err site_fill(struct sim_site *site, px_site *made)
{
    const char *names[] = {"*"};
    px_host *host = NULL;
    px_error error;
    px_err err = px_site_host(made, names, 1, NULL, &host, &error);

    for (size_t index = 0; index < ROUTE_COUNT && err == PX_OK; index++)
        err = px_host_route(host, routes[index].pattern, NULL, routes[index].handler, site, &error);
    struct served *served = served_make(site);

    if (err == PX_OK)
        err = px_site_use(made, served_begins, served, NULL, &error);
    if (err == PX_OK) /* one that is refused is released, too */
        return px_host_filter(host, &site_filter, served, served_ends, &error);
    served_ends(served);
    return err;
}

void sim_site_swap(struct sim_site *site)
{
    px_site_options options = PX_SITE_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = site->allocator;
    px_site *made = px_site_create(&options, &error);

    if (!made)
        return;
    if (site_fill(site, made) == PX_OK && px_server_set_site(site->server, made, &error) == PX_OK)
        sim_sometimes("another site was served");
    px_site_destroy(made);
}

void sim_site_check(const struct sim_site *site)
{
    for (uint32_t tag = 0; tag < SIM_TAGS_MAX; tag++)
        if (site->ended[tag] != site->tracked[tag])
            sim_fail("request %u: %u handlers, %u ends", tag, site->tracked[tag], site->ended[tag]);
    if (site->handed_out != 0)
        sim_fail("%u bodies, files or producers were not released", site->handed_out);
    if (site->filters_open != 0)
        sim_fail("%u filters were not ended", site->filters_open);
    if (site->sites_released != site->sites_made)
        sim_fail("%u sites, %u of them ended", site->sites_made, site->sites_released);
    if (!list_empty(&site->threads))
        sim_fail("a posted call did not run");
}
