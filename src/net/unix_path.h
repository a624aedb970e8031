/*
 * The files of unix sockets: what is in the way of one, and its mode.
 */
#ifndef PX_NET_UNIX_PATH_H
#define PX_NET_UNIX_PATH_H

#include <stdbool.h>
#include <sys/stat.h>

#include "net/address.h"

/* Whether a socket's file is there. */
bool unix_path_is_socket(const char *path);

/* Whether it is left from a crash: nothing listens on it, and another may take its place. */
bool unix_path_is_stale(const struct net_address *address);

/* Gives the file that bind has made the bits that the umask took.  Where others may write the
 * folder, another file, or a link to one, may be there by now: what is changed is a socket, or
 * nothing.  Without /proc there is only the path.  0, or -1 with errno. */
int unix_path_mode(const char *path, mode_t mode);

#endif
