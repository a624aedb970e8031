/*
 * TLS of simulated peers: OpenSSL's client side between what a peer says and its socket.
 *
 * A peer that wears it speaks as before; what it sends is sealed, what it receives is opened, and
 * an end without close_notify reaches it as an error.  OpenSSL's random bytes are seeded with the
 * run, and its certificate has a key whose signatures are all of one length, so that a run can be
 * repeated byte for byte.
 */
#ifndef SIM_TLS_H
#define SIM_TLS_H

#include <openssl/ssl.h>

#include "pollux/tls.h"
#include "sim_peer.h"

/* What the peers of a run share. */
struct sim_tls_world {
    SSL_CTX *ctx;         /* owned: of clients */
    SSL_SESSION *session; /* owned: the last that was given to one of them, or NULL */
};

/* Seeds OpenSSL's randomness by the run's, and makes the clients' context. */
void sim_tls_begin(struct sim_tls_world *world);
void sim_tls_end(struct sim_tls_world *world);

/* A px_tls with a certificate for "sim"; fails the run without one.  In some runs it takes so few
 * handshakes at once that honest peers may have to give way. */
px_tls *sim_tls_server(const px_allocator *allocator, bool *out_few);

/* A px_tls_trust for the program's own clients, that trusts that certificate. */
px_tls_trust *sim_tls_trust(const px_allocator *allocator);

/* Has a peer that was just started speak TLS; `protocol` is offered by ALPN.  `garbles`: one byte
 * of what it sends, records included, may be changed. */
void sim_tls_wear(struct sim_tls_world *world, struct sim_peer *peer, const char *protocol,
                  bool garbles);

#endif
