/*
 * Making HTTP requests: a client on a loop, with connections that are kept and used again.
 *
 * A px_fetch is one request and its answer.  The answer is a stream: its head, its content as it
 * arrives, its end; a receiver that is slower than the server holds it back by using fewer bytes
 * than it is shown.  No callback is ever called from inside of a call here: all come from the loop.
 * Redirects are not followed, content is not decoded, cookies are not kept: that is the caller's.
 * The thread of the client's loop.
 */
#ifndef PX_CLIENT_H
#define PX_CLIENT_H

#include "pollux/field.h"
#include "pollux/options.h"
#include "pollux/response.h"
#include "pollux/tls.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct px_client px_client; /**< A client: its connections and what it is doing. */
typedef struct px_fetch px_fetch;   /**< One request and its answer. */

/** Options of a client.  Zero is the default everywhere. */
typedef struct px_client_options {
    size_t struct_size;              /**< sizeof(px_client_options). */
    px_tls_trust *trust;             /**< For https, counted: may be destroyed by its owner.  NULL:
                                          the system's roots, read for the first https request. */
    uint32_t head_bytes_max;         /**< Of an answer's head; 0: 32 KiB, at most 1 MiB. */
    uint32_t field_count_max;        /**< Of its fields; 0: 100, at most 1,000. */
    uint32_t connections_max;        /**< In all; 0: 1,024. */
    uint32_t origin_connections_max; /**< To one origin; 0: 256. */
    uint32_t origin_idle_max;        /**< Of those, kept without a request; 0: 32; PX_OFF. */
    uint32_t fetches_max;            /**< At once, those that wait included; 0: 16,384. */
    uint32_t keep_timeout_ms;        /**< A connection without a request is kept so long; 0: 30 s,
                                          and a second less than a server's Keep-Alive says. */
    uint32_t connect_timeout_ms;     /**< For each address of a host; 0: 5 s. */
    uint32_t wait_timeout_ms;        /**< For a connection, being made or free; 0: 30 s; PX_OFF. */
    uint32_t first_byte_timeout_ms;  /**< From the request's last byte; 0: 60 s; PX_OFF. */
    uint32_t silence_timeout_ms;     /**< Between two bytes, of both; 0: 60 s; PX_OFF. */
    uint32_t total_timeout_ms;       /**< For a fetch as a whole; 0: no limit. */
} px_client_options;

