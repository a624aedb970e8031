/*
 * `pollux files`: serves a folder.
 */
#ifndef PX_MAIN_FILES_H
#define PX_MAIN_FILES_H

#include "main/answers/gateway.h"
#include "main/exit_code.h"
#include "main/flags/options.h"
#include "pollux/server.h"

/* Looks whether the folder, and what the flags name, is there, and serves it. */
enum exit_code files_serve(const struct options *options);

/* Registers the folder's route.  `root_fd`: the folder as the master has opened it, borrowed for
 * the call; -1: it is opened by its path.  `gateway` is borrowed: outlives the server. */
PX_MUST_CHECK px_err files_register(px_server *server, const struct options *options, int root_fd,
                                    uint64_t memory_bytes_max, struct gateway *gateway,
                                    px_error *out_error);

#endif
