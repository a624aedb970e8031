/*
 * Trying a configuration.
 *
 * The happy path: read it, see that nothing changed that a reload cannot change, open its log, make
 * its TLS, open its addresses, allow its folders.  Each step can fail, and what was done before it
 * is taken back; errors are said at their places and written where `pollux reload` waits for them.
 */
#include "main/run/run_swap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "config/config.h"
#include "main/diagnostics.h"
#include "main/log/log_file.h"
#include "main/log/log_set.h"
#include "main/run/run_attach.h"
#include "main/run/run_change.h"
#include "main/run/run_roots.h"
#include "main/run/run_text.h"
#include "main/worker/confinement.h"

enum { SENTENCE_BYTES = 128 };

void run_swap_init(struct run_swap *swap, struct run_file *file)
{
    *swap = (struct run_swap){.file = file, .old_log_fd = -1, .outcome = {.fd = -1}};
}

/* What holds between two steps: what was replaced is kept while something is tried, and no longer.
 */
static void run_swap_check(const struct run_swap *swap)
{
    CHECK(swap->file || !swap->next);
    CHECK(swap->next || !swap->old_tls);
    CHECK(swap->next || swap->old_log_fd < 0);
}

void run_swap_leave(struct run_swap *swap)
{
    if (swap->old_log_fd >= 0)
        close(swap->old_log_fd);
    swap->old_log_fd = -1;
}

void run_swap_deinit(struct run_swap *swap, bool owns_pid_file)
{
    px_tls_destroy(swap->old_tls);
    if (swap->old_log_fd >= 0)
        close(swap->old_log_fd);
    run_outcome_close(&swap->outcome, owns_pid_file);
    run_file_close(swap->next);
    run_file_close(swap->file);
    *swap = (struct run_swap){.old_log_fd = -1, .outcome = {.fd = -1}};
}

/* --- Parts ------------------------------------------------------------------------------------ */

static bool is_same_text(const char *one, const char *other)
{
    return one == other || (one && other && strcmp(one, other) == 0);
}

/* Clients that were to show no certificate, or another one, must not go on with their sessions. */
static bool is_same_policy(const px_tls_options *one, const px_tls_options *other)
{
    return one->client == other->client && one->profile == other->profile &&
           is_same_text(one->client_ca_file, other->client_ca_file);
}

static bool try_log(struct run_swap *swap, const struct run_parts *parts)
{
    const struct options *old = &swap->file->options, *new = &swap->next->options;
    bool has_log = new->server.log_format != PX_LOG_OFF;

    swap->old_log_fd = -1;
    /* Without a log there is no descriptor either, so that the one there is always is that of the
     * last file's text. */
    if (!has_log) {
        swap->old_log_fd = *parts->log_fd;
        *parts->log_fd = -1;
        return true;
    }
    if (*parts->log_fd >= 0 && is_same_text(old->log_file, new->log_file))
        return true;
    int fd = log_descriptor_open(new->log_file);

    if (fd < 0) {
        run_change_note(swap->next->config, "log", 2, "cannot open the log file: %s",
                        strerror(errno));
        return false;
    }
    swap->old_log_fd = *parts->log_fd;
    *parts->log_fd = fd;
    return true;
}

static void untry_log(struct run_swap *swap, const struct run_parts *parts, int before)
{
    if (*parts->log_fd == before)
        return;
    if (*parts->log_fd >= 0)
        close(*parts->log_fd);
    *parts->log_fd = before;
    swap->old_log_fd = -1;
}

static bool try_tls(struct run_swap *swap, const struct run_parts *parts)
{
    px_tls *tls;

    CHECK(!swap->old_tls);
    if (secure_open(&swap->next->options, parts->dates, *parts->tls, &tls) != CODE_OK) {
        run_change_note(swap->next->config, "tls", 0, "TLS cannot be spoken so");
        return false;
    }
    swap->old_tls = *parts->tls;
    *parts->tls = tls;
    if (tls && swap->old_tls &&
        is_same_policy(&swap->file->options.secure.tls, &swap->next->options.secure.tls))
        px_tls_take_tickets(tls, swap->old_tls);
    return true;
}

static void untry_tls(struct run_swap *swap, const struct run_parts *parts)
{
    px_tls_destroy(*parts->tls);
    *parts->tls = swap->old_tls;
    swap->old_tls = NULL;
}

