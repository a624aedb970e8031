/*
 * Making what lives on a loop, and ending it.
 *
 * Happy path: each upstream, then what uses it.  It can fail for want of memory, and by what only
 * the library can tell of a server.
 */
#include "config/serving.h"

#include "base/check.h"

static px_err upstream_attach(struct config *config, struct config_upstream *upstream,
                              const struct config_serving *serving, px_error *out_error)
{
    px_upstream_options options = upstream->options;

    CHECK(!upstream->made && upstream->servers && options.server_count > 0);
    options.loop = serving->loop;
    options.servers = upstream->servers;
    options.trust = upstream->trust;
    options.board = config->shared->board;
    options.metrics = config->metrics;
    options.on_change = serving->on_change;
    options.change_context = serving->context;
    if (upstream->check.struct_size > 0)
        options.check = &upstream->check;
    upstream->made = px_upstream_create(&options, out_error);
    return upstream->made ? PX_OK : out_error->code;
}

static px_err proxy_attach(struct config_proxy *proxy, const struct config_serving *serving,
                           px_error *out_error)
{
    px_proxy_options options = proxy->options;

    CHECK(!proxy->made && proxy->upstream->made); /* upstreams come first */
    options.upstream = proxy->upstream->made;
    options.trusted_proxies = serving->trusted_proxies;
    options.trusted_proxy_count = serving->trusted_proxy_count;
    options.on_failure = serving->on_failure;
    options.failure_context = serving->context;
    proxy->made = px_proxy_create(&options, out_error);
    return proxy->made ? PX_OK : out_error->code;
}

static px_err auth_attach(struct config_auth *auth, const struct config_serving *serving,
                          px_error *out_error)
{
    px_forward_auth_options options = auth->options;

    CHECK(!auth->made);
    options.loop = serving->loop;
    options.trust = auth->trust;
    auth->made = px_forward_auth_create(&options, out_error);
    return auth->made ? PX_OK : out_error->code;
}

px_err config_attach(struct config *config, const struct config_serving *serving,
                     px_error *out_error)
{
    px_err err = PX_OK;

    CHECK(serving->loop && config->site);
    CHECK(!config->is_attached);
    config->is_attached = true;
    config->attached = config->shared->attached;
    config->shared->attached = config;
    for (struct config_upstream *one = config->upstreams; one && err == PX_OK; one = one->next)
        err = upstream_attach(config, one, serving, out_error);
    for (struct config_proxy *one = config->proxies; one && err == PX_OK; one = one->next)
        err = proxy_attach(one, serving, out_error);
    for (struct config_auth *one = config->auths; one && err == PX_OK; one = one->next)
        err = auth_attach(one, serving, out_error);
    for (struct config_log *one = config->logs; one; one = one->next) {
        one->sink = serving->log_of ? serving->log_of(one->path, serving->log_context) : NULL;
        one->write = one->sink ? serving->on_log : NULL;
    }
    return err;
}

static void detach(struct config *config)
{
    CHECK(config->is_attached);
    for (struct config_proxy *one = config->proxies; one; one = one->next) {
        px_proxy_destroy(one->made);
        one->made = NULL;
    }
    for (struct config_auth *one = config->auths; one; one = one->next) {
        px_forward_auth_destroy(one->made);
        one->made = NULL;
    }
    for (struct config_upstream *one = config->upstreams; one; one = one->next) {
        px_upstream_destroy(one->made);
        one->made = NULL;
    }
    config->is_attached = false;
}

void config_detach_all(struct config_shared *shared)
{
    while (shared->attached) {
        struct config *config = shared->attached;

        shared->attached = config->attached;
        config->attached = NULL;
        detach(config);
    }
    CHECK(!shared->attached);
}

void serving_release(struct config *config)
{
    for (struct config **at = &config->shared->attached; config->is_attached;
         at = &(*at)->attached) {
        CHECK(*at);
        if (*at != config)
            continue;
        *at = config->attached;
        config->attached = NULL;
        detach(config);
        break;
    }
    for (struct config_upstream *one = config->upstreams; one; one = one->next)
        if (one->trust != config->roots)
            px_tls_trust_destroy(one->trust);
    px_tls_trust_destroy(config->roots);
}

static struct config_place server_place(const struct config_upstream *upstream, uint32_t index)
{
    if (!upstream->is_named)
        return upstream->node->values[0].value->place;
    for (const struct config_node *node = upstream->node->children; node; node = node->next)
        if (node_is(node, "server") && index-- == 0)
            return node->values[0].value->place;
    return node_place(upstream->node);
}

const char *config_server_at(const struct config *config, uint32_t index,
                             struct config_place *out_place)
{
    for (const struct config_upstream *one = config->upstreams; one; one = one->next) {
        if (index < one->options.server_count) {
            *out_place = server_place(one, index);
            return one->servers[index].url;
        }
        index -= one->options.server_count;
    }
    for (const struct config_auth *one = config->auths; one; one = one->next, index--) {
        if (index > 0)
            continue;
        *out_place = node_place(one->node);
        return one->options.url;
    }
    return NULL;
}
