/*
 * The name servers that a loop's names are looked up at, in place of the system's.
 *
 * libc's resolver asks them: what it is told is kept for each thread, so each lookup tells it
 * anew.  Names that the system knows otherwise (hosts files) stay known.
 */
#ifndef PX_NET_NAME_SERVERS_H
#define PX_NET_NAME_SERVERS_H

#include "net/address.h"

enum { NAME_SERVERS_MAX = 3 /* MAXNS of <resolv.h>: it asks no more */ };

struct name_servers {
    uint32_t count;
    struct net_address addresses[NAME_SERVERS_MAX];
};

/* Reads them as written: "192.0.2.1", "192.0.2.1:5353", "2001:db8::1", "[2001:db8::1]:5353".
 * PX_OK, or PX_ERR_INVALID or PX_ERR_LIMIT with a line that says what is wrong. */
PX_MUST_CHECK px_err name_servers_read(const char *const *texts, size_t count,
                                       struct name_servers *out_servers, px_error *out_error);

/* The calling thread asks them from now on.  False: without memory. */
bool name_servers_use(const struct name_servers *servers);

#endif
