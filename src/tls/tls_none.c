/*
 * A build without TLS: px_tls_create says so, and nothing else here is ever reached.
 */
#include "base/error.h"
#include "tls/tls_session.h"

static const char text[] = "this build of pollux has no TLS (PX_TLS=OFF)";

px_tls *px_tls_create(const px_tls_options *options, px_error *out_error)
{
    (void)options;
    error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
    return NULL;
}

px_tls *px_tls_clone(const px_tls *from, const px_tls_options *options, px_error *out_error)
{
    (void)from;
    return px_tls_create(options, out_error);
}

void px_tls_destroy(px_tls *tls)
{
    (void)tls;
}

px_err px_tls_add_certificate(px_tls *tls, const char *certificate_file, const char *key_file,
                              px_error *out_error)
{
    (void)tls;
    (void)certificate_file;
    (void)key_file;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
}

px_err px_tls_add_refused(px_tls *tls, const char *certificate_file, const char *key_file,
                          px_error *out_error)
{
    (void)tls;
    (void)certificate_file;
    (void)key_file;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
}

px_err px_tls_refused_at(const px_tls *tls, size_t index, const char **out_why)
{
    (void)tls;
    (void)index;
    (void)out_why;
    return PX_ERR_NOT_FOUND;
}

px_err px_tls_unstapled_at(const px_tls *tls, size_t index, const char **out_why)
{
    (void)tls;
    (void)index;
    (void)out_why;
    return PX_ERR_NOT_FOUND;
}

px_err px_tls_add_self_signed(px_tls *tls, const char *names, px_error *out_error)
{
    (void)tls;
    (void)names;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
}

px_err px_tls_keep_self_signed(px_tls *tls, const char *names, const px_tls *from,
                               px_error *out_error)
{
    (void)tls;
    (void)names;
    (void)from;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
}

px_err px_tls_add_ocsp(px_tls *tls, const char *response_file, px_error *out_error)
{
    (void)tls;
    (void)response_file;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
}

px_err px_tls_reload(px_tls *tls, px_error *out_error)
{
    (void)tls;
    return error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
}

void px_tls_take_tickets(px_tls *tls, const px_tls *from)
{
    (void)tls;
    (void)from;
}

px_err px_tls_certificate_at(const px_tls *tls, size_t index, px_tls_certificate *out_certificate)
{
    (void)tls;
    (void)index;
    (void)out_certificate;
    return PX_ERR_NOT_FOUND;
}

px_err px_tls_name_at(const px_tls *tls, size_t index, size_t name_index, const char **out_name)
{
    (void)tls;
    (void)index;
    (void)name_index;
    (void)out_name;
    return PX_ERR_NOT_FOUND;
}

size_t px_tls_fingerprint(const px_tls *tls, char *out_text, size_t room)
{
    return px_tls_fingerprint_at(tls, 0, out_text, room);
}

size_t px_tls_fingerprint_at(const px_tls *tls, size_t index, char *out_text, size_t room)
{
    (void)tls;
    (void)index;
    if (room > 0)
        out_text[0] = '\0';
    return 0;
}

px_tls_trust *px_tls_trust_create(const px_tls_trust_options *options, px_error *out_error)
{
    (void)options;
    error_set(out_error, PX_ERR_UNSUPPORTED, 0, "%s", text);
    return NULL;
}

void px_tls_trust_destroy(px_tls_trust *trust)
{
    (void)trust;
}

px_tls_trust *tls_trust_take(px_tls_trust *trust)
{
    return trust;
}

void tls_trust_put(px_tls_trust *trust)
{
    (void)trust;
}

uint32_t tls_trust_handshake_ms(const px_tls_trust *trust)
{
    (void)trust;
    return 0;
}

bool tls_session_distrusts(const struct tls_session *session)
{
    (void)session;
    return false;
}

px_err tls_session_connect(struct tls_session *session, px_tls_trust *trust, struct pool *pool,
                           px_str host, enum tls_offer offer)
{
    (void)session;
    (void)trust;
    (void)pool;
    (void)host;
    (void)offer;
    return PX_ERR_UNSUPPORTED;
}

const char *tls_session_reason(const struct tls_session *session)
{
    (void)session;
    return "";
}

uint32_t tls_session_open_bytes(void)
{
    return 0;
}

bool tls_session_is_partial(const struct tls_session *session)
{
    (void)session;
    return false;
}

px_err tls_session_init(struct tls_session *session, px_tls *tls, struct pool *pool)
{
    (void)session;
    (void)tls;
    (void)pool;
    return PX_ERR_UNSUPPORTED;
}

void tls_session_deinit(struct tls_session *session)
{
    (void)session;
}

px_err tls_session_handshake(struct tls_session *session)
{
    (void)session;
    return PX_ERR_UNSUPPORTED;
}

px_err tls_session_read(struct tls_session *session, char *out, size_t room, size_t *out_bytes)
{
    (void)session;
    (void)out;
    (void)room;
    (void)out_bytes;
    return PX_ERR_UNSUPPORTED;
}

bool tls_session_has_content(const struct tls_session *session)
{
    (void)session;
    return false;
}

size_t tls_session_record_bytes(const struct tls_session *session)
{
    (void)session;
    return 0;
}

px_err tls_session_write(struct tls_session *session, px_str bytes, size_t *out_used)
{
    (void)session;
    (void)bytes;
    (void)out_used;
    return PX_ERR_UNSUPPORTED;
}

void tls_session_close(struct tls_session *session)
{
    (void)session;
}

bool tls_session_serves(const struct tls_session *session, px_str host)
{
    (void)session;
    (void)host;
    return true;
}

size_t tls_session_subject(const struct tls_session *session, char *out_text, size_t room)
{
    (void)session;
    (void)out_text;
    (void)room;
    return 0;
}

const char *tls_session_version(const struct tls_session *session)
{
    (void)session;
    return "";
}

const char *tls_session_cipher(const struct tls_session *session)
{
    (void)session;
    return "";
}

void tls_session_check(const struct tls_session *session)
{
    (void)session;
}
