/*
 * The paths that follow from a configuration.
 *
 * The happy path: each folder that an answer serves from, for reading, and each port of a server.
 * Where links may lead out of one they may lead anywhere.
 */
#include "main/run/run_confine.h"

#include <string.h>

#include "config/serving.h"
#include "main/answers/place.h"
#include "main/log/log_sink.h"

static bool is_on(const struct config_node *node)
{
    return node && (node->value_count == 0 || !node->values[0].is_off);
}

/* Hosts in a row often serve one folder. */
static px_err folder_allow(struct sandbox *sandbox, const char *path, px_error *out_error)
{
    const struct landlock_path *last =
        sandbox->path_count > 0 ? &sandbox->paths[sandbox->path_count - 1] : NULL;

    if (last && last->path && strcmp(last->path, path) == 0)
        return PX_OK;
    return sandbox_allow(sandbox, path, LANDLOCK_READ, out_error);
}

static px_err route_allow(struct sandbox *sandbox, const struct config_route *route,
                          px_error *out_error)
{
    bool is_anywhere = is_on(route_setting(route, "symlinks"));
    px_err err = PX_OK;

    for (uint32_t i = 0; i < route->step_count && err == PX_OK; i++) {
        const struct config_node *node = route->steps[i].node;

        if (node_is(node, "files"))
            err = folder_allow(sandbox, is_anywhere ? "/" : node->values[0].text.ptr, out_error);
    }
    return err;
}

/* Ports of servers, and what their names are looked up with. */
static px_err servers_allow(struct sandbox *sandbox, const struct config *config,
                            px_error *out_error)
{
    px_err err = PX_OK;
    bool has_name = false;
    struct config_place place;
    const char *url;

    for (uint32_t i = 0; err == PX_OK && (url = config_server_at(config, i, &place)) != NULL; i++)
        err = place_allow(sandbox, url, &has_name, out_error);
    return err == PX_OK && has_name ? place_allow_names(sandbox, out_error) : err;
}

px_err run_confine(struct sandbox *sandbox, const struct config *config, bool is_alone,
                   px_error *out_error)
{
    px_err err = servers_allow(sandbox, config, out_error);

    for (const struct config_host *host = config->settings->hosts; host; host = host->next)
        for (const struct config_route *route = host->routes; route && err == PX_OK;
             route = route->next)
            err = route_allow(sandbox, route, out_error);
    for (const struct config_log *log = config->logs; log && is_alone && err == PX_OK;
         log = log->next) {
        if (log->path && !log_sink_is(log->path))
            err = sandbox_allow_folder_of(sandbox, log->path, LANDLOCK_WRITE, out_error);
    }
    for (const struct config_file *file = config->load.files; file && is_alone && err == PX_OK;
         file = file->next)
        err = sandbox_allow_folder_of(sandbox, file->name, LANDLOCK_READ, out_error);
    return err;
}

bool run_confine_fits(struct config *config)
{
    uint8_t seen[(UINT16_MAX + 1) / 8] = {0};
    struct config_place at;
    struct place place;
    uint32_t count = 0;
    const char *url;

    for (uint32_t i = 0; (url = config_server_at(config, i, &at)) != NULL; i++) {
        if (!place_read(url, &place) || place.is_unix)
            continue;
        count += !(seen[place.port / 8] & 1U << place.port % 8);
        seen[place.port / 8] |= (uint8_t)(1U << place.port % 8);
        if (count <= SANDBOX_PORTS_MAX)
            continue;
        report_add(&config->load.report, REPORT_MEANING, at,
                   "more than %d ports of servers: the sandbox names each of them",
                   SANDBOX_PORTS_MAX);
        return false;
    }
    return true;
}
