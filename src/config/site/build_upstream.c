/*
 * upstream, proxy and forward_auth: what they say becomes options of the library.
 *
 * Nothing is made here but what files hold (certificates), for there is no loop yet: serving.c
 * makes the rest.  A proxy that names a server's address has an upstream of its own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"
#include "config/serving.h"
#include "config/site/build.h"
#include "pollux/response.h"

enum { UPSTREAM_NAMES_MAX = 256, STATUS_MOST = 599 };

static void note(struct build *build, struct config_place place, const char *text)
{
    report_add(&build->load->report, REPORT_MEANING, place, "%s", text);
}

static uint32_t number_of(const struct config_typed *value)
{
    if (!value)
        return 0;
    return value->is_off ? PX_OFF : (uint32_t)value->number;
}

static const char *text_of(const struct config_typed *value)
{
    return value ? value->text.ptr : NULL;
}

/* --- TLS -------------------------------------------------------------------------------------- */

px_tls_trust *build_roots(struct build *build, px_error *out_error)
{
    struct config *config = build->config;

    if (!config->roots)
        config->roots = px_tls_trust_create(NULL, out_error);
    return config->roots;
}

static bool trust_make(struct build *build, const struct config_node *tls, px_tls_trust **out_trust)
{
    px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;
    const struct config_typed *verify = node_option(tls, "verify");
    px_error error;

    options.ca_file = text_of(node_option(tls, "ca"));
    options.certificate_file = text_of(node_option(tls, "cert"));
    options.key_file = text_of(node_option(tls, "key"));
    options.verify = verify && verify->word == 1 ? PX_TLS_VERIFY_OFF : PX_TLS_VERIFY;
    *out_trust = px_tls_trust_create(&options, &error);
    if (!*out_trust)
        build_note(build, build_place_named(tls, &error), &error);
    return *out_trust != NULL;
}

static bool roots_take(struct build *build, struct config_upstream *upstream)
{
    px_error error;

    upstream->trust = build_roots(build, &error);
    if (!upstream->trust)
        build_note(build, node_place(upstream->node), &error);
    return upstream->trust != NULL;
}

static bool is_https(const char *url)
{
    return strncmp(url, "https://", 8) == 0;
}

/* --- Servers ---------------------------------------------------------------------------------- */

static bool has_scheme(px_str text)
{
    return strstr(text.ptr, "://") || strncmp(text.ptr, "unix:", 5) == 0;
}

/* "host:port" speaks as the upstream says; a URL says it itself. */
static const char *url_of(struct build *build, px_str address, bool is_secure)
{
    static const char plain[] = "http://", secure[] = "https://";
    size_t room = sizeof(secure) + address.len;
    char *url = has_scheme(address) ? NULL : load_take(build->load, room);

    if (!url)
        return address.ptr;
    snprintf(url, room, "%s%s", is_secure ? secure : plain, address.ptr);
    return url;
}

/* "name", "name:80", "[v6]:80": a port is from 1 to 65535. */
static bool port_is_valid(const char *host)
{
    size_t len = strcspn(host, "/");
    const char *colon = memrchr(host, ':', len);
    uint64_t port;

    if (!colon || memchr(colon, ']', len - (size_t)(colon - host)))
        return true;
    return number_read(px_str_make(colon + 1, len - (size_t)(colon - host) - 1), UINT16_MAX,
                       &port) &&
           port > 0;
}

/* What the library would say of it, said at its place: an upstream is made on no loop. */
static bool url_check(struct build *build, const struct config_typed *value, const char *url)
{
    const char *rest = strstr(url, "://");
    const char *path = rest ? strchr(rest + 3, '/') : NULL;
    bool is_unix = strncmp(url, "unix:/", 6) == 0;
    bool is_known =
        is_https(url) || strncmp(url, "http://", 7) == 0 || strncmp(url, "h2c://", 6) == 0;

    if (strlen(url) < CONFIG_URL_BYTES_MAX &&
        (is_unix || (is_known && rest && rest[3] != '\0' && rest[3] != '/' &&
                     (!path || path[1] == '\0') && port_is_valid(rest + 3))))
        return true;
    report_add(&build->load->report, REPORT_MEANING, value->value->place,
               "\"%s\" is no server: write host:port, http://host[:port], https://host[:port], "
               "h2c://host[:port] or unix:/path, without a path of its own",
               value->text.ptr);
    return false;
}

