/*
 * Entering the sandbox, in the one order that works.
 *
 * The happy path: the ruleset is made while every path can be reached, then the user changes, then
 * Landlock confines (it wants no_new_privs), and last comes the filter, which would not let the
 * others pass.  It can fail at each step; a worker that could not enter must not serve.
 */
#include "process/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "process/seccomp.h"

enum { PATHS_FIRST = 16 };

static void look_at_kernel(struct sandbox *sandbox)
{
    const char *landlock = landlock_abi() > 0 ? NULL : "this kernel has no Landlock";
    const char *seccomp = seccomp_lacks();

    sandbox->has_landlock = !landlock;
    sandbox->has_seccomp = !seccomp;
    snprintf(sandbox->lacking, sizeof(sandbox->lacking), "%s%s%s", landlock ? landlock : "",
             landlock && seccomp ? ", " : "", seccomp ? seccomp : "");
}

px_err sandbox_init(struct sandbox *sandbox, enum sandbox_mode mode, const char *user,
                    px_error *out_error)
{
    *sandbox = (struct sandbox){.mode = mode};
    if (mode != SANDBOX_OFF)
        look_at_kernel(sandbox);
    if (mode == SANDBOX_REQUIRE && sandbox->lacking[0] != '\0')
        return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "--sandbox=require: %s",
                         sandbox->lacking);
    if (privileges_find(user, &sandbox->privileges, out_error) != PX_OK)
        return out_error ? out_error->code : PX_ERR_INVALID;
    if (sandbox->has_seccomp) {
        sandbox->traps = traps_create();
        if (!sandbox->traps)
            return error_set(out_error, PX_ERR_MEMORY, 0, "cannot make a sandbox: out of memory");
    }
    return error_clear(out_error);
}

void sandbox_forget(struct sandbox *sandbox)
{
    for (size_t i = 0; i < sandbox->path_count; i++)
        free((char *)sandbox->paths[i].path);
    free(sandbox->paths);
    sandbox->paths = NULL;
    sandbox->path_count = 0;
    sandbox->path_room = 0;
    sandbox->may_dial = false;
    sandbox->port_count = 0;
}

void sandbox_deinit(struct sandbox *sandbox)
{
    sandbox_forget(sandbox);
    traps_destroy(sandbox->traps);
    sandbox->traps = NULL;
}

static bool path_room_make(struct sandbox *sandbox)
{
    size_t room = sandbox->path_room == 0 ? PATHS_FIRST : 2 * sandbox->path_room;
    struct landlock_path *paths;

    if (sandbox->path_count < sandbox->path_room)
        return true;
    paths = realloc(sandbox->paths, room * sizeof(paths[0]));
    if (!paths)
        return false;
    sandbox->paths = paths;
    sandbox->path_room = room;
    return true;
}

/* Takes hold of `text`; NULL is a lack of memory where there is no descriptor. */
static px_err path_add(struct sandbox *sandbox, char *text, int fd, unsigned access,
                       px_error *out_error)
{
    CHECK(sandbox->path_count <= sandbox->path_room);
    CHECK(access != 0 && !(text && fd >= 0));
    if (!text && fd < 0)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot make a sandbox: out of memory");
    if (sandbox->path_count == SANDBOX_PATHS_MAX) {
        free(text);
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d files and folders to serve",
                         SANDBOX_PATHS_MAX);
    }
    if (!path_room_make(sandbox)) {
        free(text);
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot make a sandbox: out of memory");
    }
    sandbox->paths[sandbox->path_count++] = (struct landlock_path){text, fd, access};
    return error_clear(out_error);
}

px_err sandbox_allow(struct sandbox *sandbox, const char *path, unsigned access,
                     px_error *out_error)
{
    return path_add(sandbox, strdup(path), -1, access, out_error);
}

px_err sandbox_allow_folder_of(struct sandbox *sandbox, const char *path, unsigned access,
                               px_error *out_error)
{
    const char *slash = strrchr(path, '/');
    char *folder;

    if (!slash)
        folder = strdup(".");
    else if (slash == path)
        folder = strdup("/");
    else
        folder = strndup(path, (size_t)(slash - path));
    return path_add(sandbox, folder, -1, access, out_error);
}

px_err sandbox_allow_fd(struct sandbox *sandbox, int fd, unsigned access, px_error *out_error)
{
    return path_add(sandbox, NULL, fd, access, out_error);
}

px_err sandbox_allow_port(struct sandbox *sandbox, uint16_t port, px_error *out_error)
{
    CHECK(sandbox->port_count <= SANDBOX_PORTS_MAX);
    for (uint32_t i = 0; i < sandbox->port_count; i++)
        if (sandbox->ports[i] == port)
            return error_clear(out_error);
    if (sandbox->port_count == SANDBOX_PORTS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d ports to connect to",
                         SANDBOX_PORTS_MAX);
    sandbox->ports[sandbox->port_count++] = port;
    return error_clear(out_error);
}

static px_err seccomp_part(const struct sandbox *sandbox, px_error *out_error)
{
    struct seccomp_rules rules = {.may_dial = sandbox->may_dial};

    CHECK(sandbox->traps);
    for (size_t i = 0; i < sandbox->path_count; i++) {
        unsigned access = sandbox->paths[i].access;

        rules.may_read = rules.may_read || (access & LANDLOCK_READ);
        rules.may_write = rules.may_write || (access & (LANDLOCK_WRITE | LANDLOCK_REMOVE));
    }
    px_err err = traps_catch(sandbox->traps, out_error);
    return err == PX_OK ? seccomp_enter(&rules, out_error) : err;
}

px_err sandbox_enter(const struct sandbox *sandbox, px_error *out_error)
{
    struct landlock_rules rules = {sandbox->paths, sandbox->path_count, false, sandbox->ports,
                                   sandbox->port_count};
    px_err err = PX_OK;
    int ruleset_fd = -1;

    if (sandbox->has_landlock)
        err = landlock_open(&rules, &ruleset_fd, out_error);
    if (err == PX_OK)
        err = privileges_drop(&sandbox->privileges, out_error);
    if (err == PX_OK && ruleset_fd >= 0)
        err = landlock_restrict(ruleset_fd, out_error);
    if (ruleset_fd >= 0)
        close(ruleset_fd);
    if (err == PX_OK && sandbox->has_seccomp)
        err = seccomp_part(sandbox, out_error);
    /* A change of the user hides a process from debuggers and sanitizers, for which off is. */
    if (err == PX_OK && sandbox->mode == SANDBOX_OFF)
        (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return err;
}

void sandbox_name_trap(const struct sandbox *sandbox, pid_t pid, char *out_text, size_t text_bytes)
{
    char name[SECCOMP_NAME_BYTES] = "an unknown call";
    int call;

    if (traps_take(sandbox->traps, pid, &call))
        seccomp_name(call, name);
    snprintf(out_text, text_bytes, "%s", name);
}
