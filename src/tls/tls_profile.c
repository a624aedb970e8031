/*
 * Mozilla's "Server Side TLS" (5.7), intermediate and modern, in OpenSSL's words.
 *
 * Two departures, both to the safe side: no DHE suites (a peer can have the server compute large
 * powers for nothing, CVE-2002-20001, and clients without elliptic curves do not exist any more),
 * and the order of suites is ours, except that ChaCha20 wins for a peer that puts it first.
 */
#include "tls/tls_profile.h"

#include <openssl/err.h>

#include "tls/tls_error.h"

static const char suites_12[] = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
                                "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
                                "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
static const char suites_13[] =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* OpenSSL 3.5 knows the hybrid group, which is first where it is known. */
static const char groups_hybrid[] = "X25519MLKEM768:X25519:P-256:P-384";
static const char groups[] = "X25519:P-256:P-384";

/* 2: keys of 112 bits of strength and more, no SHA-1; what Debian's OpenSSL has by itself. */
enum { SECURITY_LEVEL = 2 };

px_err tls_profile_apply(SSL_CTX *ctx, px_tls_profile profile, px_error *out_error)
{
    int least = profile == PX_TLS_MODERN ? TLS1_3_VERSION : TLS1_2_VERSION;

    SSL_CTX_set_security_level(ctx, SECURITY_LEVEL);
    /* RFC 9113 section 9.2.1 forbids compression and renegotiation; no client needs either. */
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
    /* An idle session keeps no buffers; what could not be written may move meanwhile. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_ENABLE_PARTIAL_WRITE);
    SSL_CTX_set_read_ahead(ctx, 0);
    /* Tickets carry the state; nothing is kept here. */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(ctx, 0);
    /* One ticket a handshake and not two: a client that opens several connections at once makes a
     * full handshake more, and all others save the sealing and sending of the second. */
    SSL_CTX_set_num_tickets(ctx, 1);
    if (SSL_CTX_set_min_proto_version(ctx, least) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(ctx, suites_12) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, suites_13) != 1)
        return tls_error(out_error, PX_ERR_INVALID, "OpenSSL refuses the profile");
    if (SSL_CTX_set1_groups_list(ctx, groups_hybrid) == 1)
        return PX_OK;
    ERR_clear_error();
    if (SSL_CTX_set1_groups_list(ctx, groups) != 1)
        return tls_error(out_error, PX_ERR_INVALID, "OpenSSL refuses the groups");
    return PX_OK;
}
