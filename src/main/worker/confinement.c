/*
 * Which paths a worker keeps.
 *
 * The happy path: the folder that is served.  A process that is alone keeps what a master would see
 * to: its log and certificates, to open them anew, and its pid file and unix sockets, to remove
 * them.  It can fail by a user that is not there and by a kernel without what --sandbox=require
 * asks for.
 */
#include "main/worker/confinement.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "main/answers/gateway.h"
#include "main/answers/place.h"
#include "main/diagnostics.h"
#include "main/listen/address.h"
#include "main/log/log_sink.h"
#include "main/run/run_confine.h"

/* A page is a file beneath the folder, or else any file; then its own folder is read, so that a new
 * version of it is seen (pollux/files.h). */
static px_err allow_page(struct sandbox *sandbox, const char *root, const char *file,
                         px_error *out_error)
{
    char beneath[PATH_MAX];

    if (!file || snprintf(beneath, sizeof(beneath), "%s/%s", root, file) < 0 ||
        access(beneath, F_OK) == 0 || access(file, F_OK) != 0)
        return PX_OK;
    return sandbox_allow_folder_of(sandbox, file, LANDLOCK_READ, out_error);
}

static px_err allow_serving(struct sandbox *sandbox, const struct files_options *files, int root_fd,
                            px_error *out_error)
{
    px_err err;

    /* Links that may lead out of the folder may lead anywhere. */
    if (files->follow_symlinks)
        return sandbox_allow(sandbox, "/", LANDLOCK_READ, out_error);
    err = root_fd >= 0 ? sandbox_allow_fd(sandbox, root_fd, LANDLOCK_READ, out_error)
                       : sandbox_allow(sandbox, files->root, LANDLOCK_READ, out_error);
    if (err == PX_OK)
        err = allow_page(sandbox, files->root, files->spa, out_error);
    for (uint32_t i = 0; i < files->page_count && err == PX_OK; i++)
        err = allow_page(sandbox, files->root, files->pages[i].file, out_error);
    return err;
}

static px_err allow_folder_of_each(struct sandbox *sandbox, const char *const *files,
                                   uint32_t count, px_error *out_error)
{
    px_err err = PX_OK;

    for (uint32_t i = 0; i < count && err == PX_OK; i++)
        if (files[i])
            err = sandbox_allow_folder_of(sandbox, files[i], LANDLOCK_READ, out_error);
    return err;
}

/* Certificates and keys that HUP reads anew. */
static px_err allow_reloading(struct sandbox *sandbox, const struct secure_options *secure,
                              px_error *out_error)
{
    const char *const others[] = {secure->tls.client_ca_file, secure->tls.ticket_keys_file};
    px_err err =
        allow_folder_of_each(sandbox, secure->certificates, secure->certificate_count, out_error);

    if (err == PX_OK)
        err = allow_folder_of_each(sandbox, secure->keys, secure->key_count, out_error);
    if (err == PX_OK)
        err = allow_folder_of_each(sandbox, secure->staples, secure->staple_count, out_error);
    for (size_t i = 0; i < ARRAY_COUNT(others) && err == PX_OK; i++)
        if (others[i])
            err = allow_folder_of_each(sandbox, &others[i], 1, out_error);
    return err;
}

