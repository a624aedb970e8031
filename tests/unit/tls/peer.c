/*
 * The client of the tests.
 */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "lib/test.h"

SSL_CTX *peer_context(const char *ca_file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    assert_non_null(ctx);
    if (ca_file) {
        assert_int_equal(SSL_CTX_load_verify_file(ctx, ca_file), 1);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    return ctx;
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct peer *peer = SSL_get_app_data(ssl);

    if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT)
        peer->alert = value & 0xff;
}

void peer_init(struct peer *peer, px_tls *tls, SSL_CTX *ctx, const char *name, size_t piece)
{
    memset(peer, 0, sizeof(*peer));
    peer->alert = -1;
    peer->piece = piece;
    pool_init(&peer->pool, &alloc_libc, sizeof(struct tls_block), 2, 64);
    assert_int_equal(tls_session_init(&peer->session, tls, &peer->pool), PX_OK);
    peer->ssl = SSL_new(ctx);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_connect_state(peer->ssl);
    SSL_set_app_data(peer->ssl, peer);
    SSL_set_info_callback(peer->ssl, on_info);
    if (name) {
        assert_int_equal(SSL_set_tlsext_host_name(peer->ssl, name), 1);
        assert_int_equal(SSL_set1_host(peer->ssl, name), 1);
    }
}

void peer_deinit(struct peer *peer)
{
    SSL_free(peer->ssl);
    tls_session_deinit(&peer->session);
    pool_deinit(&peer->pool);
}

/* What the session has to say, and how large its records are. */
static bool to_client(struct peer *peer)
{
    px_part parts[TLS_BLOCKS_MAX];
    uint32_t bytes;
    size_t count = tls_queue_parts(&peer->session.out, parts, &bytes);
    size_t at = 0;
    char *flat;

    if (bytes == 0)
        return false;
    flat = malloc(bytes);
    assert_non_null(flat);
    for (size_t index = 0; index < count; at += parts[index++].bytes.len)
        memcpy(flat + at, parts[index].bytes.ptr, parts[index].bytes.len);
    for (at = 0; at + 5 <= bytes;) {
        size_t record = (size_t)(unsigned char)flat[at + 3] << 8 | (unsigned char)flat[at + 4];

        if (record > peer->record_max)
            peer->record_max = record;
        peer->record_count++;
        at += 5 + record;
    }
    assert_int_equal(BIO_write(peer->in, flat, (int)bytes), (int)bytes);
    tls_queue_drop(&peer->session.out, bytes);
    free(flat);
    return true;
}

/* One turn of the session with what it has in `in`. */
static void session_turn(struct peer *peer)
{
    struct tls_session *session = &peer->session;

    if (!session->established && !session->failed) {
        peer->err = tls_session_handshake(session);
        if (peer->err != PX_OK)
            return;
    }
    while (!session->failed) {
        size_t bytes = 0, room = sizeof(peer->received) - peer->received_len;

        peer->err = tls_session_read(session, peer->received + peer->received_len, room, &bytes);
        if (peer->err != PX_OK)
            return;
        peer->received_len += bytes;
    }
}

static bool to_session(struct peer *peer)
{
    char bytes[64 * 1024];
    size_t piece = peer->piece && peer->piece < sizeof(bytes) ? peer->piece : sizeof(bytes);
    int count = BIO_read(peer->out, bytes, (int)piece);

    if (count <= 0)
        return false;
    peer->session.in = px_str_make(bytes, (size_t)count);
    session_turn(peer);
    /* What is left belongs to a session that has ended. */
    if (peer->session.in.len > 0)
        assert_true(peer->session.failed || peer->session.peer_closed);
    peer->session.in = px_str_make(NULL, 0);
    return true;
}

void peer_pump(struct peer *peer)
{
    bool moved = true;

    while (moved) {
        if (SSL_in_init(peer->ssl))
            SSL_do_handshake(peer->ssl);
        else
            SSL_peek(peer->ssl, &(char){0}, 1); /* tickets, key updates, alerts */
        moved = to_client(peer);
        moved = to_session(peer) || moved;
    }
}

bool peer_shake(struct peer *peer)
{
    peer_pump(peer);
    return peer->session.established && SSL_is_init_finished(peer->ssl);
}

void peer_ask(struct peer *peer, const char *bytes, size_t count)
{
    size_t before = peer->received_len;

    assert_int_equal(SSL_write(peer->ssl, bytes, (int)count), (int)count);
    peer_pump(peer);
    assert_int_equal(peer->received_len - before, count);
    assert_memory_equal(peer->received + before, bytes, count);
}

void peer_answer(struct peer *peer, const char *bytes, size_t count)
{
    size_t sealed = 0, opened = 0;
    char text[16 * 1024];

    while (opened < count) {
        while (sealed < count) {
            size_t used;
            px_err err = tls_session_write(&peer->session,
                                           px_str_make(bytes + sealed, count - sealed), &used);

            if (err == PX_AGAIN)
                break;
            assert_int_equal(err, PX_OK);
            sealed += used;
        }
        assert_true(to_client(peer));
        for (;;) {
            int got = SSL_read(peer->ssl, text, sizeof(text));

            if (got <= 0)
                break;
            assert_true(opened + (size_t)got <= count);
            assert_memory_equal(text, bytes + opened, (size_t)got);
            opened += (size_t)got;
        }
    }
}

const char *peer_shown(const struct peer *peer, char *out_text, size_t room)
{
    X509 *certificate = SSL_get0_peer_certificate(peer->ssl);

    assert_non_null(certificate);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, out_text,
                              (int)room);
    return out_text;
}