static bool server_take(struct build *build, struct config_upstream *upstream,
                        const struct config_node *node, bool is_secure)
{
    CHECK(upstream->servers && node->value_count > 0);
    px_upstream_server *server = &upstream->servers[upstream->options.server_count];
    const struct config_typed *value = &node->values[0];
    const char *url = url_of(build, value->text, is_secure);

    if (!url_check(build, value, url))
        return false;
    *server = (px_upstream_server){.struct_size = sizeof(*server),
                                   .url = url,
                                   .weight = number_of(node_option(node, "weight")),
                                   .requests_max = number_of(node_option(node, "max")),
                                   .backup = node_option(node, "backup") != NULL};
    upstream->options.server_count++;
    return true;
}

static bool servers_take(struct build *build, struct config_upstream *upstream,
                         const struct config_node *tls)
{
    uint32_t count = 0;
    bool is_good = true, is_any_https = false;

    for (const struct config_node *node = upstream->node->children; node; node = node->next)
        count += node_is(node, "server");
    if (count == 0 || count > 1000) {
        if (count > 0 || !(upstream->node->is_partial || build->load->is_partial))
            note(build, node_place(upstream->node), "an upstream has 1 to 1000 servers");
        return false;
    }
    upstream->servers = load_take(build->load, count * sizeof(upstream->servers[0]));
    if (!upstream->servers)
        return false;
    for (const struct config_node *node = upstream->node->children; node; node = node->next)
        if (node_is(node, "server"))
            is_good &= server_take(build, upstream, node, tls != NULL);
    CHECK(upstream->options.server_count <= count &&
          (!is_good || upstream->options.server_count == count));
    for (uint32_t i = 0; i < upstream->options.server_count; i++)
        is_any_https |= is_https(upstream->servers[i].url);
    if (!is_good || !is_any_https)
        return is_good;
    if (tls)
        return trust_make(build, tls, &upstream->trust);
    return roots_take(build, upstream);
}

/* --- What an upstream says -------------------------------------------------------------------- */

static bool statuses_read(struct build *build, const struct config_typed *value,
                          px_upstream_check *check)
{
    const char *dash = strchr(value->text.ptr, '-');
    size_t left = dash ? (size_t)(dash - value->text.ptr) : value->text.len;
    uint64_t least, most;

    if (!number_read(px_str_make(value->text.ptr, left), STATUS_MOST, &least) || least < 100)
        goto wrong;
    most = least;
    if (dash && !number_read(px_str_of(dash + 1), STATUS_MOST, &most))
        goto wrong;
    if (most < least)
        goto wrong;
    CHECK(least >= 100 && most <= STATUS_MOST && least <= most);
    check->status_min = (uint32_t)least;
    check->status_max = (uint32_t)most;
    return true;
wrong:
    report_add(&build->load->report, REPORT_MEANING, value->value->place,
               "\"%s\" is no status, like 200, and no range of them, like 200-399",
               value->text.ptr);
    return false;
}

static bool check_take(struct build *build, const struct config_node *node,
                       px_upstream_check *check)
{
    const struct config_typed *expect = node_option(node, "expect");

    check->struct_size = sizeof(*check);
    check->path = node->value_count > 0 ? node->values[0].text.ptr : NULL;
    check->host = text_of(node_option(node, "host"));
    check->every_ms = number_of(node_option(node, "every"));
    check->timeout_ms = number_of(node_option(node, "timeout"));
    check->fall = number_of(node_option(node, "fall"));
    check->rise = number_of(node_option(node, "rise"));
    return !expect || statuses_read(build, expect, check);
}

static bool balance_take(struct build *build, const struct config_node *node,
                         px_upstream_options *options)
{
    static const px_balance balances[] = {PX_BALANCE_RANDOM, PX_BALANCE_ROUND_ROBIN,
                                          PX_BALANCE_LEAST, PX_BALANCE_HASH};
    struct build_text key;

    CHECK(node->values[0].word < ARRAY_COUNT(balances)); /* the schema has these words alone */
    options->balance = balances[node->values[0].word];
    if (node->value_count == 1)
        return true;
    if (options->balance != PX_BALANCE_HASH) {
        note(build, node->values[1].value->place, "only hash has a key");
        return false;
    }
    options->hash_key = node->values[1].text.ptr;
    return build_text_read(build, &node->values[1], &key); /* a placeholder that is not known */
}

