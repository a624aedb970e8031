/*
 * Compressing answers on the fly, by zstd, br or gzip, as Accept-Encoding asks (RFC 9110 section
 * 12.5.3): a response filter that serves every handler of a server.
 *
 *     px_server_compress(server, NULL, &error);
 *
 * An answer is coded when its media type is one that shrinks (text, JSON, SVG, ...), its length is
 * unknown or at least `bytes_min`, and nothing speaks against it: a Content-Encoding or
 * Content-Range that is there already, `Cache-Control: no-transform`, a digest of the content, an
 * HTTP/1.0 client.  Then it gets Content-Encoding, loses Accept-Ranges, and a strong ETag is given
 * the coding behind its text ("abc" becomes "abc-gzip"), which If-None-Match then matches.  Answers
 * that could be coded say `Vary: Accept-Encoding`, whether they are or not.  Content is coded as
 * it is sent; what a producer or writer has given so far is flushed when it has no more for now.
 *
 * Do not compress, over TLS, answers that hold both a secret and text that a stranger chose
 * (BREACH): the length of the answer tells him whether the two are alike.  A handler says so with
 * `Cache-Control: no-transform`.
 */
#ifndef PX_COMPRESS_H
#define PX_COMPRESS_H

#include "pollux/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Content codings, to be or-ed. */
typedef enum px_coding {
    PX_CODING_GZIP = 1 << 1,   /**< gzip (RFC 1952). */
    PX_CODING_BROTLI = 1 << 2, /**< br (RFC 7932). */
    PX_CODING_ZSTD = 1 << 3    /**< zstd (RFC 8878), with a window of 256 KiB. */
} px_coding;

/** Options of compressing. */
typedef struct px_compress_options {
    size_t struct_size; /**< sizeof(px_compress_options). */
    uint32_t codings;   /**< Of px_coding; 0: all that this library was built with. */
    uint32_t bytes_min; /**< Shorter content is not worth it; 0: 1 KiB. */
    /** Memory of coders at work (gzip takes 0.3, zstd 1.6, br 3 MiB each); when it does not suffice
     *  answers go out as they are.  0: 64 MiB. */
    uint32_t memory_bytes_max;
    /** Memory for coded content with a strong ETag and a known length, to be sent again without
     *  coding it again; 0: 16 MiB; PX_OFF. */
    uint32_t cache_bytes_max;
    const px_allocator *allocator; /**< Copied; NULL: malloc.  px_server_compress: the loop's. */
} px_compress_options;

/** The defaults, as a value.  Any thread. */
static inline px_compress_options px_compress_options_default(void)
{
    px_compress_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_compress_options, as a value. */
#define PX_COMPRESS_OPTIONS_DEFAULT px_compress_options_default()
/** The same as an initialiser of a static. */
#define PX_COMPRESS_OPTIONS_INIT PX_INIT_OF(px_compress_options)

/** The codings that this library was built with, of px_coding.  Any thread. */
uint32_t px_compress_codings(void);

/** Registers the filter.  Those registered before it see the content as the handler gives it, those
 *  after it what is sent.  @param options borrowed for the call; NULL: the defaults.
 *  @return PX_OK, PX_ERR_INVALID (a coding that is not there), PX_ERR_MEMORY, PX_ERR_LIMIT.
 *  The thread that made the server. */
PX_MUST_CHECK px_err px_server_compress(px_server *server, const px_compress_options *options,
                                        px_error *out_error);

/** Coders and cache of the filter, for hosts and routes that register it themselves. */
typedef struct px_compress px_compress;

/** Makes what the filter works with: one for all routes of a loop, whose memory it bounds in sum.
 *
 *     px_filter_use use = {px_compress_filter(), compress, px_compress_destroy};
 *
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return the caller's hold (px_compress_destroy), or NULL: PX_ERR_INVALID (a coding that is not
 *  there), PX_ERR_MEMORY.  Any thread; it is used by the one of its loop. */
px_compress *px_compress_create(const px_compress_options *options, px_error *out_error);

/** Another hold, for a further `release`.  The loop's thread. */
px_compress *px_compress_hold(px_compress *compress);

/** The filter, whose context is a px_compress.  Static.  Any thread. */
const px_filter *px_compress_filter(void);

/** Gives a hold up; to be handed on as `release`.  NULL is fine.  The loop's thread. */
void px_compress_destroy(void *compress);

#ifdef __cplusplus
}
#endif

#endif
