/*
 * TLS for listeners: certificates by name, tickets, client certificates, reloading.
 *
 * A px_tls is made once, given its certificates, and named in px_serve_options of any number of
 * listeners on one thread; a program that forks makes it before the fork, so that its workers share
 * the secret that session tickets are sealed with.  Nothing here does I/O but reading the files it
 * is told of.  Each function: the thread of the servers that use it, or any thread before that.
 */
#ifndef PX_TLS_H
#define PX_TLS_H

#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/options.h"
#include "pollux/str.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_tls px_tls; /**< Certificates, and how TLS is spoken with them. */

/** Which versions and cipher suites are spoken (Mozilla's "Server Side TLS"). */
typedef enum px_tls_profile {
    PX_TLS_INTERMEDIATE = 0, /**< TLS 1.3 and 1.2, suites with forward secrecy and AEAD. */
    PX_TLS_MODERN            /**< TLS 1.3 alone. */
} px_tls_profile;

/** Whether peers show a certificate of their own. */
typedef enum px_tls_client {
    PX_TLS_CLIENT_OFF = 0,  /**< They are not asked. */
    PX_TLS_CLIENT_OPTIONAL, /**< They are asked; what they show must verify. */
    PX_TLS_CLIENT_REQUIRED  /**< The handshake fails without one that verifies. */
} px_tls_client;

/** Options of a px_tls.  Zero is the default everywhere.  Strings are copied. */
typedef struct px_tls_options {
    size_t struct_size;            /**< sizeof(px_tls_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc.  OpenSSL uses malloc in any case. */
    uint32_t profile;              /**< A px_tls_profile. */
    uint32_t client;               /**< A px_tls_client. */
    const char
        *client_ca_file; /**< PEM: the authorities of client certificates; needed unless off. */
    /** Keys that seal session tickets: records of 80 random bytes, the first seals, all open; for
     *  several machines behind one name.  NULL: a secret of its own that rotates by itself. */
    const char *ticket_keys_file;
    uint32_t handshake_timeout_ms; /**< For a whole handshake; 0: 10 s; PX_OFF. */
    uint32_t handshakes_max;       /**< In flight in one server; above, the oldest goes; 0: 1024. */
    /** Whether h2 is chosen of what a client offers by ALPN (RFC 7301); 0: on; PX_OFF: HTTP/1.1 is
     *  spoken, and one that offers h2 alone gets the alert no_application_protocol. */
    uint32_t http2;
} px_tls_options;

