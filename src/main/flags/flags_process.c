/*
 * Flags of the processes: how many, as which user, how they end.
 */
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"
#include "main/health/health_path.h"

enum { WORKER_COUNT_MOST = 1024 };

static px_err set_workers(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    uint64_t workers;

    (void)flag;
    if (!value_count(value, 0, WORKER_COUNT_MOST, &workers))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--workers %s: it is a number from 0 to 1024", value);
    options->process.workers = (uint32_t)workers;
    options->process.workers_given = true;
    return PX_OK;
}

static px_err set_max_workers(struct options *options, const struct flag *flag, const char *value,
                              px_error *out_error)
{
    uint64_t workers;

    (void)flag;
    if (!value_count(value, 1, WORKER_COUNT_MOST, &workers))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--max-workers %s: it is a number from 1 to 1024", value);
    options->process.max_workers = (uint32_t)workers;
    return PX_OK;
}

static px_err set_accept(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    (void)flag;
    options->process.accept_shared = strcmp(value, "shared") == 0;
    if (options->process.accept_shared || strcmp(value, "own") == 0)
        return PX_OK;
    return error_set(out_error, PX_ERR_INVALID, 0, "--accept %s: it is own or shared", value);
}

/* The user is looked up when the program starts. */
static px_err set_user(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error)
{
    if (*value == '\0')
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s: name a user, or give a number, as www-data or 1000:1000",
                         flag->name);
    options->process.user = value;
    return PX_OK;
}

static px_err set_sandbox(struct options *options, const struct flag *flag, const char *value,
                          px_error *out_error)
{
    static const char *const modes[] = {
        [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off", [SANDBOX_REQUIRE] = "require"};

    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        if (strcmp(value, modes[i]) == 0) {
            options->process.sandbox = (enum sandbox_mode)i;
            return PX_OK;
        }
    }
    return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is one of on, off, require",
                     flag->name, value);
}

/* Segments that stand for themselves, as they come. */
static bool is_plain_path(const char *path)
{
    return path[0] == '/' && strlen(path) <= HEALTH_PATH_BYTES_MAX && !strpbrk(path, "{}?#% ") &&
           !strstr(path, "//") && !strstr(path, "/.");
}

static px_err set_health(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    if (!is_plain_path(value))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s %s: it is a path that begins with a slash, as /health", flag->name,
                         value);
    options->health = value;
    return PX_OK;
}

const struct flag flags_process[] = {
    {"workers", 'w', "N", FOR_SERVING, set_workers, 0, "processes (default: the CPUs allowed)"},
    {"max-workers", 0, "N", FOR_SERVING, set_max_workers, 0,
     "sockets to make for them, so that a reload can have more"},
    {"accept", 0, "HOW", FOR_SERVING, set_accept, 0,
     "own: a socket for each worker (default), or shared: one for all"},
    {"pid-file", 0, "PATH", FOR_SERVING, flag_set_path, FLAG_AT(process.pid_file),
     "written when it listens, removed at the end"},
    {"timeout-drain", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(process.drain_timeout_ms),
     "for answers in flight at the end (default 30s), or off"},
    {"drain-delay", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(process.drain_delay_ms),
     "accept that long after TERM, for load balancers to notice"},
    {"drain-spread", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(process.drain_spread_ms),
     "in which what lasts is told to end, bit by bit; off: at once"},
    {"health", 0, "PATH", FOR_SERVING, set_health, 0,
     "answers there 200, and 503 once it was told to end"},
    {"metrics", 0, "ADDR", FOR_SERVING, flag_set_path, FLAG_AT(metrics),
     "another address, for /metrics, /status, /health and /ready"},
    {"timeout-start", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(process.start_timeout_ms),
     "for a new worker to be ready (default 60s)"},
    {"timeout-hung", 0, "TIME", FOR_SERVING, flag_set_duration, FLAG_AT(process.hung_timeout_ms),
     "a worker that does not move that long is killed (default 10s)"},
    {"user", 0, "NAME", FOR_SERVING, set_user, 0,
     "or uid, with :group or without: the user of workers (root: nobody)"},
    {"sandbox", 0, "MODE", FOR_SERVING, set_sandbox, 0,
     "on (default), off, or require: end where the kernel lacks a part"},
    {0},
};
