/*
 * What a configuration says that can be meant, and most often is not: a password in the clear, a
 * server that asks itself, addresses that are let in where nothing is kept out.
 *
 * Nothing fails here.
 */
#include <stdio.h>
#include <string.h>

#include "config/site/build.h"
#include "main/run/run_judge.h"
#include "pollux/text.h"

/* --- Passwords -------------------------------------------------------------------------------- */

static bool is_here_alone(px_str address)
{
    static const char *const begins[] = {"127.", "[::1]", "localhost:", "unix:", "fd:"};

    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (strncmp(address.ptr, begins[i], strlen(begins[i])) == 0)
            return true;
    return false;
}

/* Where others can read along: plain, not of this machine alone, and without a proxy in front. */
static const struct config_listen *plain_listen(const struct config *config,
                                                const struct config_host *host)
{
    if (node_find(config->settings->nodes, "trusted_proxies"))
        return NULL;
    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        if (!listen->is_tls && listen->node && (!host || run_is_served_at(host, listen)) &&
            !node_option(listen->node, "proxy") && !is_here_alone(listen->address))
            return listen;
    return NULL;
}

/* Whether clients are sent to https before they are asked. */
static bool is_https_alone(const struct config_node *nodes)
{
    for (; nodes; nodes = nodes->next)
        if (build_is_https(nodes))
            return true;
    return false;
}

static void judge_passwords(struct config *config, const struct config_host *host,
                            const struct config_node *nodes, bool is_https)
{
    const struct config_listen *listen = plain_listen(config, host);

    is_https = is_https || is_https_alone(nodes);
    for (const struct config_node *node = nodes; node && listen && !is_https; node = node->next) {
        if (node_is(node, "basic_auth") && !node->values[0].is_off)
            report_add(&config->load.report, REPORT_WARNING, node_place(node),
                       "passwords come in the clear at %s; listen with tls, or write \"redirect "
                       "https\"",
                       listen->address.ptr);
        else if (node_is(node, "route") || node_is(node, "when"))
            judge_passwords(config, host, node->children, is_https);
    }
}

/* --- Servers that are this one ---------------------------------------------------------------- */

/* The port of an address, "" without one. */
static const char *port_of(const char *address)
{
    const char *colon = strrchr(address, ':');

    return colon && !strchr(colon, ']') ? colon + 1 : "";
}

/* Whether what listens at `own` is asked where `server` is ("host:port", without a scheme). */
static bool is_same(const char *own, const char *server)
{
    static const char *const any[] = {"", "*", "0.0.0.0", "[::]", "localhost"};
    size_t own_len = (size_t)(port_of(own) - own), len = (size_t)(port_of(server) - server);

    if (strcmp(own, server) == 0)
        return true;
    if (strncmp(own, "unix:", 5) == 0 || strcmp(port_of(own), port_of(server)) != 0 ||
        own_len < 1 || len < 1 || port_of(own)[0] == '\0' || !is_here_alone(px_str_of(server)))
        return false;
    for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
        if (strlen(any[i]) == own_len - 1 && strncmp(own, any[i], own_len - 1) == 0)
            return true;
    return false;
}

static void judge_server(struct config *config, const struct config_node *node)
{
    static const char *const schemes[] = {"http://", "https://", "h2c://"};
    char text[300];

    if (node->value_count == 0)
        return;
    const char *server = node->values[0].text.ptr;

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (strncmp(server, schemes[i], strlen(schemes[i])) == 0)
            server += strlen(schemes[i]);
    snprintf(text, sizeof(text), "%.*s%s", (int)strcspn(server, "/"), server,
             *port_of(server) ? "" : ":80");
    if (strncmp(server, "unix:", 5) == 0)
        snprintf(text, sizeof(text), "%s", server);
    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        if (is_same(listen->address.ptr, text)) {
            report_add(&config->load.report, REPORT_WARNING, node->values[0].value->place,
                       "%s is an address of this program itself (listen %s), so requests go round",
                       text, listen->address.ptr);
            return;
        }
}

