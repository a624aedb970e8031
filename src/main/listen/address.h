/*
 * What can be said about addresses to listen on before one is opened.
 */
#ifndef PX_MAIN_ADDRESS_H
#define PX_MAIN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether two addresses name the same place: equal without regard to case in hosts and to leading
 * zeros of a port.  Port 0 is never the same, it picks another each time. */
bool address_is_same(const char *left, const char *right);

/* Whether the left one stands for every address of the right one's family, on the same port: both
 * cannot be listened on. */
bool address_covers(const char *left, const char *right);

/* Whether it has a scheme ("https://"), which the library does not know. */
bool address_has_scheme(const char *address);

/* Whether TLS is spoken there: "https://" in front. */
bool address_is_secure(const char *address);

/* What the library knows: without "https://" in front, and every address is no host ("*:80" is
 * ":80"). */
const char *address_bare(const char *address);

/* The port of "host:port" and ":port"; -1 for all else. */
long address_port(const char *address);

#endif
