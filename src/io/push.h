/*
 * Sending the parts of a stream, as far as the kernel takes them; for engines that make the calls
 * themselves.
 */
#ifndef PX_IO_PUSH_H
#define PX_IO_PUSH_H

#include "io/io.h"

enum push_result {
    PUSH_DONE,   /* all parts are out */
    PUSH_FULL,   /* the kernel has no room now */
    PUSH_BUDGET, /* this stream has had its turn */
    PUSH_FAILED  /* stream->send_errno says why */
};

/* Goes on with stream->parts; advances them and sent_bytes. */
enum push_result stream_push(px_stream *stream);

/* Sends what the system takes at once of bytes that are not kept: how many; 0 while a send is in
 * flight. */
size_t stream_offer(px_stream *stream, px_str bytes);

/* Takes a SIGPIPE that is pending for this thread, inside of a tick, where it is blocked. */
void sigpipe_drain(void);

#endif