static void judge_servers(struct config *config, const struct config_node *nodes)
{
    for (const struct config_node *node = nodes; node; node = node->next) {
        if (node_is(node, "proxy") || node_is(node, "server"))
            judge_server(config, node);
        judge_servers(config, node->children);
    }
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* So many are compared with each other. */
enum { BLOCKS_MAX = 256 };

static unsigned bits_of(px_str block)
{
    const char *slash = memchr(block.ptr, '/', block.len);
    unsigned bits = 0;

    for (const char *at = slash ? slash + 1 : ""; *at >= '0' && *at <= '9' && bits < 200; at++)
        bits = bits * 10 + (unsigned)(*at - '0');
    return slash ? bits : memchr(block.ptr, ':', block.len) ? 128 : 32;
}

/* Whether all of `block` is in `outer`. */
static bool has_all(px_str outer, px_str block)
{
    const char *slash = memchr(block.ptr, '/', block.len);
    px_str first = {block.ptr, slash ? (size_t)(slash - block.ptr) : block.len};
    bool is_6 = memchr(block.ptr, ':', block.len) != NULL;

    return is_6 == (memchr(outer.ptr, ':', outer.len) != NULL) &&
           bits_of(outer) <= bits_of(block) && px_address_block_has(outer.ptr, first) == 1;
}

struct named {
    const struct config_node *node;
    px_str block;
};

/* The first that names a client decides, so one of the other kind that is within it does not. */
static const struct named *decides(const struct named *named, uint32_t count,
                                   const struct config_node *node, px_str block)
{
    for (uint32_t i = 0; i < count; i++)
        if (named[i].node->row != node->row && has_all(named[i].block, block))
            return &named[i];
    return NULL;
}

static void judge_blocks(struct config *config, const struct config_route *route,
                         const struct config_node **said)
{
    const struct config_node *allow = NULL;
    struct named named[BLOCKS_MAX];
    uint32_t count = 0;
    bool has_deny = false;

    for (uint32_t i = 0; i < route->step_count; i++) {
        const struct config_node *node = route->steps[i].node;

        if (node->row->phase != PHASE_ACCESS)
            continue;
        has_deny |= node_is(node, "deny");
        allow = allow || node_is(node, "deny") ? allow : node;
        for (uint32_t value = 0; value < node->value_count && !route->steps[i].match; value++) {
            px_str block = node->values[value].text;
            bool is_all = px_str_equal(block, px_str_of("all")) || node->values[value].is_word;
            const struct named *by = is_all ? NULL : decides(named, count, node, block);
            struct config_place there;

            if (by && *said != node) {
                *said = node;
                there = node_place(by->node);
                report_add(&config->load.report, REPORT_WARNING, node->values[value].value->place,
                           "\"%s %s\" at %s:%u comes before it and decides", by->node->row->name,
                           by->block.ptr, there.file->name, there.line);
            }
            if (!is_all && count < BLOCKS_MAX)
                named[count++] = (struct named){node, block};
        }
    }
    if (allow && !has_deny && *said != allow) {
        *said = allow;
        report_add(&config->load.report, REPORT_WARNING, node_place(allow),
                   "nothing is denied here, so \"allow\" keeps no client out; write \"deny all\" "
                   "behind it");
    }
}

/* --- The file --------------------------------------------------------------------------------- */

void run_doubts(struct config *config)
{
    const struct config_node *said = NULL;

    judge_servers(config, config->settings->nodes);
    for (const struct config_host *host = config->settings->hosts; host; host = host->next) {
        bool is_https = is_https_alone(config->settings->nodes);

        if (host == config->settings->hosts)
            judge_passwords(config, NULL, config->settings->nodes, false);
        if (host->node)
            judge_passwords(config, host, host->node->children, is_https);
        for (const struct config_route *route = host->routes; route; route = route->next)
            judge_blocks(config, route, &said);
    }
}
