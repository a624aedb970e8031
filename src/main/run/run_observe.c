/*
 * From `trace` and `resolver` to the options.
 */
#include "main/run/run_observe.h"

#include <string.h>

#include "main/answers/place.h"
#include "main/diagnostics.h"
#include "main/flags/values.h"

enum { TRACE_OFF }; /* words of `trace` */

/* "Authorization: Bearer ...": what is wrong with it is said without it. */
static bool take_header(struct config *config, const struct config_node *node, px_field *out_field)
{
    const struct config_typed *header = node_option(node, "header");

    if (!header)
        return true;
    bool is_good = value_field(header->text.ptr, &out_field->name, &out_field->value) &&
                   !value_is_framing(out_field->name) &&
                   !value_is_name(out_field->name, "Content-Type") &&
                   !value_is_name(out_field->name, "Host");

    if (!is_good)
        report_add(&config->load.report, REPORT_MEANING, header->value->place,
                   "header is no field that may be added: write \"header=Authorization: ...\"");
    return is_good;
}

static bool take_trace(struct config *config, struct options *options)
{
    const struct config_node *node = node_find(config->settings->nodes, "trace");
    struct config_report *report = &config->load.report;
    struct place place;

    if (!node || node->value_count == 0 || node->values[0].word == TRACE_OFF)
        return true;
    const struct config_typed *sample = node_option(node, "sample");
    const struct config_typed *untrusted = node_option(node, "untrusted");

    if (node->value_count < 2) {
        report_add(report, REPORT_MEANING, node_place(node),
                   "trace otlp needs the URL of a collector, like http://127.0.0.1:4318");
        return false;
    }
    const struct config_typed *url = &node->values[1];

    if (!place_read(url->text.ptr, &place) || strncmp(url->text.ptr, "h2c:", 4) == 0) {
        report_add(report, REPORT_MEANING, url->value->place,
                   "\"%s\" is no collector: http://host[:port], https://host[:port] or unix:/path",
                   url->text.ptr);
        return false;
    }
    options->trace.url = url->text.ptr;
    options->trace.sample = sample ? (sample->is_word ? 0 : (uint32_t)sample->number) : 1;
    if (!take_header(config, node, &options->trace.header))
        return false;
    options->trace.restart = untrusted && untrusted->word == 1;
    return true;
}

static bool take_resolver(struct config *config, struct options *options)
{
    const struct config_node *node = node_find(config->settings->nodes, "resolver");
    struct resolver_options *resolver = &options->resolver;
    px_error error;

    for (uint32_t i = 0; node && i < node->value_count && i < NAME_SERVER_COUNT_MAX; i++) {
        const struct config_typed *value = &node->values[i];

        resolver->servers[resolver->count++] = value->text.ptr;
        if (px_name_server_check(value->text.ptr, &error) == PX_OK)
            continue;
        report_add(&config->load.report, REPORT_MEANING, value->value->place, "%s", error.text);
        return false;
    }
    return true;
}

static void take_error_log(const struct config *config, struct options *options)
{
    const struct config_node *node = node_find(config->settings->nodes, "error_log");

    if (!node || node->value_count == 0)
        return;
    options->error_log.level = LEVEL_CRITICAL + node->values[0].word;
    if (node->value_count > 1)
        options->error_log.path = node->values[1].text.ptr;
}

bool run_observe_fill(struct config *config, struct options *options)
{
    bool is_good = take_trace(config, options);

    take_error_log(config, options);

    return take_resolver(config, options) && is_good;
}
