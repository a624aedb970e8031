/*
 * Answering.  None of these returns an error: a call that breaks a rule (a second answer, a field
 * with CR, LF or NUL, a status outside 200 to 599, a 2xx to CONNECT that is no tunnel) aborts the
 * exchange, and on_end says so.  Before anything was sent the peer then gets a 500 in place of the
 * answer; after that the answer ends visibly broken.  A head of more than 16 KiB does too, with
 * PX_END_NO_MEMORY.  A px_body, px_file_range, px_producer or px_cookie begins with its size: one
 * without breaks a rule too, and since nothing of it can be read its `release` is not called.
 * The thread of the server's loop.
 */
#ifndef PX_RESPONSE_H
#define PX_RESPONSE_H

#include "pollux/exchange.h"
#include "pollux/field.h"
#include "pollux/options.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Content that is not copied. */
typedef struct px_body {
    size_t struct_size; /**< sizeof(px_body). */
    px_str bytes;       /**< Stays as it is until `release` is called. */
    /** Called once when pollux has done with the bytes, whatever became of them; NULL: static. */
    void (*release)(void *context);
    void *context; /**< Handed to `release`. */
} px_body;

/** Empty, as a value.  Any thread. */
static inline px_body px_body_default(void)
{
    px_body empty;

    memset(&empty, 0, sizeof(empty));
    empty.struct_size = sizeof(empty);
    return empty;
}

/** An empty px_body, as a value. */
#define PX_BODY_DEFAULT px_body_default()
/** The same as an initialiser of a static. */
#define PX_BODY_INIT PX_INIT_OF(px_body)

/** The length of content that is not known in advance (chunked in HTTP/1.1). */
#define PX_LENGTH_UNKNOWN UINT64_MAX

/** Answers with content that is copied: at most px_server_options.respond_bytes_max, more is
 *  PX_END_NO_MEMORY.  With HEAD the content is left out by itself.
 *  @param status 200 to 599.  @param type Content-Type, copied; absent: none. */
void px_respond(px_exchange *exchange, unsigned status, px_str type, px_str content);

/** Answers with text of type `text/plain; charset=utf-8`, copied.  @param text NUL-terminated. */
void px_respond_text(px_exchange *exchange, unsigned status, const char *text);

/** Answers with content that is not copied.  @param body copied; its `release` is called once in
 *  any case. */
void px_respond_body(px_exchange *exchange, unsigned status, px_str type, const px_body *body);

/** Answers with content that is handed over: what malloc gave, a text that a library has made.
 *  @param memory freed with free() once it is sent, whatever became of it; NULL with 0 bytes is an
 *  empty content. */
void px_respond_take(px_exchange *exchange, unsigned status, px_str type, void *memory,
                     size_t bytes);

/** A range of an open file. */
typedef struct px_file_range {
    size_t struct_size; /**< sizeof(px_file_range). */
    int fd;             /**< Borrowed until `release` is called. */
    uint64_t offset;    /**< First byte. */
    uint64_t length;    /**< Bytes.  When the file proves shorter, the answer ends visibly broken
                             (PX_END_ABORTED). */
    void (*release)(int fd, void *context); /**< Called once, whatever became of it; may be NULL. */
    void *context;                          /**< Handed to `release`. */
    /** Where pollux notes when it has sent all of the file without waiting for the disk, so that
     * the next answer with it need not look into the page cache piece by piece: a time of the
     * loop's clock, 0 at first.  Borrowed as `fd` is, shared by all answers with the same file, and
     * given with the whole of it alone; NULL: not noted. */
    uint64_t *warm_ms;
} px_file_range;

/** Empty, as a value.  Any thread. */
static inline px_file_range px_file_range_default(void)
{
    px_file_range empty;

    memset(&empty, 0, sizeof(empty));
    empty.struct_size = sizeof(empty);
    return empty;
}

/** An empty px_file_range, as a value. */
#define PX_FILE_RANGE_DEFAULT px_file_range_default()
/** The same as an initialiser of a static. */
#define PX_FILE_RANGE_INIT PX_INIT_OF(px_file_range)

/** Answers with a range of a file.  @param range copied. */
void px_respond_file(px_exchange *exchange, unsigned status, px_str type,
                     const px_file_range *range);

/** What a producer answers when it is asked. */
typedef enum px_pull {
    PX_PULL_MORE,  /**< *out_bytes bytes (at least 1) were written; ask again when there is room. */
    PX_PULL_LATER, /**< Nothing now; px_resume asks again. */
    PX_PULL_END,   /**< *out_bytes bytes (may be 0) were written, and they were the last. */
    PX_PULL_ERROR  /**< It cannot go on: the answer ends visibly broken. */
} px_pull;