static bool try_listeners(struct run_swap *swap, const struct run_parts *parts, uint32_t slot_count)
{
    const struct options *options = &swap->next->options;
    const struct listen_plan plan = {.addresses = options->listen,
                                     .options = options->listen_options,
                                     .address_count = options->listen_count,
                                     .slot_count = slot_count,
                                     .is_shared = options->process.accept_shared};
    px_error error;
    uint32_t wrong;

    if (listeners_try(parts->listeners, &plan, &wrong, &error) == PX_OK)
        return true;
    run_change_note_listen(swap->next->config, wrong, &error);
    return false;
}

static bool try_sandbox(struct run_swap *swap, const struct run_parts *parts)
{
    px_error error;

    if (confinement_renew(parts->sandbox, &swap->next->options, &error) == PX_OK)
        return true;
    run_change_note(swap->next->config, "sandbox", 0, "%s", error.text);
    return false;
}

/* All parts, or none; the log last, since a file is made for it. */
static bool try_parts(struct run_swap *swap, const struct run_parts *parts, uint32_t slot_count)
{
    px_error error;

    if (!try_tls(swap, parts))
        return false;
    if (!try_listeners(swap, parts, slot_count))
        goto fail_tls;
    if (!try_sandbox(swap, parts) || !log_set_add(parts->logs, swap->next->config))
        goto fail_listeners;
    if (!try_log(swap, parts))
        goto fail_logs;
    return true;

fail_logs:
    log_set_keep(parts->logs, swap->file->config);
fail_listeners:
    listeners_settle(parts->listeners, false);
    if (confinement_renew(parts->sandbox, &swap->file->options, &error) != PX_OK)
        diagnostics_say("%s", error.text);
fail_tls:
    untry_tls(swap, parts);
    return false;
}

/* --- Trying and ending ------------------------------------------------------------------------ */

static void fail(struct run_swap *swap)
{
    struct buf text;

    buf_init(&text, &alloc_libc, RUN_TEXT_BYTES_MAX);
    run_text_report(&swap->next->config->load.report, &text);
    run_outcome_end(&swap->outcome, CODE_CONFIG, buf_str(&text));
    buf_deinit(&text);
    diagnostics_say("not reloaded: the configuration has errors; the old one goes on");
    run_file_close(swap->next);
    swap->next = NULL;
    run_swap_check(swap);
}

bool run_swap_try(struct run_swap *swap, const struct run_parts *parts, uint32_t slot_count)
{
    CHECK(swap->file && !swap->next);
    run_swap_check(swap);
    run_outcome_begin(&swap->outcome);
    swap->next = run_file_read(swap->file->options.run.command_line, swap->file->path);
    if (!swap->next) {
        run_outcome_end(&swap->outcome, CODE_SYSTEM, px_str_of("out of memory\n"));
        return false;
    }
    if (!config_is_good(swap->next->config) ||
        !run_change_is_possible(swap->file->config, swap->next->config) ||
        !run_change_has_sockets(swap->next->config, slot_count) ||
        !try_parts(swap, parts, slot_count)) {
        fail(swap);
        return false;
    }
    run_text_report(&swap->next->config->load.report, NULL); /* warnings */
    *parts->options = &swap->next->options;
    parts->listeners->tls = *parts->tls;
    parts->listeners->metrics = swap->next->options.metrics;
    return true;
}

/* --- Alone ------------------------------------------------------------------------------------ */

static bool serve_next(struct run_swap *swap, struct run_file *next, px_server *server,
                       struct gateway *gateway)
{
    px_error error;

    for (const struct config_log *log = next->config->logs; log; log = log->next) {
        if (log_set_of(log->path, gateway->logs) || !log->path)
            continue;
        report_add(&next->config->load.report, REPORT_MEANING, log->place,
                   "a log cannot be added by a reload with workers 0: restart pollux for it");
        return false;
    }
    next->config->is_draining = swap->file->config->is_draining;
    next->config->drain_context = swap->file->config->drain_context;
    next->config->metrics = swap->file->config->metrics;
    next->config->on_debug = swap->file->config->on_debug;
    next->config->on_denied = swap->file->config->on_denied;
    next->config->denied_context = swap->file->config->denied_context;
    if (run_attach(next->config, px_server_loop(server), &swap->file->options, gateway, &error) ==
            PX_OK &&
        px_server_set_site(server, next->config->site, &error) == PX_OK)
        return true;
    run_change_note(next->config, "host", 0, "%s", error.text);
    return false;
}