/* Where there is no master, the one process does from inside what a master does from outside. */
static px_err allow_what_a_master_does(struct sandbox *sandbox, const struct options *options,
                                       px_error *out_error)
{
    static const char unix_scheme[] = "unix:";
    const size_t scheme_len = sizeof(unix_scheme) - 1;
    px_err err = allow_reloading(sandbox, &options->secure, out_error);

    if (err == PX_OK && options->error_log.path)
        err = sandbox_allow_folder_of(sandbox, options->error_log.path, LANDLOCK_WRITE, out_error);
    bool has_file = options->log_file && !log_sink_is(options->log_file);

    if (err == PX_OK && has_file)
        err = sandbox_allow_folder_of(sandbox, options->log_file, LANDLOCK_WRITE, out_error);
    if (err == PX_OK && has_file)
        err = sandbox_allow(sandbox, options->log_file, LANDLOCK_WRITE, out_error);
    if (err == PX_OK && options->process.pid_file)
        err = sandbox_allow_folder_of(sandbox, options->process.pid_file,
                                      LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_REMOVE, out_error);
    for (uint32_t i = 0; i < options->listen_count && err == PX_OK; i++)
        if (strncmp(address_bare(options->listen[i]), unix_scheme, scheme_len) == 0)
            err = sandbox_allow_folder_of(sandbox, address_bare(options->listen[i]) + scheme_len,
                                          LANDLOCK_REMOVE, out_error);
    return err;
}

static px_err allow_all(struct sandbox *sandbox, const struct options *options, int root_fd,
                        bool is_alone, px_error *out_error)
{
    px_err err = PX_OK;
    bool has_name = false;

    CHECK(root_fd < 0 || options->command == COMMAND_FILES);
    if (options->command == COMMAND_FILES)
        err = allow_serving(sandbox, &options->files, root_fd, out_error);
    if (options->command == COMMAND_PROXY)
        err = gateway_allow(sandbox, &options->gateway, out_error);
    if (err == PX_OK && options->trace.url)
        err = place_allow(sandbox, options->trace.url, &has_name, out_error);
    if (err == PX_OK && has_name)
        err = place_allow_names(sandbox, out_error);
    if (err == PX_OK)
        err = place_allow_name_servers(sandbox, &options->resolver, out_error);
    if (err == PX_OK && options->run.config)
        err = run_confine(sandbox, options->run.config, is_alone, out_error);
    if (err == PX_OK && is_alone)
        err = allow_what_a_master_does(sandbox, options, out_error);
    return err;
}

px_err confinement_init(struct sandbox *sandbox, const struct options *options, int root_fd,
                        bool is_alone, px_error *out_error)
{
    const struct process_options *process = &options->process;

    CHECK(!is_alone || root_fd < 0); /* alone, the folder is opened by its path */
    options_check(options);
    px_err err = sandbox_init(sandbox, process->sandbox, process->user, out_error);

    return err == PX_OK ? allow_all(sandbox, options, root_fd, is_alone, out_error) : err;
}

px_err confinement_renew(struct sandbox *sandbox, const struct options *options,
                         px_error *out_error)
{
    CHECK(options->run.config); /* flags do not change while the program runs */
    options_check(options);
    sandbox_forget(sandbox);
    return allow_all(sandbox, options, -1, false, out_error);
}

void confinement_announce(const struct sandbox *sandbox, const struct options *options)
{
    if (sandbox->lacking[0] != '\0')
        diagnostics_tell(LEVEL_WARNING, "the sandbox is not whole: %s", sandbox->lacking);
    if (sandbox->privileges.is_default && !options->quiet)
        diagnostics_tell(LEVEL_NOTICE, "started as root, so workers are %s (see %suser)",
                         sandbox->privileges.name, options->run.config ? "" : "--");
}

void confinement_tell_death(const struct sandbox *sandbox, pid_t pid, int status)
{
    char call[SANDBOX_TEXT_BYTES];

    CHECK(pid > 0 && (WIFSIGNALED(status) || WIFEXITED(status)));
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) {
        sandbox_name_trap(sandbox, pid, call, sizeof(call));
        diagnostics_say("worker %ld was ended by its sandbox: it called %s", (long)pid, call);
    } else if (WIFSIGNALED(status)) {
        diagnostics_tell(LEVEL_WARNING, "worker %ld was ended by signal %d (%s)", (long)pid,
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        diagnostics_tell(LEVEL_WARNING, "worker %ld ended with exit code %d", (long)pid,
                         WEXITSTATUS(status));
    }
}
