/*
 * Binding: an address as written becomes sockets that listen on it.
 *
 * No loop is needed, so that a program can fork in between; a listener (listener.h) puts the
 * sockets on one.
 */
#ifndef PX_NET_BINDING_H
#define PX_NET_BINDING_H

#include "net/address.h"
#include "net/unix_path.h"
#include "pollux/stream.h"

enum { BINDING_SOCKETS_MAX = ADDRESS_COUNT_MAX };

struct binding {
    int fds[BINDING_SOCKETS_MAX]; /* owned by the caller */
    size_t count;
    struct unix_file file; /* that was made, or none */
};

/* Listens on an address of TCP or of a unix socket; `options` are settled: no member is a default's
 * zero.  `text`: as written, for errors.  PX_OK, or what open says, and no socket is open. */
PX_MUST_CHECK px_err binding_open(struct binding *out_binding, const px_listen_options *options,
                                  const struct address_text *split, const char *text,
                                  px_error *out_error);

/* Other sockets on the addresses of those, with SO_REUSEPORT where the options say so, else
 * duplicates.  Likewise. */
PX_MUST_CHECK px_err binding_clone(struct binding *out_binding, const px_listen_options *options,
                                   const int *fds, size_t count, const char *text,
                                   px_error *out_error);

/* Writes the addresses as bound, with the ports that were picked. */
void binding_describe(const int *fds, size_t count, char *out_text, size_t room);

#endif
