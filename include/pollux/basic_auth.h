/*
 * Basic authentication (RFC 7617): a name and a password that a file knows.
 *
 *     px_basic_auth_options options = PX_BASIC_AUTH_OPTIONS_DEFAULT;
 *     options.realm = "staff", options.file = "/etc/site/users";
 *     px_basic_auth *auth = px_basic_auth_create(&options, &error);
 *     px_host_use(host, px_basic_auth_check, auth, px_basic_auth_destroy, &error);
 *
 * The file has `name:hash` lines as htpasswd writes them; hashes are what libcrypt takes: bcrypt,
 * SHA-crypt, yescrypt and others.  Anything weaker, and plain text, is an error with its line; so
 * is every hash where the library was built without libcrypt (PX_FEATURE_CRYPT).  The
 * file is read when this is made: to read it again, make another and serve another site.
 *
 * A password is checked by a helper thread (px_loop_work); what was right is remembered for a
 * while, by a keyed hash, so that later requests of the client pass at once.  A name that is not
 * there takes as long as one that is.  Checks wait in a queue that is fair to clients, by their
 * addresses (PX_TEMPLATE_KEY of {client}): each has its turn, and when it is full the address with
 * most of it gives way.  What gave way is answered 429; 503 where no address has more than one
 * check in it.
 *
 * Without TLS anything between reads the password.
 */
#ifndef PX_BASIC_AUTH_H
#define PX_BASIC_AUTH_H

#include "pollux/matcher.h"
#include "pollux/site.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_basic_auth px_basic_auth; /**< A realm and its users. */

/** Options of basic authentication. */
typedef struct px_basic_auth_options {
    size_t struct_size;            /**< sizeof(px_basic_auth_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc.  Used by one thread. */
    const char *realm;             /**< What clients are told; copied; NULL: "restricted". */
    const char *file;              /**< Path of the users' file; with `users` its name alone. */
    px_str users;                  /**< Copied; the text of the file; absent: it is read. */
    px_matcher *when;     /**< For requests that match alone; gets a further hold; NULL: all. */
    uint32_t running_max; /**< Checks at a time of one loop; 0: 2. */
    uint32_t waiting_max; /**< Checks that wait; 0: 64. */
    uint32_t known_max;   /**< Right passwords that are remembered; 0: 1,024; PX_OFF. */
    uint32_t known_timeout_ms; /**< For how long; 0: 5 minutes. */
} px_basic_auth_options;

/** The defaults, as a value.  Any thread. */
static inline px_basic_auth_options px_basic_auth_options_default(void)
{
    px_basic_auth_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_basic_auth_options, as a value. */
#define PX_BASIC_AUTH_OPTIONS_DEFAULT px_basic_auth_options_default()
/** The same as an initialiser of a static. */
#define PX_BASIC_AUTH_OPTIONS_INIT PX_INIT_OF(px_basic_auth_options)

/** Reads the users; may wait for the disk.
 *  @param options borrowed for the call.
 *  @return owned by the caller (px_basic_auth_destroy), or NULL: PX_ERR_INVALID (an option, or
 *  "FILE:LINE: what is wrong"), PX_ERR_LIMIT (the file has more than 1 MiB), PX_ERR_MEMORY, or what
 *  opening the file gave (PX_ERR_NOT_FOUND, PX_ERR_PERMISSION, PX_ERR_SYSTEM).  Any thread. */
px_basic_auth *px_basic_auth_create(const px_basic_auth_options *options, px_error *out_error);

/** The middleware: goes on with what carries a right password, answers all else 401 with
 *  WWW-Authenticate.  @param auth the px_basic_auth, which one loop uses.  The thread of the
 *  server's loop. */
px_verdict px_basic_auth_check(px_exchange *exchange, void *auth);

/** Ends it; to be handed on as `release`.  NULL is fine.  The thread of the server's loop, while no
 *  exchange waits for it. */
void px_basic_auth_destroy(void *auth);

#ifdef __cplusplus
}
#endif

#endif
