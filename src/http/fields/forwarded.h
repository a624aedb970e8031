/*
 * Forwarded (RFC 7239) and X-Forwarded-For: what proxies say about those before them.
 *
 * Both are lists to which each proxy adds at the right, so they are read from the right, and only
 * as far as the proxies that wrote it are trusted.  The list is taken apart from the right too:
 * what the last proxy added is well-formed by itself and cannot be swallowed by an open quote that
 * a client wrote before it.  What can go wrong is an element that is none; then the reader stops.
 */
#ifndef PX_HTTP_FORWARDED_H
#define PX_HTTP_FORWARDED_H

#include "pollux/error.h"
#include "pollux/str.h"

enum forwarded_syntax {
    FORWARDED_RFC7239, /* for=192.0.2.1;proto=https */
    FORWARDED_PLAIN    /* 192.0.2.1 */
};

/* What one proxy said about the peer it heard from. */
struct forwarded_hop {
    px_str host;  /* an address without brackets and port; absent when it is unknown or hidden */
    px_str proto; /* absent when it was not said */
};

/* Takes the last element off a list: PX_OK, PX_ERR_NOT_FOUND when none is left, PX_ERR_MALFORMED.
 * What is handed out are slices of `list`. */
PX_MUST_CHECK px_err forwarded_take_last(px_str *list, enum forwarded_syntax syntax,
                                         struct forwarded_hop *out_hop);

/* Takes the last element of a plain list as it is, blanks around dropped; absent when none is
 * left.  For X-Forwarded-Proto. */
px_str forwarded_take_text(px_str *list);

#endif
