/*
 * The set of logs.
 *
 * The happy path: added when a configuration is tried, kept when it is served.  It can fail by a
 * folder that is not there, and by memory.
 */
#include "main/log/log_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "main/diagnostics.h"
#include "main/log/log_file.h"

/* Numbers rise, and no two logs of the program ever have the same. */
static void log_set_check(const struct log_set *set)
{
    CHECK(set->count <= LOG_SET_MAX && set->last_id >= set->count);
    CHECK(set->count == 0 || set->entries);
    for (uint32_t i = 0; i < set->count; i++) {
        CHECK(set->entries[i].path && set->entries[i].id <= set->last_id);
        CHECK(set->entries[i].id > (i > 0 ? set->entries[i - 1].id : 0));
    }
}

static struct log_entry *entry_find(const struct log_set *set, const char *path)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (strcmp(set->entries[i].path, path) == 0)
            return &set->entries[i];
    return NULL;
}

static void entry_end(struct log_entry *entry)
{
    if (entry->fd >= 0)
        close(entry->fd);
    log_close(entry->log);
    free(entry->path);
}

/* Ends what is behind the first so many. */
static void cut(struct log_set *set, uint32_t count)
{
    CHECK(count <= set->count);
    while (set->count > count)
        entry_end(&set->entries[--set->count]);
}

static uint32_t next_id(const struct log_set *set)
{
    return set->last_id == 0 ? LOG_NUMBER_ERRORS + 1 : set->last_id + 1;
}

/* NULL, or why it could not be added. */
static const char *entry_add(struct log_set *set, const char *path)
{
    if (set->count == LOG_SET_MAX)
        return "there are 1024 logs already";
    struct log_entry *entries = realloc(set->entries, (set->count + 1) * sizeof(*entries));

    if (!entries)
        return "out of memory";
    set->entries = entries;
    struct log_entry entry = {.path = strdup(path), .id = next_id(set), .fd = -1};

    if (!entry.path)
        return "out of memory";
    if (!set->is_alone) {
        entry.fd = log_descriptor_open(path);
        if (entry.fd < 0) {
            int failure = errno;

            free(entry.path);
            return strerror(failure);
        }
    }
    set->last_id = entry.id;
    set->entries[set->count++] = entry;
    return NULL;
}

bool log_set_add(struct log_set *set, struct config *config)
{
    uint32_t before = set->count;

    log_set_check(set);
    for (const struct config_log *log = config->logs; log; log = log->next) {
        if (!log->path || entry_find(set, log->path))
            continue;
        const char *why = entry_add(set, log->path);

        if (!why)
            continue;
        report_add(&config->load.report, REPORT_MEANING, log->place,
                   "cannot open the log file %s: %s", log->path, why);
        cut(set, before);
        return false;
    }
    return true;
}

static bool is_named(const struct config *config, const char *path)
{
    for (const struct config_log *log = config->logs; log; log = log->next)
        if (log->path && strcmp(log->path, path) == 0)
            return true;
    return false;
}

void log_set_keep(struct log_set *set, const struct config *config)
{
    uint32_t kept = 0;

    log_set_check(set);
    for (uint32_t i = 0; i < set->count; i++) {
        if (is_named(config, set->entries[i].path))
            set->entries[kept++] = set->entries[i];
        else
            entry_end(&set->entries[i]);
    }
    set->count = kept;
}

/* They are in the order of their numbers: logs_give (process/master_act.c) asks for each in turn.
 */
const struct log_entry *log_set_behind(const struct log_set *set, uint32_t after)
{
    uint32_t low = 0, high = set->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (set->entries[middle].id > after)
            high = middle;
        else
            low = middle + 1;
    }
    CHECK(low == set->count || set->entries[low].id > after);
    return low < set->count ? &set->entries[low] : NULL;
}

void log_set_renew(struct log_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct log_entry *entry = &set->entries[i];
        ASSERT(entry->fd >= 0 && !entry->log);
        int fd = log_descriptor_open(entry->path);

        if (fd < 0) {
            diagnostics_say("cannot reopen the log file %s: %s (the old one goes on)", entry->path,
                            strerror(errno));
            continue;
        }
        close(entry->fd);
        entry->fd = fd;
    }
}

void log_set_join(struct log_set *set, struct log_join *join)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct log_entry *entry = &set->entries[i];

        if (entry->log)
            log_join(entry->log, join, &entry->is_gone);
        else
            log_join_look(join, entry->path, entry->fd, &entry->is_gone);
    }
}

px_err log_set_start(struct log_set *set, px_loop *loop, int lock_fd, px_metrics *metrics,
                     px_metric dropped, px_error *out_error)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct log_entry *entry = &set->entries[i];

        CHECK(!entry->log && (entry->fd >= 0) != set->is_alone);
        px_err err =
            log_open_at(entry->path, entry->fd, lock_fd, entry->id, &entry->log, out_error);

        if (err != PX_OK)
            return err;
        entry->fd = -1; /* the log has it */
        err = log_start(entry->log, loop, out_error);
        if (err != PX_OK)
            return err;
        log_count_in(entry->log, metrics, dropped);
    }
    return PX_OK;
}

void *log_set_of(const char *path, void *context)
{
    const struct log_set *set = context;

    CHECK(set);
    const struct log_entry *entry = path ? entry_find(set, path) : NULL;

    if (!path)
        return set->own;
    return entry ? entry->log : NULL;
}

void log_set_reopen(struct log_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        log_reopen(set->entries[i].log);
}

void log_set_take(struct log_set *set, uint32_t id, int fd)
{
    CHECK(fd >= 0 && id != 0);
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->entries[i].id == id) {
            log_take(set->entries[i].log, fd);
            return;
        }
    }
    close(fd);
}

void log_set_finish(struct log_set *set, struct log *own, const struct patience *patience)
{
    log_hasten(own, patience);
    for (uint32_t i = 0; i < set->count; i++)
        log_hasten(set->entries[i].log, patience);
    log_finish(own, patience);
    for (uint32_t i = 0; i < set->count; i++)
        log_finish(set->entries[i].log, patience);
}

void log_set_close(struct log_set *set)
{
    cut(set, 0);
    free(set->entries);
    *set = (struct log_set){0};
}