/** The defaults, as a value.  Any thread. */
static inline px_client_options px_client_options_default(void)
{
    px_client_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_client_options, as a value. */
#define PX_CLIENT_OPTIONS_DEFAULT px_client_options_default()
/** The same as an initialiser of a static. */
#define PX_CLIENT_OPTIONS_INIT PX_INIT_OF(px_client_options)

/** Makes a client on a loop.
 *  @param loop borrowed: outlives the client.  @param options borrowed for the call; NULL: the
 *  defaults.
 *  @return owned by the caller (px_client_destroy), or NULL: PX_ERR_INVALID, PX_ERR_MEMORY.
 *  The loop's thread. */
px_client *px_client_create(px_loop *loop, const px_client_options *options, px_error *out_error);

/** Ends a client: what it is doing ends with PX_ERR_CANCELLED, its connections close.  Outside of
 *  callbacks it steps the loop until all that has happened; in a callback it returns at once, and
 *  the rest comes at the end of the ticks that follow (px_loop_handle_count counts it so long).
 *  @param client owned: not to be used after this; NULL is fine.  The loop's thread. */
void px_client_destroy(px_client *client);

/* --- A request -------------------------------------------------------------------------------- */

/** Which version of HTTP is spoken. */
typedef enum px_fetch_protocol {
    PX_FETCH_AUTO = 0, /**< https: HTTP/2 or HTTP/1.1, as the server chooses (ALPN); else 1.1. */
    PX_FETCH_HTTP1,    /**< HTTP/1.1. */
    PX_FETCH_HTTP2     /**< HTTP/2: by ALPN, or without TLS by prior knowledge. */
} px_fetch_protocol;

/** A set of bits. */
enum px_fetch_flags {
    PX_FETCH_EXPECT = 1,     /**< Content waits for 100 (Continue), or a second. */
    PX_FETCH_TRAILERS = 2,   /**< "TE: trailers": a trailer section is welcome. */
    PX_FETCH_FRESH = 4,      /**< A connection of its own, which is not kept afterwards. */
    PX_FETCH_ONCE = 8,       /**< It is never sent again by itself. */
    PX_FETCH_OVER_HTTP1 = 16 /**< HTTP/1.1, though the URL is h2c or ALPN would choose HTTP/2. */
};

/** What is asked for.  Zero is the default everywhere.  Everything is copied but the content. */
typedef struct px_fetch_options {
    size_t struct_size; /**< sizeof(px_fetch_options). */
    px_str method;      /**< A token; absent: GET. */
    /** "http://host[:port][/path][?query]", the same with "https://" and "h2c://" (HTTP/2 by prior
     *  knowledge), or "unix:/path" (a socket, which is asked for "/"). */
    px_str url;
    px_str target;      /**< In place of the URL's path and query: "/path?query", or "*". */
    px_str host;        /**< The value of Host; absent: the URL's. */
    px_str address;     /**< Where to connect instead: "host:port", "[v6]:port", "unix:/path". */
    px_str server_name; /**< Whose certificate it must be, with https; absent: the URL's host. */
    const px_field *fields; /**< Fields of the request, but Host and those that frame it. */
    size_t field_count;     /**< How many. */
    px_str content;         /**< Borrowed until on_end; absent: none, or what `pull` gives. */
    uint64_t pull_length;   /**< Bytes that `pull` gives, or PX_LENGTH_UNKNOWN; 0: not called. */
    px_str upgrade;         /**< HTTP/1.1: a protocol to switch to; the answer may be a tunnel. */
    px_str preamble;     /**< Sent before all else, as a PROXY header is; implies PX_FETCH_FRESH. */
    px_tls_trust *trust; /**< In place of the client's, counted; NULL: that one. */
    uint32_t protocol;   /**< A px_fetch_protocol. */
    uint32_t flags;      /**< Of enum px_fetch_flags. */
    /** As that of px_client_options, and so are those below; 0: the client's.  A connection that is
     *  being made for several requests has the timeout of the first. */
    uint32_t connect_timeout_ms;
    uint32_t wait_timeout_ms;       /**< Likewise. */
    uint32_t first_byte_timeout_ms; /**< Likewise. */
    uint32_t silence_timeout_ms;    /**< Likewise. */
    uint32_t total_timeout_ms;      /**< Likewise; PX_OFF: no limit. */
    uint32_t reserved;              /**< Zero. */
} px_fetch_options;

/** The defaults, as a value.  Any thread. */
static inline px_fetch_options px_fetch_options_default(void)
{
    px_fetch_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_fetch_options, as a value. */
#define PX_FETCH_OPTIONS_DEFAULT px_fetch_options_default()
/** The same as an initialiser of a static. */
#define PX_FETCH_OPTIONS_INIT PX_INIT_OF(px_fetch_options)

/** What a fetch reports, in this order, from the loop.  In each of them it may be cancelled.  NULL
 *  where something is not wanted. */
typedef struct px_fetch_callbacks {
    size_t struct_size; /**< sizeof(px_fetch_callbacks): members behind it are NULL. */
    /** An informational answer (RFC 9110 section 15.2) but 100: 103 with its Links, say.  Fields
     *  are borrowed until this returns. */
    void (*on_inform)(px_fetch *fetch, unsigned status, const px_field *fields, size_t field_count,
                      void *context);
    /** The head of the final answer is there: px_fetch_status and its kin tell it. */
    void (*on_head)(px_fetch *fetch, void *context);
    /** Content, borrowed until this returns: how many of the bytes, from the first, were used.
     *  After fewer than all the server is held back, and px_fetch_resume (after this has returned)
     *  shows the rest again, in front of what follows.  NULL: content is dropped. */
    size_t (*on_content)(px_fetch *fetch, px_str bytes, void *context);
    /** No more content will come; trailers are there.  Of a tunnel: the server's side has ended. */
    void (*on_content_end)(px_fetch *fetch, void *context);
    /** Gives content of the request (pull_length), or bytes for a tunnel: at most `room` bytes at
     *  `out`.  After PX_PULL_LATER px_fetch_resume asks again.  PX_PULL_ERROR ends the fetch, with
     *  PX_ERR_CANCELLED. */
    px_pull (*pull)(px_fetch *fetch, char *out, size_t room, size_t *out_bytes, void *context);
    /** The end, exactly once: the last use of the fetch.  @param error PX_OK: the answer came whole
     *  (whatever its status).  PX_ERR_TIMEOUT; PX_ERR_CLOSED: refused, or the connection ended too
     *  soon; PX_ERR_MALFORMED: the answer, or its TLS, breaks the protocol; PX_ERR_PERMISSION: the
     *  server's certificate is not to be trusted; PX_ERR_NOT_FOUND: no such host;
     *  PX_ERR_LIMIT: a head that is too large; PX_ERR_INVALID: `pull` gave another length;
     *  PX_ERR_CANCELLED; PX_ERR_MEMORY; PX_ERR_SYSTEM.  The text says more.  Borrowed. */
    void (*on_end)(px_fetch *fetch, const px_error *error, void *context);
} px_fetch_callbacks;

/** The empty callbacks, as a value.  Any thread. */
static inline px_fetch_callbacks px_fetch_callbacks_default(void)
{
    px_fetch_callbacks callbacks;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.struct_size = sizeof(callbacks);
    return callbacks;
}

/** The defaults of a px_fetch_callbacks, as a value. */
#define PX_FETCH_CALLBACKS_DEFAULT px_fetch_callbacks_default()
/** The same as an initialiser of a static. */
#define PX_FETCH_CALLBACKS_INIT PX_INIT_OF(px_fetch_callbacks)

/** Begins a request.  It is sent again by itself, once, where the server cannot have processed it:
 *  nothing of it was sent, the server said so, or a kept connection ended before a byte of the
 *  answer and the method is idempotent (RFC 9110 section 9.2.2) with its content still there.
 *  @param options borrowed for the call.  @param callbacks borrowed: outlives the fetch.
 *  @param context likewise, handed to each.
 *  @return good until on_end has returned, or NULL and no callback: PX_ERR_INVALID (the text says
 *  what is wrong), PX_ERR_LIMIT (fetches_max), PX_ERR_MEMORY, PX_ERR_UNSUPPORTED (no TLS, no
 *  HTTP/2), or what px_tls_trust_create returns.  The loop's thread. */
px_fetch *px_fetch_start(px_client *client, const px_fetch_options *options,
                         const px_fetch_callbacks *callbacks, void *context, px_error *out_error);

/** Adds a field to the trailer section of the request (RFC 9110 section 6.5), copied: in `pull`,
 *  before it returns PX_PULL_END.  Sent where the length of the content was not known
 *  (PX_LENGTH_UNKNOWN), and over HTTP/2; dropped otherwise.
 *  @return PX_OK; PX_ERR_INVALID: no field, or one that has no business in a trailer section, as
 *  what frames or routes; PX_ERR_MEMORY.  The loop's thread. */
PX_MUST_CHECK px_err px_fetch_add_trailer(px_fetch *fetch, px_str name, px_str value);

/** Gives it up: on_end comes from the loop with PX_ERR_CANCELLED, and nothing else before it.  Any
 *  number of times, at any moment before on_end has returned.  The loop's thread. */
void px_fetch_cancel(px_fetch *fetch);

/** Goes on after on_content used fewer bytes than it was shown, or `pull` said PX_PULL_LATER; never
 *  calls either itself.  The loop's thread. */
void px_fetch_resume(px_fetch *fetch);

/* --- An answer -------------------------------------------------------------------------------- */

/* From on_head on, until on_end has returned.  Strings live so long and end in NUL. */

/** Its status, 200 to 999, or 101 where the request asked for an upgrade; 0 before on_head. */
unsigned px_fetch_status(const px_fetch *fetch);

/** 10 for HTTP/1.0, 11 for HTTP/1.1, 20 for HTTP/2. */
unsigned px_fetch_version(const px_fetch *fetch);

/** The first field of that name, compared without regard to case; absent when there is none. */
px_str px_fetch_field(const px_fetch *fetch, const char *name);

/** All fields, in order, those that frame the message included. */
const px_field *px_fetch_fields(const px_fetch *fetch, size_t *out_count);

/** The trailer section's, from on_content_end on; never merged with the fields (RFC 9110 6.5). */
const px_field *px_fetch_trailers(const px_fetch *fetch, size_t *out_count);

/** The length of the content that follows, 0 without any; PX_LENGTH_UNKNOWN. */
uint64_t px_fetch_content_length(const px_fetch *fetch);

/** Whether both sides send bytes now, until each has ended: after 101, or a 2xx to CONNECT. */
int px_fetch_is_tunnel(const px_fetch *fetch);

/** How far a fetch is, or was when it ended. */
typedef struct px_fetch_facts {
    size_t struct_size;    /**< sizeof(px_fetch_facts), before the call. */
    uint64_t content_sent; /**< Bytes of its content that were handed to the connection. */
    uint32_t tries;        /**< Connections it was given to. */
    int unprocessed;       /**< 1: the server has certainly not begun it: it may be sent again. */
    int answered;          /**< 1: a byte of the answer has come. */
    int reused;            /**< 1: the last connection had served others before. */
    uint32_t connect_ms;   /**< How long that one took to be made, where it was new. */
    int stale;             /**< 1: that one was kept before, perhaps without having served any, and
                                   ended as it was used, before a byte of the answer. */
    int wants_http1;       /**< 1: the server wants it over HTTP/1.1 (RFC 9113 section 7). */
    uint32_t reserved;     /**< Zero. */
} px_fetch_facts;

/** An empty one, for a call to fill in, as a value.  Any thread. */
static inline px_fetch_facts px_fetch_facts_default(void)
{
    px_fetch_facts facts;

    memset(&facts, 0, sizeof(facts));
    facts.struct_size = sizeof(facts);
    return facts;
}

/** The same. */
#define PX_FETCH_FACTS_DEFAULT px_fetch_facts_default()
/** The same as an initialiser of a static. */
#define PX_FETCH_FACTS_INIT PX_INIT_OF(px_fetch_facts)

/** Tells them; any time until on_end has returned. */
void px_fetch_tell(const px_fetch *fetch, px_fetch_facts *out_facts);

/** The address that its connection reached ("192.0.2.1:80"), while there is one: from on_head until
 *  on_content_end.  @return its length, at most `room` - 1; 0 without one. */
size_t px_fetch_peer(const px_fetch *fetch, char *out_text, size_t room);

#ifdef __cplusplus
}
#endif

#endif