/** A producer of content: not asking it is the brake. */
typedef struct px_producer {
    size_t struct_size; /**< sizeof(px_producer). */
    /** Writes at most `room` bytes at `out` and says how many. */
    px_pull (*pull)(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                    void *context);
    /** Called once when it will not be asked again; may be NULL. */
    void (*release)(void *context);
    void *context; /**< Handed to both. */
} px_producer;

/** Empty, as a value.  Any thread. */
static inline px_producer px_producer_default(void)
{
    px_producer empty;

    memset(&empty, 0, sizeof(empty));
    empty.struct_size = sizeof(empty);
    return empty;
}

/** An empty px_producer, as a value. */
#define PX_PRODUCER_DEFAULT px_producer_default()
/** The same as an initialiser of a static. */
#define PX_PRODUCER_INIT PX_INIT_OF(px_producer)

/** Answers with what a producer gives.
 *  @param length in bytes, or PX_LENGTH_UNKNOWN.  More or fewer than declared aborts.
 *  @param producer copied. */
void px_respond_producer(px_exchange *exchange, unsigned status, px_str type, uint64_t length,
                         const px_producer *producer);

/** Asks a producer again after PX_PULL_LATER, from the loop; never calls it itself.  Does nothing
 *  where it does not wait, or the exchange has ended. */
void px_resume(px_exchange *exchange);

/** Keeps this exchange out of the access log, whatever its route says: what asks every second
 *  whether a server is there, say.  Before the exchange has ended; the thread of its loop. */
void px_response_unlogged(px_exchange *exchange);

/** Sends content of an answer that was begun with px_respond_producer from where it lies, as far as
 *  the peer's connection takes it at once; nothing is kept.  Only between a PX_PULL_LATER and the
 *  px_resume for it, and never more than the declared length has left.
 *  @param bytes borrowed for the call.
 *  @return how many of them, from the first, were sent and count as produced.  0 where that cannot
 *  be: no length was declared, a filter sees the content, the peer speaks TLS or HTTP/2, or its
 *  connection is full: `pull` has to give them then. */
size_t px_response_offer(px_exchange *exchange, px_str bytes);

/** Answers with a redirect (RFC 9110 section 15.4).  @param status 301, 302, 303, 307 or 308.
 *  Another one aborts.  @param location a URI reference, copied; CR, LF and other controls abort.
 */
void px_respond_redirect(px_exchange *exchange, unsigned status, px_str location);

/** Answers with the server's error page for `status` (400 to 599): what the error-page hook makes,
 *  else one line of text. */
void px_respond_error(px_exchange *exchange, unsigned status);

/** Says which state the answer is of, and spares its content where the client has it: adds ETag and
 *  Last-Modified, and looks at the request's preconditions (RFC 9110 section 13).  For GET and
 * HEAD; of other methods If-Match and the like are looked at too, before the handler changes
 * anything.
 *  @param etag with its quotes, copied; absent: none.  A weak one (`W/"..."`) fails If-Match.
 *  @param modified Unix seconds; 0: it is not known.
 *  @return 1: it has answered with 304 or 412; 0: it is for the handler to answer. */
int px_respond_unless_modified(px_exchange *exchange, px_str etag, int64_t modified);

/** Answers with what another path of the same host answers with: an internal redirect, for error
 *  pages above all.  The path's route is looked up from the loop, and its handler called, with a
 * GET (HEAD stays HEAD) without content; site's and host's middleware is not run again, the route's
 * own is.  Fields that were set stay.  What the handler of before has set (callbacks) is told of
 * the end all the same.  In on_error_page this is an answer.
 *  @param status of the answer, whatever the handler says, 200 to 599; then the request's
 *  preconditions and Range are not looked at.  0: the handler's own.
 *  @param target origin-form, as px_request_rewrite.  What has no route there, or is an error, gets
 *  the error page of `status` (of 404, ..., where that is below 400).
 *  @return PX_OK; nothing was done: PX_ERR_INVALID (target, status, CONNECT), PX_ERR_LIMIT (a
 * second one of an exchange), PX_ERR_CONFLICT (there is an answer), PX_ERR_MEMORY, PX_ERR_CLOSED.
 */
PX_MUST_CHECK px_err px_respond_from(px_exchange *exchange, unsigned status, px_str target);

/* --- Fields ----------------------------------------------------------------------------------- */

/** Adds a field to the answer, before it begins; copied.  Framing fields (Content-Length,
 *  Transfer-Encoding, Connection, Keep-Alive, Upgrade, TE, Trailer) abort: they are pollux's own.
 */