/** The defaults, as a value.  Any thread. */
static inline px_tls_options px_tls_options_default(void)
{
    px_tls_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_tls_options, as a value. */
#define PX_TLS_OPTIONS_DEFAULT px_tls_options_default()
/** The same as an initialiser of a static. */
#define PX_TLS_OPTIONS_INIT PX_INIT_OF(px_tls_options)

/** Makes one without certificates.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_tls_destroy), or NULL: PX_ERR_INVALID, PX_ERR_NOT_FOUND or
 *  PX_ERR_PERMISSION (a file), PX_ERR_MEMORY, PX_ERR_UNSUPPORTED (built without TLS). */
px_tls *px_tls_create(const px_tls_options *options, px_error *out_error);

/** Makes one of another: for a second thread with servers of its own, where clients shall resume
 * the sessions that they began at the first, and for one that differs in its options alone.  It
 * gets the certificates of `from` (refused ones too) and the OCSP responses, in their order, each
 * file read again; a self-signed one as it is; and the secret of its session tickets, unless one of
 * the two has `ticket_keys_file`.  From then on they have nothing in common: additions and reloads
 * of the one are not the other's.  A session is resumed where the rules for client certificates are
 *  the same, and not elsewhere.
 *  @param from not changed.  Where it has an allocator, that serves both, on each one's thread.
 *  @param options in place of those of `from`, as a whole; NULL: the same.  Borrowed for the call.
 *  @return owned by the caller (px_tls_destroy), or NULL as px_tls_create and the calls that named
 *  the files.  The thread of `from`; what it returns may go to another. */
px_tls *px_tls_clone(const px_tls *from, const px_tls_options *options, px_error *out_error);

/** Ends it.  The servers that use it must have been destroyed.  NULL is fine. */
void px_tls_destroy(px_tls *tls);

/** Adds a certificate with its chain, and its key.  It serves the names it is made out for, exact
 *  and wildcard (RFC 6125 section 6.4.3); the first one also serves every other name.  For one name
 *  there may be one of each key type (RSA, ECDSA, Ed25519).  Not while listeners use it.
 *  @param certificate_file PEM: the certificate first, then those that sign it, in order; copied.
 *  @param key_file PEM, not encrypted; NULL: in the same file.  Copied.
 *  @return PX_OK, or with everything as it was PX_ERR_NOT_FOUND, PX_ERR_PERMISSION,
 *  PX_ERR_INVALID (not PEM, key and certificate do not belong together, chain out of order),
 *  PX_ERR_LIMIT, PX_ERR_MEMORY.  Dates are no error: see px_tls_certificate_at. */
PX_MUST_CHECK px_err px_tls_add_certificate(px_tls *tls, const char *certificate_file,
                                            const char *key_file, px_error *out_error);

/** Adds a certificate that cannot be used now, after px_tls_add_certificate has said why, so that
 *  the others are served and no client is shown another name's: a client that asks for one of its
 * names gets the alert unrecognized_name (RFC 6066 section 3).  Where its names cannot be read
 * either, a name that no other certificate serves may be one of them, and gets it too.
 * px_tls_reload tries it again; from then on it is a certificate like the others.  Strings are
 * copied.
 *  @return PX_OK, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_tls_add_refused(px_tls *tls, const char *certificate_file,
                                        const char *key_file, px_error *out_error);

/** Tells what is wrong with a certificate that cannot be used, by its index among them, from 0.
 *  @param out_why one line, written on PX_OK; borrowed: until the next call that changes px_tls.
 *  @return PX_OK or PX_ERR_NOT_FOUND. */
PX_MUST_CHECK px_err px_tls_refused_at(const px_tls *tls, size_t index, const char **out_why);

/** Adds a certificate that is made now, signed by itself and kept in memory: for development.
 *  @param names host names or addresses, separated by commas; NULL: localhost, 127.0.0.1, ::1.
 *  @return PX_OK, PX_ERR_INVALID, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_tls_add_self_signed(px_tls *tls, const char *names, px_error *out_error);

/** Adds the certificate that px_tls_add_self_signed made for another px_tls and these very names,
 * so that clients that trust it go on: for what takes its place.  One that expires in less than 30
 * days is none.
 *  @param from not changed; it may end before `tls` does.
 *  @return PX_OK, PX_ERR_NOT_FOUND (make one), PX_ERR_INVALID, PX_ERR_LIMIT or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_tls_keep_self_signed(px_tls *tls, const char *names, const px_tls *from,
                                             px_error *out_error);

/** Adds an OCSP response (DER, RFC 6960) that is stapled to the certificate it speaks of, added
 *  before.  One that cannot be stapled as things are, because it is for none of the certificates
 *  that are served, does not say "good" or has expired, is left out (px_tls_unstapled_at); each
 *  px_tls_reload reads it again.
 *  @return PX_OK, PX_ERR_NOT_FOUND, PX_ERR_PERMISSION, PX_ERR_INVALID (there is none in the file),
 *  PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_tls_add_ocsp(px_tls *tls, const char *response_file, px_error *out_error);

/** Tells why an OCSP response is left out, by its index among those that are, from 0.
 *  @param out_why one line, written on PX_OK; borrowed: until the next call that changes px_tls.
 *  @return PX_OK or PX_ERR_NOT_FOUND. */
PX_MUST_CHECK px_err px_tls_unstapled_at(const px_tls *tls, size_t index, const char **out_why);

/** Reads every file again.  New connections get what was read, those that are open keep what they
 *  have.  One of px_tls_add_refused that still cannot be used is no error, any other one is.
 *  @return PX_OK, or with everything as it was what the calls that named the files return. */
PX_MUST_CHECK px_err px_tls_reload(px_tls *tls, px_error *out_error);

/** Goes on with another's secret, so that clients resume sessions that the other has begun: for
 * what takes its place.  Not where clients must show other certificates than there.  Each that has
 *  `ticket_keys_file` keeps its own. */
void px_tls_take_tickets(px_tls *tls, const px_tls *from);

/** A certificate that is served.  Strings are borrowed: until the next call that changes px_tls. */
typedef struct px_tls_certificate {
    size_t struct_size; /**< sizeof(px_tls_certificate). */
    const char *name;   /**< The first name it is made out for; "" without any. */
    const char *file;   /**< Where it was read from; NULL for a self-signed one. */
    int64_t not_before; /**< Seconds since 1970: valid from then on ... */
    int64_t not_after;  /**< ... to then (RFC 5280 section 4.1.2.5). */
} px_tls_certificate;

/** An empty one, for a call to fill in, as a value.  Any thread. */
static inline px_tls_certificate px_tls_certificate_default(void)
{
    px_tls_certificate certificate;

    memset(&certificate, 0, sizeof(certificate));
    certificate.struct_size = sizeof(certificate);
    return certificate;
}

/** The same. */
#define PX_TLS_CERTIFICATE_DEFAULT px_tls_certificate_default()
/** The same as an initialiser of a static. */
#define PX_TLS_CERTIFICATE_INIT PX_INIT_OF(px_tls_certificate)

/** Tells a certificate by its index, from 0, in the order they were added.  One that has expired,
 * or is not valid yet, is served all the same: compare its dates with the clock, at the start and
 *  daily, and say so.
 *  @param out_certificate written on PX_OK, its struct_size too.
 *  @return PX_OK, PX_ERR_NOT_FOUND (there are not so many) or PX_ERR_INVALID (no dates). */
PX_MUST_CHECK px_err px_tls_certificate_at(const px_tls *tls, size_t index,
                                           px_tls_certificate *out_certificate);

/** Tells a name that a certificate is made out for, by its index, from 0: "a.test", "*.a.test".
 *  @param out_name written on PX_OK; borrowed as above.
 *  @return PX_OK or PX_ERR_NOT_FOUND. */
PX_MUST_CHECK px_err px_tls_name_at(const px_tls *tls, size_t index, size_t name_index,
                                    const char **out_name);

/** The SHA-256 fingerprint of the first certificate ("AB:CD:...", 95 characters).
 *  @param out_text filled and NUL-terminated; "" without a certificate.
 *  @return its length, at most `room` - 1. */
size_t px_tls_fingerprint(const px_tls *tls, char *out_text, size_t room);

/** The same of a certificate by its index, as px_tls_certificate_at counts them. */
size_t px_tls_fingerprint_at(const px_tls *tls, size_t index, char *out_text, size_t room);

/* --- The client's side ------------------------------------------------------------------------ */

typedef struct px_tls_trust px_tls_trust; /**< What a client believes, and shows of itself. */

/** Whether a server's certificate is verified. */
typedef enum px_tls_verify {
    PX_TLS_VERIFY = 0, /**< Its chain, its dates and its name must hold. */
    PX_TLS_VERIFY_OFF  /**< Anything is taken: an attacker in between reads and changes all. */
} px_tls_verify;

/** Options of a px_tls_trust.  Zero is the default everywhere.  Strings are read in the call. */
typedef struct px_tls_trust_options {
    size_t struct_size;            /**< sizeof(px_tls_trust_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc.  OpenSSL uses malloc in any case. */
    uint32_t profile;              /**< A px_tls_profile: which versions are spoken. */
    uint32_t verify;               /**< A px_tls_verify. */
    const char *ca_file;          /**< PEM: the authorities of servers; NULL: the system's roots. */
    const char *certificate_file; /**< PEM: shown to servers that ask, chain behind it; or NULL. */
    const char *key_file;         /**< PEM: its key; NULL: in the same file. */
    uint32_t sessions_max;        /**< Hosts with a session to resume; 0: 256; PX_OFF. */
    uint32_t handshake_timeout_ms; /**< For a whole handshake; 0: 10 s; PX_OFF. */
} px_tls_trust_options;

/** The defaults, as a value.  Any thread. */
static inline px_tls_trust_options px_tls_trust_options_default(void)
{
    px_tls_trust_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_tls_trust_options, as a value. */
#define PX_TLS_TRUST_OPTIONS_DEFAULT px_tls_trust_options_default()
/** The same as an initialiser of a static. */
#define PX_TLS_TRUST_OPTIONS_INIT PX_INIT_OF(px_tls_trust_options)

/** Makes one.  Its files are read here and not again.  Clients that share it resume each other's
 *  sessions (RFC 8446 section 2.2), so one stands for one identity.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_tls_trust_destroy), or NULL: PX_ERR_INVALID, PX_ERR_NOT_FOUND or
 *  PX_ERR_PERMISSION (a file), PX_ERR_MEMORY, PX_ERR_UNSUPPORTED (built without TLS).
 *  The thread of the clients that use it. */
px_tls_trust *px_tls_trust_create(const px_tls_trust_options *options, px_error *out_error);

/** Ends it; connections that use it go on.  NULL is fine.  The thread of its clients. */
void px_tls_trust_destroy(px_tls_trust *trust);

#ifdef __cplusplus
}
#endif

#endif
