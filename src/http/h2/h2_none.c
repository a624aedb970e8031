/*
 * A build without HTTP/2 (PX_HTTP2=OFF): there is no session to be had.
 */
#include "http/h2/h2_session.h"

px_err h2_shared_create(const struct h2_options *options, struct h2_shared **out_shared)
{
    (void)options;
    *out_shared = NULL;
    return PX_OK;
}

void h2_shared_destroy(struct h2_shared *shared)
{
    (void)shared;
}

void h2_shared_relieve(struct h2_shared *shared)
{
    (void)shared;
}

px_err h2_session_open(struct h2_shared *shared, void *context, struct h2_session **out_session)
{
    (void)shared;
    (void)context;
    (void)out_session;
    return PX_ERR_UNSUPPORTED;
}

/* Without a session none of the rest can be called. */

void h2_session_close(struct h2_session *session)
{
    (void)session;
}

void h2_session_check(const struct h2_session *session, uint32_t stream_count)
{
    (void)session;
    (void)stream_count;
}

size_t h2_session_feed(struct h2_session *session, uint64_t now_ms, px_str bytes)
{
    (void)session;
    (void)now_ms;
    return bytes.len;
}

uint32_t h2_session_take_work(struct h2_session *session)
{
    (void)session;
    return 0;
}

uint32_t h2_session_block(const struct h2_session *session)
{
    (void)session;
    return 0;
}

bool h2_session_is_draining(const struct h2_session *session)
{
    (void)session;
    return false;
}

bool h2_session_has_failed(const struct h2_session *session)
{
    (void)session;
    return true;
}

size_t h2_session_backlog(const struct h2_session *session)
{
    (void)session;
    return 0;
}

void h2_session_give(struct h2_session *session, struct h2_stream *stream, uint32_t bytes)
{
    (void)session;
    (void)stream;
    (void)bytes;
}

px_err h2_session_respond(struct h2_session *session, struct h2_stream *stream,
                          const struct h2_response *response)
{
    (void)session;
    (void)stream;
    (void)response;
    return PX_ERR_UNSUPPORTED;
}

void h2_session_inform(struct h2_session *session, struct h2_stream *stream, unsigned status,
                       const px_field *fields, uint32_t field_count)
{
    (void)session;
    (void)stream;
    (void)status;
    (void)fields;
    (void)field_count;
}

px_err h2_session_resume(struct h2_session *session, struct h2_stream *stream)
{
    (void)session;
    (void)stream;
    return PX_ERR_UNSUPPORTED;
}

void h2_session_reset(struct h2_session *session, struct h2_stream *stream, enum h2_error error)
{
    (void)session;
    (void)stream;
    (void)error;
}

bool h2_session_is_stalled(const struct h2_session *session, const struct h2_stream *stream)
{
    (void)session;
    (void)stream;
    return false;
}

size_t h2_session_render(struct h2_session *session, char *out, size_t room)
{
    (void)session;
    (void)out;
    (void)room;
    return 0;
}

void h2_session_drain(struct h2_session *session)
{
    (void)session;
}

void h2_session_terminate(struct h2_session *session, enum h2_error error)
{
    (void)session;
    (void)error;
}

bool h2_session_ping(struct h2_session *session)
{
    (void)session;
    return false;
}

bool h2_session_is_over(const struct h2_session *session)
{
    (void)session;
    return true;
}

bool h2_session_has_output(const struct h2_session *session)
{
    (void)session;
    return false;
}

uint32_t h2_session_unread(const struct h2_session *session)
{
    (void)session;
    return 0;
}

void h2_session_note_reading(struct h2_session *session, bool reads, uint32_t now_ms)
{
    (void)session;
    (void)reads;
    (void)now_ms;
}

bool h2_session_is_open(const struct h2_session *session, uint32_t *out_since_ms)
{
    (void)session;
    (void)out_since_ms;
    return false;
}
