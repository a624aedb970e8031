/*
 * Content of a request, or of one part of a form, written to a descriptor by a helper thread.
 *
 *     px_request_save(exchange, fd, 10 << 20, on_saved, upload);     in the handler
 *     px_part_save(exchange, fd, 10 << 20, on_saved, upload);        in on_part
 *
 * What comes is copied once and written behind the loop's back, 64 KiB at a time; while as much
 * waits, the peer is held back.  So a slow disk slows the peer down and nothing else, and an upload
 * that stands still holds no memory.
 */
#ifndef PX_SAVE_H
#define PX_SAVE_H

#include "pollux/exchange.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How saving has ended. */
typedef struct px_saved {
    size_t struct_size; /**< Of the library's: what lies behind is not there. */
    uint64_t bytes;     /**< Bytes that were written, from the first. */
    px_err status;      /**< PX_OK: all of it; PX_ERR_LIMIT: a part has more than `bytes_max`;
                             PX_ERR_CLOSED: the exchange ended before; PX_ERR_MEMORY; else the
                             category of what write(2) said, such as PX_ERR_SYSTEM. */
    int sys_errno;      /**< What write(2) said (ENOSPC, EFBIG, EIO), or 0. */
} px_saved;

/** Is told once for each px_request_save and px_part_save that returned PX_OK, from the loop: from
 *  then on the descriptor is the program's alone.
 *  @param exchange to be answered; NULL when it has ended, and on_end was called then.
 *  @param saved borrowed until this returns.  @param context as given. */
typedef void (*px_saved_fn)(px_exchange *exchange, const px_saved *saved, void *context);

/** Writes the request's content to a descriptor; on_content is not called any more.  Call it from
 *  the handler (or pause before that returns, as for px_request_collect).
 *  @param fd borrowed until on_saved: a file, from its position on.  What can wait for ever, such
 *  as a pipe, keeps a helper thread that long; one that does not block fails where it is full.
 *  @param bytes_max more than that is answered 413 by pollux (then on_saved has no exchange); so is
 *  more than content_bytes_max of the route (1 MiB unless set), which this cannot raise.
 *  @param on_saved called once all is written or it failed; after a failure the rest is dropped,
 *  and it is for the program to answer.  @param context borrowed until on_saved.
 *  @return PX_OK; on_saved is not called after PX_ERR_INVALID (content has gone by, or a form is
 *  read), PX_ERR_CONFLICT (it is being saved), PX_ERR_MEMORY, PX_ERR_CLOSED (the exchange has
 *  ended).  The loop's thread. */
PX_MUST_CHECK px_err px_request_save(px_exchange *exchange, int fd, uint64_t bytes_max,
                                     px_saved_fn on_saved, void *context);

/** Writes a part of a form to a descriptor, in place of on_part_content; only in on_part of
 *  px_multipart_callbacks.  on_saved comes before on_part_end, and the next part after that.
 *  @param bytes_max more than that ends it with PX_ERR_LIMIT; the form goes on.  The whole form is
 *  within content_bytes_max of the route (1 MiB unless set), or is answered 413.
 *  Else as px_request_save; PX_ERR_INVALID: not in on_part. */
PX_MUST_CHECK px_err px_part_save(px_exchange *exchange, int fd, uint64_t bytes_max,
                                  px_saved_fn on_saved, void *context);

#ifdef __cplusplus
}
#endif

#endif