void px_response_add_field(px_exchange *exchange, px_str name, px_str value);

/** As px_response_add_field, in place of all of that name; an absent value removes them.  Date and
 *  Server may be replaced or removed. */
void px_response_set_field(px_exchange *exchange, px_str name, px_str value);

/** Adds a field of an answer that another program has made (a WSGI application, a CGI program, a
 *  server behind): what px_response_add_field refuses is left out and breaks nothing.  Framing
 *  fields are pollux's own; of them `Connection: close` is heeded (px_response_close).
 *  @return 1; 0: it is left out. */
int px_response_pass_field(px_exchange *exchange, px_str name, px_str value);

/** Has the connection end behind this answer (HTTP/1; RFC 9112 section 9.6).  Over HTTP/2, which
 *  many requests share, it does nothing.  Before the answer begins; else it does nothing. */
void px_response_close(px_exchange *exchange);

/** A Content-Type and fields that are kept ready for many answers. */
typedef struct px_kept_fields {
    px_str type;            /**< Content-Type; absent: none. */
    const px_field *fields; /**< None of them a framing field, Content-Type, Date or Server. */
    uint32_t count;         /**< Of fields, at most 1000. */
    uint32_t checked; /**< 0 at first, and after a change; pollux notes here that it has looked
                           whether they are valid. */
} px_kept_fields;

/** Gives the answer a type and fields without a copy.
 *  @param kept borrowed for the call; the fields and all text until the content's `release`, or
 *  on_end.  What cannot be sent aborts, as with px_response_add_field. */
void px_response_lend(px_exchange *exchange, px_kept_fields *kept);

/** The first field of the answer with that name, as set so far (for filters). */
px_str px_response_field(const px_exchange *exchange, const char *name);

/** All fields of the answer but Content-Type, as set so far (for filters); *out_count says how
 * many. Owned by the exchange, until the next change of them. */
const px_field *px_response_fields(const px_exchange *exchange, size_t *out_count);

/** Adds a trailer field, copied: sent over HTTP/2, and over HTTP/1.1 where the length of the
 * content is unknown; dropped otherwise.  What px_response_add_field refuses aborts.  Any time
 * before the end of the content. */
void px_response_add_trailer(px_exchange *exchange, px_str name, px_str value);

/** The status of the answer, 0 before there is one; while the page of an error is made, that of the
 * error. */
unsigned px_response_status(const px_exchange *exchange);

/** Changes the status before the head is sent (for filters). */
void px_response_set_status(px_exchange *exchange, unsigned status);

/* --- Content, for filters --------------------------------------------------------------------- */

/** What the content of an answer is. */
typedef enum px_source {
    PX_SOURCE_NONE,     /**< There is no answer. */
    PX_SOURCE_BYTES,    /**< px_respond, px_respond_body. */
    PX_SOURCE_FILE,     /**< px_respond_file. */
    PX_SOURCE_PRODUCER, /**< px_respond_producer. */
    PX_SOURCE_PIECES,   /**< px_response_start. */
    PX_SOURCE_TUNNEL    /**< px_respond_tunnel. */
} px_source;

/** What the content of the answer is. */
px_source px_response_source(const px_exchange *exchange);

/** Its length in bytes, or PX_LENGTH_UNKNOWN; as the handler declared it, until on_head of the last
 *  filter has returned. */
uint64_t px_response_length(const px_exchange *exchange);

/** The descriptor of a file that is sent, borrowed until on_end of the filter; -1: it is none. */
int px_response_fd(const px_exchange *exchange);

/** Whether a filter that is nearer to the handler takes the content: 1 or 0. */
int px_response_is_filtered(const px_exchange *exchange);

/** In on_head: puts other content in place of the handler's, which is released, and its length.
 *  @param body copied; its `release` is called once in any case. */
void px_response_replace(px_exchange *exchange, const px_body *body);

/** Attributes of a cookie. */
typedef struct px_cookie {
    size_t struct_size; /**< sizeof(px_cookie). */
    px_str name;        /**< A token. */
    px_str value;       /**< Cookie octets (RFC 6265 section 4.1.1). */
    px_str path;        /**< Absent: not sent. */
    px_str domain;      /**< Absent: not sent. */
    px_str same_site;   /**< "Lax", "Strict" or "None"; absent: not sent. */
    int64_t max_age_s;  /**< 0: a session cookie; below 0: delete it. */
    int secure;         /**< 1: Secure. */
    int http_only;      /**< 1: HttpOnly. */
} px_cookie;

