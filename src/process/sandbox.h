/*
 * What a worker gives up before it reads the first byte from a peer: its privileges, all files but
 * those it serves and its logs, all system calls but those it needs.
 *
 * Made by the master, before the first fork: sandbox_init finds out what the kernel has, paths are
 * added, every worker enters.
 */
#ifndef PX_PROCESS_SANDBOX_H
#define PX_PROCESS_SANDBOX_H

#include "process/landlock.h"
#include "process/privileges.h"
#include "process/traps.h"

enum {
    SANDBOX_PATHS_MAX = 65536, /* folders of every host, of logs, pid file and unix sockets */
    SANDBOX_PORTS_MAX = 256,   /* servers of a proxy */
    SANDBOX_TEXT_BYTES = 128,
};

enum sandbox_mode {
    SANDBOX_ON,      /* as much as this kernel has */
    SANDBOX_OFF,     /* privileges are dropped all the same */
    SANDBOX_REQUIRE, /* all of it, or nothing runs */
};

/* What a build does that is told nothing: off where a sanitizer or the counting of lines needs what
 * a sandbox forbids. */
extern const enum sandbox_mode sandbox_mode_default;

struct sandbox {
    enum sandbox_mode mode;
    struct privileges privileges;
    bool has_landlock;
    bool has_seccomp;
    bool may_dial;                     /* workers connect to other servers ... */
    uint16_t ports[SANDBOX_PORTS_MAX]; /* ... at these ports of TCP alone */
    uint32_t port_count;
    struct traps *traps;         /* owned; NULL: calls are not noted */
    struct landlock_path *paths; /* owned, as their texts are */
    size_t path_count;
    size_t path_room;
    char lacking[SANDBOX_TEXT_BYTES]; /* what is asked for and missing, for a person; or empty */
};

/* `user` as privileges_find takes it.  PX_ERR_UNSUPPORTED: something is missing that the mode
 * requires.  What is initialised is deinitialised once, after an error too. */
PX_MUST_CHECK px_err sandbox_init(struct sandbox *sandbox, enum sandbox_mode mode, const char *user,
                                  px_error *out_error);

void sandbox_deinit(struct sandbox *sandbox);

/* Allows no path any more, for workers to come. */
void sandbox_forget(struct sandbox *sandbox);

/* Allows `access` (enum landlock_access) at a path, and below it where that is a folder.  The text
 * is copied; what it names is looked up when a worker enters, and may be missing if it is not to be
 * read.  PX_ERR_LIMIT: too many. */
PX_MUST_CHECK px_err sandbox_allow(struct sandbox *sandbox, const char *path, unsigned access,
                                   px_error *out_error);

/* The same for the folder that a file is in, which need not be there. */
PX_MUST_CHECK px_err sandbox_allow_folder_of(struct sandbox *sandbox, const char *path,
                                             unsigned access, px_error *out_error);

/* The same for something open: the descriptor is borrowed until the last worker has entered. */
PX_MUST_CHECK px_err sandbox_allow_fd(struct sandbox *sandbox, int fd, unsigned access,
                                      px_error *out_error);

/* Allows connections to a port of TCP, wherever it is; from Landlock's ABI 4 on to no other.
 * PX_ERR_LIMIT: too many. */
PX_MUST_CHECK px_err sandbox_allow_port(struct sandbox *sandbox, uint16_t port,
                                        px_error *out_error);

/* The calling process enters, for good: all must be open, and no second thread may run yet.  After
 * an error it must end, for it may be half inside. */
PX_MUST_CHECK px_err sandbox_enter(const struct sandbox *sandbox, px_error *out_error);

/* Of a process that died by SIGSYS: the call it was ended for, as text, or "an unknown call". */
void sandbox_name_trap(const struct sandbox *sandbox, pid_t pid, char *out_text, size_t text_bytes);

#endif
