/*
 * Listening sockets that workers have had in their hands: whether they still do what they are for.
 *
 * A descriptor that was passed shares all but its number with ours.  Where no filter of system
 * calls was in force, a worker may have shut the socket, connected it, or steered its group.
 */
#ifndef PX_PROCESS_SOCKET_MEND_H
#define PX_PROCESS_SOCKET_MEND_H

#include <stdbool.h>
#include <sys/socket.h>

enum socket_state {
    SOCKET_SOUND,
    SOCKET_MENDED, /* it was not, and is again */
    SOCKET_LOST,   /* it has to be made anew */
};

/* What a socket should be. */
struct socket_plan {
    int backlog;
    bool is_ours; /* and not inherited, where a filter may be its owner's */
    socklen_t name_bytes;
    struct sockaddr_storage name; /* where it was bound */
};

/* As it is now: of a socket that has just been opened.  `name_bytes` is 0 where it has no name. */
struct socket_plan socket_plan_make(int fd, int backlog, bool is_ours);

/* Looks, and mends in place what can be: it listens where it was bound, does not block, has no
 * lingering close to inherit, and no filter. */
enum socket_state socket_mend(int fd, const struct socket_plan *plan);

/* Has peers refused, though the address stays ours; socket_mend undoes it.  False for a socket that
 * is not TCP. */
bool socket_refuse(int fd);

/* A descriptor that is kept for socket_turn_away, or -1. */
int socket_spare(void);

/* Ends what waits in the queue of a socket that cannot be told to refuse: at most `count`.
 * spare_fd: of socket_spare; where no descriptor can be had to take a connection with it is given
 * up for that and made anew. */
void socket_turn_away(int fd, int count, int *spare_fd);

#endif