static bool setting_take(struct build *build, const struct config_node *node,
                         struct config_upstream *upstream)
{
    px_upstream_options *options = &upstream->options;
    const struct config_typed *value = node->value_count > 0 ? &node->values[0] : NULL;

    if (node_is(node, "check"))
        return check_take(build, node, &upstream->check);
    if (node_is(node, "balance"))
        return balance_take(build, node, options);
    if (node_is(node, "sticky")) {
        options->sticky_cookie = node->values[1].text.ptr;
    } else if (node_is(node, "fails")) {
        options->fails_max = number_of(value);
        options->fails_ms = number_of(node_option(node, "within"));
        options->backoff_ms = number_of(node_option(node, "backoff"));
    } else if (node_is(node, "slow_start")) {
        options->slow_start_ms = number_of(value);
    } else if (node_is(node, "keepalive")) {
        options->keep_max = number_of(value);
        options->keep_timeout_ms = number_of(node_option(node, "idle"));
    } else if (node_is(node, "queue")) {
        options->queue_max = number_of(value);
        options->queue_timeout_ms = node->value_count > 1 ? number_of(&node->values[1]) : 0;
    } else if (node_is(node, "proxy_protocol")) {
        options->proxy_protocol = value ? value->word + 1 : 2;
    }
    return true;
}

static struct config_upstream *upstream_add(struct build *build, const struct config_node *node)
{
    struct config_upstream *upstream = load_take(build->load, sizeof(*upstream));

    if (!upstream)
        return NULL;
    *upstream = (struct config_upstream){.next = build->config->upstreams, .node = node};
    upstream->options = PX_UPSTREAM_OPTIONS_DEFAULT;
    build->config->upstreams = upstream;
    return upstream;
}

static const char *name_of(const struct config_upstream *upstream)
{
    return upstream->node->values[0].text.ptr;
}

/* By what they are called, and of one name in the order of the file. */
static int compare_unnamed(const void *left, const void *right)
{
    struct config_upstream *const *one = left, *const *other = right;
    int order = strcmp((*one)->options.name, (*other)->options.name);

    if (order != 0)
        return order;
    return (*one)->index < (*other)->index ? -1 : 1;
}

/* By name, and of one name in the order of the file. */
static int compare_upstreams(const void *left, const void *right)
{
    struct config_upstream *const *one = left, *const *other = right;
    int order = strcmp(name_of(*one), name_of(*other));

    if (order != 0)
        return order;
    return (*one)->index < (*other)->index ? -1 : 1;
}

static void note_taken(struct build *build, const struct config_upstream *first,
                       const struct config_upstream *other)
{
    struct config_place there = node_place(first->node);

    report_add(&build->load->report, REPORT_MEANING, other->node->values[0].value->place,
               "upstream \"%s\" is already at %s:%u", name_of(other), there.file->name, there.line);
}

/* Sorts them by name, so that one of ten thousand is found quickly, and says which are there
 * twice. */
static bool names_sort(struct build *build)
{
    uint32_t count = 0, index = 0;

    for (const struct config_upstream *one = build->config->upstreams; one; one = one->next)
        count++;
    build->upstreams = load_take(build->load, (count + 1) * sizeof(build->upstreams[0]));
    if (!build->upstreams)
        return false;
    for (struct config_upstream *one = build->config->upstreams; one; one = one->next) {
        one->index = count - 1 - index; /* the list is newest first */
        build->upstreams[index++] = one;
    }
    CHECK(index == count);
    build->upstream_count = count;
    qsort(build->upstreams, count, sizeof(build->upstreams[0]), compare_upstreams);
    for (uint32_t first = 0, at = 1; at < count; at++) {
        if (strcmp(name_of(build->upstreams[first]), name_of(build->upstreams[at])) == 0)
            note_taken(build, build->upstreams[first], build->upstreams[at]);
        else
            first = at;
    }
    return true;
}

