/*
 * What stands before the answer: health, redirect https.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/build.h"
#include "pollux/request.h"
#include "pollux/response.h"

/* 301 for GET and HEAD, which every client follows; 308 keeps method and content (RFC 9110 section
 * 15.4.9).  A request without a host cannot be redirected. */
static px_verdict https_check(px_exchange *exchange, void *context)
{
    px_str method = px_request_method(exchange);
    bool is_safe =
        px_str_equal(method, px_str_of("GET")) || px_str_equal(method, px_str_of("HEAD"));

    if (px_str_equal(px_request_scheme(exchange), px_str_of("https")))
        return PX_NEXT;
    px_str target = px_template_text(context, exchange, PX_TEMPLATE_TARGET);

    if (!px_request_authority(exchange).ptr || !px_request_raw_path(exchange).ptr)
        px_respond_error(exchange, 400);
    else if (!target.ptr)
        px_respond_error(exchange, 503);
    else
        px_respond_redirect(exchange, is_safe ? 301 : 308, target);
    return PX_STOP;
}

static bool https_use(struct build_route *route, const struct config_node *node)
{
    struct build *build = route->build;
    size_t room = sizeof("https://{host}{uri}") + strlen(build->https_origin_end);
    char *text = load_take(build->load, room);
    struct config_typed value = {.value = &node->statement->name};
    struct build_text target;

    if (!text)
        return false;
    snprintf(text, room, "https://{host}%s{uri}", build->https_origin_end);
    value.text = px_str_of(text);
    if (!build_text_read(build, &value, &target))
        return false;
    build_use(route, https_check, (void *)(uintptr_t)target.template_, NULL);
    return true;
}

/* Readiness: 503 once a drain is announced, which is when a load balancer should look elsewhere. */
struct health {
    const struct config *config;
    px_str path;
};

static px_verdict health_check(px_exchange *exchange, void *context)
{
    const struct health *health = context;
    const struct config *config = health->config;
    px_str method = px_request_method(exchange);

    if (!px_str_equal(px_request_path(exchange), health->path) ||
        (!px_str_equal(method, px_str_of("GET")) && !px_str_equal(method, px_str_of("HEAD"))))
        return PX_NEXT;
    /* An answer from a cache would be about another time. */
    px_response_set_field(exchange, px_str_of("Cache-Control"), px_str_of("no-store"));
    if (config->is_draining && config->is_draining(config->drain_context))
        px_respond_text(exchange, 503, "draining\n");
    else
        px_respond_text(exchange, 200, "ok\n");
    return PX_STOP;
}

bool build_health(struct build *build)
{
    const struct config_node *node = node_find(build->settings->nodes, "health");
    struct health *health;
    px_error error;

    if (!node || node->value_count == 0)
        return true;
    health = load_take(build->load, sizeof(*health));
    if (!health)
        return false;
    *health = (struct health){build->config, node->values[0].text};
    if (px_site_use(build->site, health_check, health, NULL, &error) == PX_OK)
        return true;
    build_note(build, node_place(node), &error);
    return false;
}

bool build_middleware(struct build_route *route)
{
    const struct config_route *settings = route->route;
    bool is_good = true;

    for (uint32_t i = 0; i < settings->step_count; i++)
        if (build_is_https(settings->steps[i].node))
            is_good &= https_use(route, settings->steps[i].node);
    return is_good;
}
