/*
 * proxy and forward_auth of a route: what they say becomes options, and handlers that find what
 * was made of them (serving.c).
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "config/serving.h"
#include "config/site/build.h"
#include "pollux/response.h"

static uint32_t number_of(const struct config_typed *value)
{
    if (!value)
        return 0;
    return value->is_off ? PX_OFF : (uint32_t)value->number;
}

/* --- proxy ------------------------------------------------------------------------------------ */

static void proxy_handle(px_exchange *exchange, void *context)
{
    const struct config_proxy *proxy = context;

    if (proxy->made)
        px_proxy_handle(exchange, proxy->made);
    else
        px_respond_error(exchange, 503); /* the process is about to end */
}

static bool host_take(struct build *build, const struct config_node *node,
                      px_proxy_options *options)
{
    const char *text = node->values[0].text.ptr;

    for (const char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at > ' ' && (unsigned char)*at < 0x7f)
            continue;
        report_add(&build->load->report, REPORT_MEANING, node->values[0].value->place,
                   "\"%s\" is no host", text);
        return false;
    }
    if (strcmp(text, "pass") == 0)
        options->host = NULL;
    else
        options->host = strcmp(text, "upstream") == 0 ? "" : text;
    return true;
}

static bool setting_take(struct build *build, const struct config_node *node,
                         px_proxy_options *options)
{
    static const struct config_typed none;
    const struct config_typed *value = node->value_count > 0 ? &node->values[0] : &none;

    if (node_is(node, "host"))
        return host_take(build, node, options);
    if (node_is(node, "retry")) {
        options->tries = value->is_off ? 1 : (uint32_t)value->number;
        options->retry_disconnect = node_option(node, "on") != NULL;
        options->total_timeout_ms = number_of(node_option(node, "within"));
    } else if (node_is(node, "timeouts")) {
        options->connect_timeout_ms = number_of(node_option(node, "connect"));
        options->first_byte_timeout_ms = number_of(node_option(node, "first_byte"));
        options->silence_timeout_ms = number_of(node_option(node, "silence"));
    } else if (node_is(node, "buffer")) {
        options->answer_bytes_max = (uint32_t)value->number;
        options->replay_bytes_max = number_of(node_option(node, "replay"));
    } else if (node_is(node, "expect")) {
        options->expect_forward = value->word;
    } else if (node_is(node, "websocket")) {
        options->no_upgrade = value->is_off;
    } else if (node_is(node, "underscores")) {
        options->underscores = value->word;
    } else if (node_is(node, "forwarded")) {
        options->forwarded = !value->is_off;
    } else if (node_is(node, "proxy_status")) {
        options->proxy_status = !value->is_off;
    } else if (node_is(node, "via")) {
        options->name = value->text.ptr;
    }
    return true;
}

/* It lies in the configuration's memory, and what it has made ends with the loop (serving.c). */
static void proxy_release(void *proxy)
{
    (void)proxy;
}

static struct config_proxy *proxy_make(struct build *build, const struct config_node *node)
{
    struct config_proxy *proxy = load_take(build->load, sizeof(*proxy));
    bool is_good = proxy != NULL;

    if (!proxy)
        return NULL;
    *proxy = (struct config_proxy){.node = node, .upstream = build_upstream_of(build, node)};
    proxy->options = PX_PROXY_OPTIONS_DEFAULT;
    for (const struct config_node *inner = node->children; inner; inner = inner->next)
        is_good &= setting_take(build, inner, &proxy->options);
    if (!proxy->upstream || !is_good)
        return NULL;
    CHECK(!proxy->made); /* there is no loop here */
    proxy->next = build->config->proxies;
    build->config->proxies = proxy;
    return build_made_keep(build, node, NULL, proxy, proxy_release) ? proxy : NULL;
}

bool build_proxy(struct build_route *route, const struct config_node *node,
                 struct build_answer *out_answer)
{
    struct build *build = route->build;
    struct config_proxy *proxy = build_made_find(build->config, node, NULL);

    if (!proxy)
        proxy = proxy_make(build, node);
    if (!proxy)
        return false;
    route->streams = true;
    *out_answer = (struct build_answer){.handler = proxy_handle, .context = proxy};
    return true;
}

const struct config_upstream *build_proxied(const struct config *config,
                                            const struct config_node *node)
{
    const struct config_proxy *proxy = build_made_find(config, node, NULL);

    return proxy ? proxy->upstream : NULL;
}

/* --- forward_auth ----------------------------------------------------------------------------- */

px_verdict build_auth_check(px_exchange *exchange, void *context)
{
    const struct config_auth *auth = context;

    if (auth->made)
        return px_forward_auth_check(exchange, auth->made);
    px_respond_error(exchange, 503); /* the process is about to end */
    return PX_STOP;
}

static bool is_url(const char *text)
{
    return strlen(text) < CONFIG_URL_BYTES_MAX &&
           (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0 ||
            strncmp(text, "h2c://", 6) == 0 || strncmp(text, "unix:/", 6) == 0);
}

void *build_auth(struct build_route *route, const struct config_node *node, px_matcher *when,
                 px_error *out_error)
{
    struct build *build = route->build;
    struct config_auth *auth = load_take(build->load, sizeof(*auth));
    const char **names = load_take(build->load, node->value_count * sizeof(names[0]));

    if (!auth || !names) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    *auth = (struct config_auth){.node = node};
    auth->options = PX_FORWARD_AUTH_OPTIONS_DEFAULT;
    auth->options.url = node->values[0].text.ptr;
    if (!is_url(auth->options.url)) {
        error_set(out_error, PX_ERR_INVALID, 0,
                  "\"%s\" is no URL: write http://host/path, https://host/path or unix:/path",
                  auth->options.url);
        return NULL;
    }
    for (uint32_t i = 1; i < node->value_count; i++)
        names[i - 1] = node->values[i].text.ptr;
    CHECK(node->value_count > 0); /* the first one is the URL */
    auth->options.names = names;
    auth->options.name_count = node->value_count - 1;
    auth->options.timeout_ms = number_of(node_option(node, "timeout"));
    auth->options.when = when;
    if (strncmp(auth->options.url, "https://", 8) == 0) {
        auth->trust = build_roots(build, out_error);
        if (!auth->trust)
            return NULL;
    }
    auth->next = build->config->auths;
    build->config->auths = auth;
    return auth;
}

/* It ends with all that lives on the loop (serving.c). */
void build_auth_release(void *auth)
{
    (void)auth;
}
