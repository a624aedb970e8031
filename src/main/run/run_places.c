/*
 * Looking up what a start needs and a file does not have: folders of sockets, receivers of logs,
 * the right to become another user.
 */
#include "main/run/run_places.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/site/build.h"
#include "main/log/log_sink.h"
#include "process/privileges.h"

/* --- Sockets ---------------------------------------------------------------------------------- */

static void check_socket(struct config *config, const struct config_typed *value)
{
    static const char prefix[] = "unix:";
    char folder[PATH_MAX];
    struct stat found;

    if (strncmp(value->text.ptr, prefix, sizeof(prefix) - 1) != 0)
        return;
    const char *path = value->text.ptr + sizeof(prefix) - 1, *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) + 1 : 0;

    if (*path == '@' || len == 0 || len >= sizeof(folder)) /* no file, or in our own folder */
        return;
    memcpy(folder, path, len);
    folder[len] = '\0';
    errno = ENOTDIR;
    if (stat(folder, &found) == 0 && S_ISDIR(found.st_mode))
        return;
    report_add(&config->load.report, REPORT_MEANING, value->value->place,
               "cannot listen on %s: %s: %s", value->text.ptr, folder, strerror(errno));
}

static void check_sockets(struct config *config)
{
    const struct config_node *metrics = node_find(config->settings->nodes, "metrics");

    for (const struct config_listen *listen = config->settings->listens; listen;
         listen = listen->next)
        if (listen->node)
            check_socket(config, &listen->node->values[0]);
    if (metrics && metrics->value_count > 0)
        check_socket(config, &metrics->values[0]);
}

/* --- Logs ------------------------------------------------------------------------------------- */

static void check_sink(struct config *config, const char *path, struct config_place place)
{
    struct log_sink sink;
    px_error error;

    /* By UDP nothing says whether there is a receiver. */
    if (!path || !log_sink_is(path) || log_sink_read(path, &sink, &error) != PX_OK || !sink.is_unix)
        return;
    int fd = log_sink_open(&sink);

    int failure = fd >= 0 ? log_sink_join(&sink, fd) : errno;

    if (fd >= 0)
        close(fd);
    if (failure != 0)
        report_add(&config->load.report, REPORT_WARNING, place,
                   "there is no receiver at %s (%s): lines are dropped until there is one",
                   sink.place, strerror(failure));
}

static void check_sinks(struct config *config)
{
    const struct config_node *node = node_find(config->settings->nodes, "log");
    const struct config_typed *path = config_log_path(node);

    if (path)
        check_sink(config, path->text.ptr, path->value->place);
    for (const struct config_log *log = config->logs; log; log = log->next)
        check_sink(config, log->path, log->place);
}

/* --- The user --------------------------------------------------------------------------------- */

static void check_user(struct config *config)
{
    const struct config_node *user = node_find(config->settings->nodes, "user");
    struct privileges privileges;
    px_error error;

    if (user && user->value_count > 0 &&
        privileges_find(user->values[0].text.ptr, &privileges, &error) == PX_ERR_PERMISSION)
        report_add(&config->load.report, REPORT_WARNING, user->values[0].value->place,
                   "only root can become another user, and this is not root: so started, pollux "
                   "ends");
}

void run_places_check(struct config *config)
{
    check_sockets(config);
    check_sinks(config);
    check_user(config);
}
