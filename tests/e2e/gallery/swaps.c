/*
 * Sites that take each other's place a thousand times while clients ask, for the end-to-end tests:
 * each answer must be wholly of one site.
 *
 *     swaps ADDR...
 *
 * Site N has a middleware, a handler that answers some milliseconds later, an error page and a
 * filter, and each of them writes N into the answer.  At its end it says how many sites were made,
 * and how many were released.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pollux/pollux.h>

enum { SWAPS = 1000, SWAP_EVERY_MS = 2, ANSWER_AFTER_MS = 5 };

struct swaps {
    px_server *server;
    px_timer *timer;
    unsigned long made;
    unsigned long released;
};

/* What a site's parts say. */
struct number {
    struct swaps *swaps;
    char text[24];
};

static void number_release(void *context)
{
    struct number *number = context;

    number->swaps->released++;
    memset(number, 'x', sizeof(*number)); /* an answer that comes too late shows */
    free(number);
}

static px_verdict before(px_exchange *exchange, void *context)
{
    const struct number *number = context;

    px_response_add_field(exchange, px_str_of("X-Before"), px_str_of(number->text));
    return PX_NEXT;
}

static int after(px_exchange *exchange, void *context, void **out_state)
{
    const struct number *number = context;

    *out_state = NULL;
    px_response_add_field(exchange, px_str_of("X-After"), px_str_of(number->text));
    return 0;
}

struct late {
    px_exchange *exchange;
    px_timer *timer;
    const struct number *number;
};

static void late_answer(px_timer *timer, void *context)
{
    struct late *late = context;

    (void)timer;
    px_respond_text(late->exchange, 200, late->number->text);
}

static void late_end(px_exchange *exchange, px_end end, void *context)
{
    struct late *late = context;

    (void)exchange;
    (void)end;
    px_timer_destroy(late->timer);
    free(late);
}

static void answer(px_exchange *exchange, void *context)
{
    static const px_exchange_callbacks callbacks = {.struct_size = sizeof(callbacks),
                                                    .on_end = late_end};
    struct late *late = calloc(1, sizeof(*late));

    if (!late) {
        px_respond_error(exchange, 503);
        return;
    }
    late->exchange = exchange;
    late->number = context;
    late->timer = px_timer_create(px_exchange_loop(exchange), late_answer, late);
    px_exchange_set_callbacks(exchange, &callbacks, late);
    if (late->timer)
        px_timer_start(late->timer, ANSWER_AFTER_MS);
    else
        px_respond_error(exchange, 503);
}

static void error_page(px_exchange *exchange, unsigned status, void *context)
{
    const struct number *number = context;

    px_respond_text(exchange, status, number->text);
}

/* All parts of a site have one context, which its middleware releases. */
static int site_serve(struct swaps *swaps, px_error *out_error)
{
    static const px_filter filter = {.struct_size = sizeof(filter), .on_head = after};
    px_site_options options = PX_SITE_OPTIONS_DEFAULT;
    const char *names[] = {"*"};
    px_host *host = NULL;
    struct number *number = calloc(1, sizeof(*number));
    int served = 0;

    if (!number)
        return 0;
    number->swaps = swaps;
    snprintf(number->text, sizeof(number->text), "%lu", swaps->made);
    options.on_error_page = error_page;
    options.error_page_context = number;
    px_site *site = px_site_create(&options, out_error);

    if (!site) {
        free(number);
        return 0;
    }
    swaps->made++;
    served = px_site_use(site, before, number, number_release, out_error) == PX_OK &&
             px_site_filter(site, &filter, number, NULL, out_error) == PX_OK &&
             px_site_host(site, names, 1, NULL, &host, out_error) == PX_OK &&
             px_host_route(host, "GET /{$}", NULL, answer, number, out_error) == PX_OK &&
             px_server_set_site(swaps->server, site, out_error) == PX_OK;
    px_site_destroy(site);
    return served;
}

static void on_timer(px_timer *timer, void *context)
{
    struct swaps *swaps = context;
    px_error failed;

    if (!site_serve(swaps, &failed))
        abort();
    if (swaps->made < SWAPS)
        px_timer_start(timer, SWAP_EVERY_MS);
    else if (swaps->made == SWAPS)
        fprintf(stderr, "swapped\n");
}

static void on_signal(int number, void *server)
{
    (void)number;
    px_server_drain(server, 0, 5000);
}

int main(int argc, char **argv)
{
    struct swaps swaps = {0};
    px_error failed = {0};
    int ok = 0;

    swaps.server = px_server_create(NULL, &failed);
    if (swaps.server)
        swaps.timer = px_timer_create(px_server_loop(swaps.server), on_timer, &swaps);
    if (!swaps.timer || !site_serve(&swaps, &failed))
        goto end;
    for (int i = 1; i < argc; i++)
        if (px_server_listen(swaps.server, argv[i], &failed) != PX_OK)
            goto end;
    if (px_loop_signal(px_server_loop(swaps.server), SIGTERM, on_signal, swaps.server, &failed) !=
        PX_OK)
        goto end;
    fprintf(stderr, "pollux: listening on %s (1 worker)\n", px_server_address(swaps.server));
    px_timer_start(swaps.timer, SWAP_EVERY_MS);
    ok = px_server_run(swaps.server, &failed) == PX_OK;

end:
    if (!ok)
        fprintf(stderr, "swaps: %s\n", failed.text);
    px_timer_destroy(swaps.timer);
    px_server_destroy(swaps.server);
    fprintf(stderr, "swaps: %lu sites, %lu released\n", swaps.made, swaps.released);
    return ok ? 0 : 1;
}
