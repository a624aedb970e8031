/*
 * The keys that session tickets are sealed with (RFC 5077 section 4, RFC 8446 section 4.6.1).
 *
 * Without a file: a secret that is made once, before the program forks, and moved on by a one-way
 * function every twelve hours.  All workers come to the same keys without a word between them, and
 * an old key cannot be had from a newer secret.  With a file the keys are its own, for machines
 * that share a name; the program that writes the file rotates them.
 */
#ifndef PX_TLS_TLS_TICKET_H
#define PX_TLS_TLS_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "pollux/error.h"

struct ssl_ctx_st;

enum { TLS_TICKET_SECRET_BYTES = 32, TLS_TICKET_RECORD_BYTES = 80 };

/* One record of a file, as it lies there. */
struct tls_ticket_key {
    unsigned char name[16];
    unsigned char mac[32];
    unsigned char cipher[32];
};

struct tls_tickets {
    struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX]; /* the first seals, all open */
    uint32_t key_count;
    bool from_file;
    int64_t epoch; /* which twelve hours `secret` is of */
    unsigned char secret[TLS_TICKET_SECRET_BYTES];
};

/* Makes a secret, of the time that it is now.  PX_ERR_SYSTEM when there is no randomness. */
PX_MUST_CHECK px_err tls_tickets_init(struct tls_tickets *tickets, px_error *out_error);

/* Reads keys from a file.  On failure everything is as it was. */
PX_MUST_CHECK px_err tls_tickets_load(struct tls_tickets *tickets, const char *path,
                                      px_error *out_error);

/* Moves the secret on to `unix_time`; never back. */
void tls_tickets_advance(struct tls_tickets *tickets, int64_t unix_time);

void tls_tickets_wipe(struct tls_tickets *tickets);

/* Has an SSL_CTX seal and open tickets with the keys of its sessions' px_tls. */
void tls_tickets_attach(struct ssl_ctx_st *ctx);

#endif