bool run_swap_alone(struct run_swap *swap, px_server *server, struct gateway *gateway, px_tls *tls,
                    struct secure_dates *dates)
{
    /* The options of the first file are those of the process, so it stays. */
    struct run_file *now = swap->next ? swap->next : swap->file;
    const char *text = "reloaded: the process serves it\n";

    run_swap_check(swap);
    CHECK(!swap->old_tls && swap->old_log_fd < 0); /* these stay for the life of the process */
    run_outcome_begin(&swap->outcome);
    struct run_file *next = run_file_read(swap->file->options.run.command_line, swap->file->path);

    if (!next) {
        run_outcome_end(&swap->outcome, CODE_SYSTEM, px_str_of("out of memory\n"));
        return false;
    }
    bool is_good = config_is_good(next->config) &&
                   run_change_is_of_site(now->config, next->config) &&
                   secure_reload(&swap->file->options, tls, dates) == PX_OK &&
                   serve_next(swap, next, server, gateway);

    if (!is_good) {
        struct run_file *kept = swap->next;

        swap->next = next;
        fail(swap);
        swap->next = kept;
        return false;
    }
    run_text_report(&next->config->load.report, NULL);
    run_file_close(swap->next);
    swap->next = next;
    run_outcome_end(&swap->outcome, CODE_OK, px_str_of(text));
    diagnostics_tell(LEVEL_NOTICE, "%.*s", (int)strlen(text) - 1, text);
    return true;
}

/* --- With workers ----------------------------------------------------------------------------- */

static void take_back(struct run_swap *swap, const struct run_parts *parts)
{
    px_error error;

    listeners_settle(parts->listeners, false);
    untry_tls(swap, parts);
    if (swap->old_log_fd >= 0)
        untry_log(swap, parts, swap->old_log_fd);
    log_set_keep(parts->logs, swap->file->config);
    *parts->options = &swap->file->options;
    parts->listeners->tls = *parts->tls;
    parts->listeners->metrics = swap->file->options.metrics;
    if (confinement_renew(parts->sandbox, *parts->options, &error) != PX_OK)
        diagnostics_say("%s", error.text);
    run_file_close(swap->next);
}

static void go_on(struct run_swap *swap, const struct run_parts *parts)
{
    listeners_settle(parts->listeners, true);
    px_tls_destroy(swap->old_tls);
    if (swap->old_log_fd >= 0)
        close(swap->old_log_fd);
    log_set_keep(parts->logs, swap->next->config);
    run_file_close(swap->file);
    swap->file = swap->next;
}

void run_swap_end(struct run_swap *swap, const struct run_parts *parts, bool is_good)
{
    static const char text[] = "a new worker could not start; the old ones go on\n";

    run_swap_check(swap);
    if (!swap->next)
        return;
    CHECK(*parts->options == &swap->next->options);
    if (is_good)
        go_on(swap, parts);
    else
        take_back(swap, parts);
    swap->next = NULL;
    swap->old_tls = NULL;
    swap->old_log_fd = -1;
    run_swap_check(swap);
    if (!is_good)
        run_outcome_end(&swap->outcome, CODE_CONFIG, px_str_of(text));
}

bool run_swap_look(struct run_swap *swap)
{
    if (!swap->file || swap->next)
        return false;
    uint64_t roots = run_roots_look(swap->file->config);
    bool is_due = swap->is_again;

    swap->is_again = false;
    if (roots != 0 && roots != swap->file->roots) {
        swap->file->roots = roots;
        diagnostics_tell(LEVEL_NOTICE,
                         "a folder that is served is another one now: new workers serve it");
        is_due = true;
    }
    return is_due;
}

void run_swap_say(const struct run_swap *swap, uint32_t worker_count)
{
    char text[SENTENCE_BYTES];

    int len = snprintf(text, sizeof(text), "reloaded: %u new worker%s\n", worker_count,
                       worker_count == 1 ? " serves" : "s serve");

    CHECK(len > 0 && (size_t)len < sizeof(text));
    run_outcome_end(&swap->outcome, CODE_OK, px_str_of(text));
}
