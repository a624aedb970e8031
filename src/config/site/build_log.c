/*
 * Logs of hosts and routes: `access_log`.
 *
 * The happy path: what it says of lines is read as `log` says it, and where they go is one of the
 * configuration's logs, which the process that serves opens by its path.  What can go wrong is what
 * can with `log`, and that nothing is logged at all.
 */
#include <string.h>

#include "base/check.h"
#include "config/site/build.h"

enum access_log_word { ACCESS_OFF, ACCESS_ON, ACCESS_COMBINED, ACCESS_JSON, ACCESS_TEMPLATE };

/* Hands lines to whatever the process has opened. */
static void on_log(px_str lines, void *context)
{
    const struct config_log *log = context;

    if (log->write)
        log->write(lines, log->sink);
}

/* One for each path; that of the process for none. */
static struct config_log *log_of(struct build *build, const struct config_typed *path)
{
    const char *text = path ? path->text.ptr : NULL;
    struct config_log *log = build->config->logs;

    while (log && (!log->path != !text || (text && strcmp(log->path, text) != 0)))
        log = log->next;
    if (log)
        return log;
    log = load_take(build->load, sizeof(*log));
    if (!log)
        return NULL;
    *log = (struct config_log){.next = build->config->logs, .path = text};
    if (path)
        log->place = path->value->place;
    build->config->logs = log;
    return log;
}

static bool slip(struct build *build, const struct config_node *node, const char *text)
{
    report_add(&build->load->report, REPORT_MEANING, node_place(node), "%s", text);
    return false;
}

/* The format that is named, and its options; false: noted. */
static bool lines_read(struct build *build, const struct config_node *node, px_log_options *options)
{
    static const uint32_t formats[] = {0, 0, PX_LOG_COMBINED, PX_LOG_JSON, PX_LOG_TEMPLATE};
    const struct config_typed *sample = node_option(node, "sample");
    const struct config_typed *errors = node_option(node, "errors");
    uint32_t format = node->values[0].is_word ? formats[node->values[0].word] : 0;

    if (format == 0) {
        if (sample || errors || node_option(node, "ecs"))
            return slip(build, node, "options of lines need their format: access_log json ...");
        *options = build->log;
        return true;
    }
    options->format = format;
    if (node_option(node, "ecs") && format != PX_LOG_JSON)
        return slip(build, node, "ecs is a spelling of json");
    if (node_option(node, "ecs"))
        options->format = PX_LOG_ECS;
    if (errors && !sample)
        return slip(build, node, "errors says what a sample leaves out: give sample too");
    options->sample = sample ? (uint32_t)sample->number : 0;
    options->errors = errors && errors->word == 1 ? 1 : 0;
    if (format == PX_LOG_TEMPLATE)
        options->line = build_log_template(build, node);
    return format != PX_LOG_TEMPLATE || options->line;
}

/* Where the lines go: the value behind the format, or the one in its place. */
static const struct config_typed *path_of(const struct config_node *node)
{
    uint32_t at = 1;

    if (!node->values[0].is_word)
        at = 0;
    else if (node->values[0].word == ACCESS_TEMPLATE)
        at = 2;
    return node->value_count > at ? &node->values[at] : NULL;
}

static bool log_read(struct build *build, const struct config_node *node, px_log_options *options)
{
    bool is_word = node->value_count > 0 && node->values[0].is_word;
    uint32_t word = is_word ? node->values[0].word : ACCESS_ON;
    const struct config_typed *path = node->value_count > 0 ? path_of(node) : NULL;
    uint32_t count = node->value_count;

    if (is_word && word == ACCESS_OFF) {
        options->format = PX_OFF;
        return count == 1 || slip(build, node, "access_log off goes nowhere");
    }
    if (count > (word == ACCESS_TEMPLATE ? 3U
                 : is_word               ? 2U
                                         : 1U) ||
        (is_word && word == ACCESS_ON && path))
        return slip(build, node, "write access_log FORMAT PATH, or a PATH alone");
    if (count > 0 && !lines_read(build, node, options))
        return false;
    if (count == 0)
        *options = build->log;
    if (build->log.format == PX_LOG_OFF || build->log.format == PX_LOG_REQUEST)
        return (!path && word == ACCESS_ON) ||
               slip(build, node,
                    build->log.format == PX_LOG_OFF
                        ? "nothing is logged where log is off; access_log off is about one host"
                        : "log request is of all hosts: none has a log of its own");
    struct config_log *log = log_of(build, path);

    options->on_log = on_log;
    options->context = log;
    return log != NULL;
}

const px_log_options *build_log(struct build *build, const struct config_node *node)
{
    px_log_options *options = build_made_find(build->config, node, NULL);

    if (options)
        return options;
    ASSERT(node_is(node, "access_log"));
    options = load_take(build->load, sizeof(*options));
    if (!options)
        return NULL;
    *options = PX_LOG_OPTIONS_DEFAULT;
    (void)log_read(build, node, options); /* what is noted keeps it from being served */
    return build_made_keep(build, node, NULL, options, build_log_release) ? options : NULL;
}

void build_log_release(void *options)
{
    (void)options; /* the arena's */
}