void build_upstreams(struct build *build)
{
    for (const struct config_node *node = build->settings->nodes; node; node = node->next) {
        const struct config_node *tls;
        struct config_upstream *upstream;

        if (!node_is(node, "upstream"))
            continue;
        upstream = upstream_add(build, node);
        if (!upstream)
            return;
        upstream->is_named = true;
        upstream->options.name = node->values[0].text.ptr;
        tls = node_find(node->children, "tls");
        (void)servers_take(build, upstream, tls);
        for (const struct config_node *inner = node->children; inner; inner = inner->next)
            (void)setting_take(build, inner, upstream);
    }
    (void)names_sort(build);
}

/* --- For proxies and their kin ---------------------------------------------------------------- */

static struct config_upstream *upstream_named(const struct build *build, px_str name)
{
    uint32_t least = 0, most = build->upstream_count;

    while (least < most) {
        uint32_t middle = least + (most - least) / 2;
        int order = strcmp(name_of(build->upstreams[middle]), name.ptr);

        if (order == 0)
            return build->upstreams[middle];
        if (order < 0)
            least = middle + 1;
        else
            most = middle;
    }
    return NULL;
}

static void note_no_upstream(struct build *build, const struct config_typed *value)
{
    const char *names[UPSTREAM_NAMES_MAX + 1];
    uint32_t count = 0;

    if (build->load->is_partial)
        return;
    for (const struct config_upstream *one = build->config->upstreams; one; one = one->next)
        if (one->is_named && count < UPSTREAM_NAMES_MAX)
            names[count++] = one->node->values[0].text.ptr;
    names[count] = NULL;
    const char *nearest = report_nearest(value->text, names);

    if (!nearest) {
        report_add(&build->load->report, REPORT_MEANING, value->value->place,
                   "upstream \"%s\" is not defined; a server is written host:port or http://host",
                   value->text.ptr);
        return;
    }
    struct config_place there = node_place(upstream_named(build, px_str_of(nearest))->node);

    report_add(&build->load->report, REPORT_MEANING, value->value->place,
               "upstream \"%s\" is not defined; \"%s\" is, at %s:%u", value->text.ptr, nearest,
               there.file->name, there.line);
}

struct config_upstream *build_upstream_of(struct build *build, const struct config_node *node)
{
    const struct config_typed *value = &node->values[0];
    struct config_upstream *upstream;

    /* "host:port" is a server, as it is in an upstream: no name has a colon. */
    if (!has_scheme(value->text) && !strchr(value->text.ptr, ':')) {
        upstream = upstream_named(build, value->text);
        if (!upstream)
            note_no_upstream(build, value);
        return upstream;
    }
    upstream = upstream_add(build, node);
    if (!upstream)
        return NULL;
    upstream->options.name =
        value->text.ptr; /* build_upstreams_tell_apart makes it one of a kind */
    upstream->servers = load_take(build->load, sizeof(upstream->servers[0]));
    if (!upstream->servers || !server_take(build, upstream, node, false))
        return NULL;
    if (is_https(upstream->servers[0].url) && !roots_take(build, upstream))
        return NULL;
    return upstream;
}

void build_upstreams_tell_apart(struct build *build)
{
    uint32_t count = 0, index = 0;

    for (const struct config_upstream *one = build->config->upstreams; one; one = one->next)
        count += !one->is_named && one->options.name;
    struct config_upstream **unnamed = load_take(build->load, (count + 1) * sizeof(unnamed[0]));

    if (!unnamed)
        return;
    for (struct config_upstream *one = build->config->upstreams; one; one = one->next) {
        if (one->is_named || !one->options.name)
            continue;
        one->index = count - 1 - index; /* the list is newest first */
        unnamed[index++] = one;
    }
    CHECK(index == count);
    qsort(unnamed, count, sizeof(unnamed[0]), compare_unnamed);
    const char *url = NULL;

    for (uint32_t at = 0, nth = 1; at < count; at++) {
        const char *name = unnamed[at]->options.name;

        nth = url && strcmp(url, name) == 0 ? nth + 1 : 1;
        url = name;
        if (nth == 1)
            continue;
        size_t room = strlen(url) + sizeof(" (4294967295)");
        char *text = load_take(build->load, room);

        if (!text)
            return;
        snprintf(text, room, "%s (%u)", url, nth);
        unnamed[at]->options.name = text;
    }
}