/** Empty, as a value.  Any thread. */
static inline px_cookie px_cookie_default(void)
{
    px_cookie empty;

    memset(&empty, 0, sizeof(empty));
    empty.struct_size = sizeof(empty);
    return empty;
}

/** An empty px_cookie, as a value. */
#define PX_COOKIE_DEFAULT px_cookie_default()
/** The same as an initialiser of a static. */
#define PX_COOKIE_INIT PX_INIT_OF(px_cookie)

/** Adds a Set-Cookie field.  @param cookie copied.  An invalid one aborts: a name or value with
 *  bytes that RFC 6265 section 4.1.1 does not allow, a path or domain with control bytes or ";",
 *  another `same_site`, or more than a browser keeps (4 KiB of name and value); and what user
 * agents refuse: "None" or a name in __Secure- without `secure`, a name in __Host- without
 * `secure`, with a domain or with another path than "/". */
void px_response_add_cookie(px_exchange *exchange, const px_cookie *cookie);

/** Sends an informational response (100 to 199 but 101) with a field, at once; nothing to an
 * HTTP/1.0 peer.  Another status, an invalid field, or a call once there is an answer aborts.
 *  @param name copied, absent: no field; `Link` for 103 (RFC 8297).  @param value copied. */
void px_response_inform(px_exchange *exchange, unsigned status, px_str name, px_str value);

/** As px_response_inform, with any number of fields.  One that is large may be left out, as all of
 *  it where the peer does not read.
 *  @param fields copied; none of them frames a message.  @param field_count at most 1,000. */
void px_response_inform_fields(px_exchange *exchange, unsigned status, const px_field *fields,
                               size_t field_count);

/* --- In pieces -------------------------------------------------------------------------------- */

/** Begins an answer whose content the program writes in pieces.
 *  @param length in bytes, or PX_LENGTH_UNKNOWN. */
void px_response_start(px_exchange *exchange, unsigned status, px_str type, uint64_t length);

/** Writes a piece, copied.  More than px_response_room has aborts (PX_END_NO_MEMORY). */
void px_response_write(px_exchange *exchange, px_str bytes);

/** How many bytes px_response_write takes now.  After it said less than half of output_bytes_max,
 *  on_room comes once, when half is free. */
size_t px_response_room(px_exchange *exchange);

/** Ends an answer that was begun with px_response_start. */
void px_response_end(px_exchange *exchange);

/* --- Tunnels ---------------------------------------------------------------------------------- */

/** What a tunnel reports: bytes both ways after an upgrade or CONNECT. */
typedef struct px_tunnel_callbacks {
    size_t struct_size; /**< sizeof(px_tunnel_callbacks): members behind it are NULL. */
    /** Bytes from the peer, borrowed; all of them count as used (px_request_pause slows it down).
     */
    void (*on_receive)(px_exchange *exchange, px_str bytes, void *context);
    /** The peer has ended its side; ours goes on until px_response_end. */
    void (*on_receive_end)(px_exchange *exchange, void *context);
    /** As on_room of px_exchange_callbacks. */
    void (*on_room)(px_exchange *exchange, void *context);
    /** In place of on_receive: as on_content_some of px_exchange_callbacks. */
    size_t (*on_receive_some)(px_exchange *exchange, px_str bytes, void *context);
    /** In place of px_response_write and px_response_end: is asked for what is to be sent, as
     * `pull` of a px_producer, and px_resume asks again; PX_PULL_END ends our side.  NULL: they are
     * used.
     */
    px_pull (*on_pull)(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                       void *context);
} px_tunnel_callbacks;

/** A table without callbacks, as a value.  Any thread. */
static inline px_tunnel_callbacks px_tunnel_callbacks_default(void)
{
    px_tunnel_callbacks callbacks;

    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.struct_size = sizeof(callbacks);
    return callbacks;
}

/** The same. */
#define PX_TUNNEL_CALLBACKS_DEFAULT px_tunnel_callbacks_default()
/** The same as an initialiser of a static. */
#define PX_TUNNEL_CALLBACKS_INIT PX_INIT_OF(px_tunnel_callbacks)

/** Answers 101 with `Upgrade: protocol` (the request must ask for it, HTTP/1.1), or 200 to CONNECT,
 *  and turns the exchange into a two-way tunnel: px_response_write sends, px_response_end ends.
 *  @param protocol a token; absent for CONNECT.  @param callbacks borrowed: outlives the exchange.
 *  A request that cannot be a tunnel is answered 400. */
void px_respond_tunnel(px_exchange *exchange, px_str protocol, const px_tunnel_callbacks *callbacks,
                       void *context);

#ifdef __cplusplus
}
#endif

#endif
