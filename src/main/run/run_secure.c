/*
 * From `tls` of hosts to the options of TLS.
 *
 * The happy path: each pair of files and each certificate that is made once, in the order of the
 * file, so that the first one also serves clients that name no host.  Names are chosen by what
 * certificates say.  How TLS is spoken (versions, client certificates, tickets) holds for all
 * hosts: two that say different things are an error.
 */
#include "main/run/run_secure.h"

#include <string.h>

#include "base/check.h"

enum { NAMES_BYTES_MAX = 4096 };

struct securing {
    struct config *config;
    struct options *options;
    const struct config_node *policy; /* the first block that says how */
    const struct config_node *first;  /* the first `tls` of all */
    bool is_good;
};

static void note(struct securing *securing, const struct config_node *node, const char *text)
{
    report_add(&securing->config->load.report, REPORT_MEANING, node_place(node), "%s", text);
    securing->is_good = false;
}

static const char *text_of(const struct config_node *node, const char *name)
{
    const struct config_node *found = node_find(node->children, name);

    return found && found->value_count > 0 ? found->values[0].text.ptr : NULL;
}

static bool is_same(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

/* A switch without a value is on. */
static bool is_on(const struct config_node *node, const char *name)
{
    const struct config_node *found = node_find(node->children, name);

    return found && (found->value_count == 0 || !found->values[0].is_off);
}

/* Whether two blocks say the same of how TLS is spoken; staples are each certificate's own. */
static bool is_same_policy(const struct config_node *one, const struct config_node *other)
{
    static const char *const names[] = {"client_ca", "client", "profile", "tickets"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (!is_same(text_of(one, names[i]), text_of(other, names[i])))
            return false;
    return is_on(one, "strict") == is_on(other, "strict");
}

static void take_policy(struct securing *securing, const struct config_node *node)
{
    struct px_tls_options *tls = &securing->options->secure.tls;
    const struct config_node *client = node_find(node->children, "client");
    const struct config_node *profile = node_find(node->children, "profile");
    static const px_tls_client rules[] = {PX_TLS_CLIENT_REQUIRED, PX_TLS_CLIENT_OPTIONAL,
                                          PX_TLS_CLIENT_OFF};

    tls->client_ca_file = text_of(node, "client_ca");
    tls->ticket_keys_file = text_of(node, "tickets");
    securing->options->secure.strict = is_on(node, "strict");
    tls->client = tls->client_ca_file ? PX_TLS_CLIENT_REQUIRED : PX_TLS_CLIENT_OFF;
    if (client && client->value_count > 0)
        tls->client = rules[client->values[0].word];
    if (profile && profile->value_count > 0)
        tls->profile = profile->values[0].word == 1 ? PX_TLS_MODERN : PX_TLS_INTERMEDIATE;
    if (tls->client != PX_TLS_CLIENT_OFF && !tls->client_ca_file)
        note(securing, client, "client needs client_ca: the authorities of client certificates");
}

/* All names of a host, with commas between; wildcards are left to certificates that are made. */
static const char *names_join(struct securing *securing, const struct config_node *host)
{
    char *text = host ? load_take(&securing->config->load, NAMES_BYTES_MAX) : NULL;
    size_t len = 0;

    for (uint32_t i = 0; text && i < host->value_count; i++) {
        px_str name = host->values[i].text;

        if (len + name.len + 2 > NAMES_BYTES_MAX || (name.len == 1 && name.ptr[0] == '*'))
            continue;
        if (len > 0)
            text[len++] = ',';
        memcpy(text + len, name.ptr, name.len);
        len += name.len;
    }
    return len > 0 ? text : NULL;
}

static const char *self_signed_names(struct securing *securing, const struct config_node *host,
                                     const struct config_node *node)
{
    return node->value_count > 1 ? node->values[1].value->text.ptr : names_join(securing, host);
}

static void take_files(struct securing *securing, const struct config_node *host,
                       const struct config_node *node)
{
    struct secure_options *secure = &securing->options->secure;
    const char *staple = text_of(node, "ocsp");

    bool is_made = node->values[0].is_word;
    const char *certificate = is_made ? NULL : node->values[0].text.ptr;
    const char *key = !is_made && node->value_count > 1 ? node->values[1].text.ptr : NULL;
    const char *names = is_made ? self_signed_names(securing, host, node) : NULL;

    for (uint32_t i = 0; i < secure->certificate_count; i++)
        if (is_same(secure->certificates[i], certificate) && is_same(secure->keys[i], key) &&
            is_same(secure->made_names[i], names))
            return;
    if (secure->certificate_count == CERTIFICATE_COUNT_MAX) {
        note(securing, node, "more than 256 certificates");
        return;
    }
    secure->certificates[secure->certificate_count] = certificate;
    secure->made_names[secure->certificate_count] = names;
    secure->keys[secure->certificate_count++] = key;
    secure->key_count = secure->certificate_count;
    secure->made_count += is_made;
    if (staple && !is_made)
        secure->staples[secure->staple_count++] = staple;
}

static void take_node(struct securing *securing, const struct config_node *host,
                      const struct config_node *node)
{
    if (!securing->first) {
        securing->first = node;
        take_policy(securing, node);
    } else if (!is_same_policy(securing->first, node)) {
        struct config_place place = node_place(securing->first);

        report_add(
            &securing->config->load.report, REPORT_MEANING, node_place(node),
            "client_ca, client, profile, strict and tickets are the same for all hosts in this "
            "version of pollux; the first tls is at %s:%u",
            place.file->name, place.line);
        securing->is_good = false;
        return;
    }
    if (node->value_count > 0)
        take_files(securing, host, node);
}

static void take_list(struct securing *securing, const struct config_node *host,
                      const struct config_node *nodes)
{
    for (const struct config_node *node = nodes; node; node = node->next)
        if (node_is(node, "tls"))
            take_node(securing, host, node);
}

static void note_file(struct securing *securing, const struct config_typed *file,
                      const px_error *error)
{
    struct config_report *report = &securing->config->load.report;

    securing->is_good = false;
    if (error->code == PX_ERR_PERMISSION)
        report_add(report, REPORT_MEANING, file->value->place,
                   "cannot read %s: permission denied (the master reads it, as root or as who "
                   "starts it)",
                   file->text.ptr);
    else
        report_add(report, REPORT_MEANING, file->value->place, "%s", error->text);
}

/* A certificate or its key, whichever the text names. */
static void note_pair(struct securing *securing, const struct config_node *node,
                      const px_error *error)
{
    bool is_key = node->value_count > 1 && !node->values[0].is_word &&
                  strstr(error->text, node->values[1].text.ptr);

    note_file(securing, &node->values[is_key ? 1 : 0], error);
}

/* Certificates that are there are tried, and what is stapled to them, so that an error is at its
 * place. */
static void try_node(struct securing *securing, const struct config_node *host,
                     const struct config_node *node)
{
    const char *key = node->value_count > 1 ? node->values[1].text.ptr : NULL;
    const char *staple = text_of(node, "ocsp");
    px_error error = {0};
    px_err err = PX_ERR_MEMORY;
    px_tls *tls = px_tls_create(NULL, &error);

    if (tls && node->values[0].is_word)
        err = px_tls_add_self_signed(tls, self_signed_names(securing, host, node), &error);
    else if (tls)
        err = px_tls_add_certificate(tls, node->values[0].text.ptr, key, &error);
    if (err != PX_OK)
        note_pair(securing, node, &error);
    else if (staple && px_tls_add_ocsp(tls, staple, &error) != PX_OK)
        note_file(securing, &node_find(node->children, "ocsp")->values[0], &error);
    px_tls_destroy(tls);
}

static void try_list(struct securing *securing, const struct config_node *host,
                     const struct config_node *nodes)
{
    for (const struct config_node *node = nodes; node; node = node->next)
        if (node_is(node, "tls") && node->value_count > 0)
            try_node(securing, host, node);
}

static void try_file(struct securing *securing, const px_tls_options *options, const char *name)
{
    const struct config_node *node = node_find(securing->first->children, name);
    px_error error = {0};
    px_tls *tls = node ? px_tls_create(options, &error) : NULL;

    /* The authorities are read for the first certificate. */
    if (node && (!tls || px_tls_add_self_signed(tls, NULL, &error) != PX_OK))
        note_file(securing, &node->values[0], &error);
    px_tls_destroy(tls);
}

/* Files of how TLS is spoken are tried once, for they are the same for all. */
static void try_policy(struct securing *securing)
{
    px_tls_options given = securing->options->secure.tls, options = given;

    if (!securing->first || !securing->is_good)
        return;
    options.ticket_keys_file = NULL;
    try_file(securing, &options, "client_ca");
    options = given;
    options.client = PX_TLS_CLIENT_OFF;
    options.client_ca_file = NULL;
    try_file(securing, &options, "tickets");
}

bool run_secure_fill(struct config *config, struct options *options)
{
    struct securing securing = {.config = config, .options = options, .is_good = true};

    take_list(&securing, NULL, config->settings->nodes);
    for (const struct config_host *host = config->settings->hosts; host; host = host->next)
        if (host->node)
            take_list(&securing, host->node, host->node->children);
    try_policy(&securing);
    try_list(&securing, NULL, config->settings->nodes);
    for (const struct config_host *host = config->settings->hosts; host; host = host->next)
        if (host->node)
            try_list(&securing, host->node, host->node->children);
    return securing.is_good;
}
