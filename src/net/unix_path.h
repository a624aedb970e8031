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

/* A socket's file, known again by what it is. */
struct unix_file {
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": none */
    dev_t device;
    ino_t inode;
};

/* Notes the socket that is there now; none, where there is no socket. */
void unix_file_note(struct unix_file *file, const char *path);

/* Removes it, unless another is in its place: one that another process has bound meanwhile.  What
 * is none is fine. */
void unix_file_remove(const struct unix_file *file);

/* Whether it is left from a crash: nothing listens on it, and another may take its place. */
bool unix_path_is_stale(const struct net_address *address, struct unix_file *out_file);

/* Gives the file that bind has made the bits that the umask took.  Where others may write the
 * folder, another file, or a link to one, may be there by now: what is changed is a socket, or
 * nothing.  Without /proc there is only the path.  0, or -1 with errno. */
int unix_path_mode(const char *path, mode_t mode);

#endif
