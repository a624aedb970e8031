/*
 * What an engine is: the functions that a file engine_NAME.c provides, of which CMake builds one.
 *
 * The shared half of a stream (inbox, reports, closing) is stream.c; the engine decides when to
 * make which system call.  To add an engine, write engine_NAME.c with these functions and name it
 * in src/io/CMakeLists.txt.
 */
#ifndef PX_IO_ENGINE_H
#define PX_IO_ENGINE_H

#include "io/io.h"

/* Makes the engine of a loop: PX_OK, PX_ERR_MEMORY or a category of errno. */
PX_MUST_CHECK px_err engine_create(px_loop *loop, px_error *out_error);
void engine_destroy(px_loop *loop);

/* In a fork: a set of this process's own, with every handle that is registered. */
PX_MUST_CHECK px_err engine_renew(px_loop *loop, px_error *out_error);

/* The descriptor that is readable when there are events. */
int engine_fd(const px_loop *loop);

/* Waits at most `timeout_ms` (-1: for ever), reads the clocks, and runs every handle that has
 * events. */
PX_MUST_CHECK px_err engine_wait(px_loop *loop, int timeout_ms, px_error *out_error);

/* Runs a handle from the again list. */
void engine_run(struct io_handle *handle);

/* A stream was attached and recv_start was called, or parked bytes wait: see to it that the loop
 * runs it.  Never calls back. */
void engine_recv(px_stream *stream);

/* Begins to send stream->parts: true when all was taken, else the end is reported by the loop. */
bool engine_send(px_stream *stream);

/* Ends our side of a stream. */
void engine_shutdown(px_stream *stream);

/* Begins, pauses and ends accepting. */
PX_MUST_CHECK px_err engine_accept_start(struct io_acceptor *acceptor, px_error *out_error);
void engine_accept_resume(struct io_acceptor *acceptor); /* tries again by itself if it fails */
void engine_accept_stop(struct io_acceptor *acceptor);
bool engine_accept_take(struct io_acceptor *acceptor); /* at once; whether nothing waits any more */

/* Begins, changes and ends a watch. */
PX_MUST_CHECK px_err engine_watch(struct px_watch *watch, px_error *out_error);
PX_MUST_CHECK px_err engine_watch_change(struct px_watch *watch);

/* Takes a handle off the engine; its descriptor stays open. */
void engine_detach(struct io_handle *handle);

/* Closes a stream's descriptor for good, with a reset when STREAM_RESET says so. */
void engine_close(px_stream *stream);

/* States what must hold at the end of a tick; for tests. */
void engine_check(const px_loop *loop);

/* Whether accept failed for this one connection only, and may be called again at once. */
bool accept_error_passes(int sys_errno);

/* Closes what was just accepted where it has waited for too long (accept_late.c). */
bool accept_closes(struct io_acceptor *acceptor, int fd);

#endif
