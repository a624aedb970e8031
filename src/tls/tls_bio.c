/*
 * The BIO of a session.
 *
 * OpenSSL takes a record in two reads, head and rest, straight out of the bytes that were received,
 * and writes each record once, into the queue.  Nothing to read, or no room to write, is "try
 * again", as with a socket.  Of a peer that floods, or says that its hello is huge, there is
 * nothing more to read, which ends the session.
 */
#include "tls/tls_bio.h"

#include <string.h>

#include "tls/tls_session.h"

static int bio_read(BIO *bio, char *out, int room)
{
    struct tls_session *session = BIO_get_data(bio);
    size_t count = session->in.len < (size_t)room ? session->in.len : (size_t)room;

    BIO_clear_retry_flags(bio);
    if (tls_session_is_flooded(session))
        return -1;
    if (count == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (!session->established && session->context &&
        !tls_measure_feed(&session->measure, px_str_make(session->in.ptr, count)))
        return -1;
    memcpy(out, session->in.ptr, count);
    session->in = px_str_make(session->in.ptr + count, session->in.len - count);
    return (int)count;
}

static int bio_write(BIO *bio, const char *bytes, int count)
{
    struct tls_session *session = BIO_get_data(bio);
    size_t taken = tls_queue_append(&session->out, bytes, (size_t)count);

    BIO_clear_retry_flags(bio);
    if (taken == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    return (int)taken;
}

static long bio_control(BIO *bio, int command, long number, void *ptr)
{
    (void)bio;
    (void)number;
    (void)ptr;
    return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *tls_bio_method(void)
{
    /* No index of its own: those are few, and only needed to look for a BIO in a chain. */
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "pollux session");

    if (method && BIO_meth_set_read(method, bio_read) == 1 &&
        BIO_meth_set_write(method, bio_write) == 1 && BIO_meth_set_ctrl(method, bio_control) == 1)
        return method;
    BIO_meth_free(method);
    return NULL;
}

BIO *tls_bio_create(const BIO_METHOD *method, struct tls_session *session)
{
    BIO *bio = BIO_new(method);

    if (!bio)
        return NULL;
    BIO_set_data(bio, session);
    BIO_set_init(bio, 1);
    return bio;
}
