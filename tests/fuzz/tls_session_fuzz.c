/*
 * A whole session on the server's side, fed with bytes: the first byte of the input says in which
 * pieces.  It ends in a handshake that waits, or failed; it never crashes, and holds no more than
 * its queue may.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tls/tls.h"
#include "tls/tls_session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Made once: a certificate costs more than a hundred sessions. */
static px_tls *server(void)
{
    static px_tls *tls;

    if (!tls) {
        tls = px_tls_create(NULL, NULL);
        CHECK(tls && px_tls_add_self_signed(tls, "a.test,*.a.test", NULL) == PX_OK);
        tls->http2 = true;
    }
    return tls;
}

static void turn(struct tls_session *session)
{
    char content[4096];
    size_t bytes;

    if (!session->established && tls_session_handshake(session) != PX_OK)
        return;
    while (tls_session_read(session, content, sizeof(content), &bytes) == PX_OK)
        CHECK(bytes > 0 && bytes <= sizeof(content));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct tls_session session;
    struct pool pool;
    size_t piece = len > 0 && data[0] ? data[0] : 65536;

    pool_init(&pool, &alloc_libc, sizeof(struct tls_block), 1, TLS_BLOCKS_MAX);
    if (tls_session_init(&session, server(), &pool) != PX_OK)
        abort();
    for (size_t at = 1; at < len && !session.failed; at += piece) {
        size_t count = len - at < piece ? len - at : piece;
        char *copy = malloc(count); /* of its own, so that a read behind it is seen */

        if (!copy)
            abort();
        memcpy(copy, data + at, count);
        session.in = px_str_make(copy, count);
        turn(&session);
        CHECK(session.failed || session.peer_closed || session.in.len == 0 ||
              session.out.bytes > 0);
        session.in = px_str_make(NULL, 0);
        free(copy);
        tls_queue_drop(&session.out, session.out.bytes);
    }
    tls_session_close(&session);
    tls_session_deinit(&session);
    CHECK(pool.taken == 0);
    pool_deinit(&pool);
    return 0;
}
