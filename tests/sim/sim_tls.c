/*
 * The clients' TLS.
 *
 * Happy path: begin says hello, bytes that come are opened, the handshake ends, what was said
 * meanwhile is sealed.  What can go wrong is a peer that leaves, falls silent or garbles: OpenSSL
 * then has an error, and the peer an end.
 */
#include "sim_tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct sim_tls {
    struct sim_tls_world *world; /* borrowed: outlives it */
    SSL *ssl;                    /* owned, with both BIOs */
    BIO *in;
    BIO *out;
    struct sim_queue words; /* said and not sealed: the handshake is not done */
    bool garbles;
    bool shut;   /* its close_notify is on its way */
    bool broken; /* OpenSSL has an error */
};

/* --- Randomness ------------------------------------------------------------------------------- */

static struct sim_random openssl_random;

static int random_bytes(unsigned char *out, int count)
{
    for (int at = 0; at < count; at++)
        out[at] = (unsigned char)(sim_random_next(&openssl_random) >> 24);
    return 1;
}

static int random_status(void)
{
    return 1;
}

static int random_seed(const void *bytes, int count)
{
    (void)bytes;
    (void)count;
    return 1;
}

static int random_add(const void *bytes, int count, double entropy)
{
    (void)entropy;
    return random_seed(bytes, count);
}

/* Deprecated in favour of providers, and the one way to have every random byte for oneself. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static const RAND_METHOD random_method = {random_seed, random_bytes, NULL,
                                          random_add,  random_bytes, random_status};

/* --- The certificate -------------------------------------------------------------------------- */

static const char *certificate_path(void)
{
    static char path[64];

    if (path[0])
        return path;
    snprintf(path, sizeof(path), "/tmp/pollux-sim-XXXXXX");
    int fd = mkstemp(path);
    BIO *bio = fd >= 0 ? BIO_new_fd(fd, BIO_CLOSE) : NULL;
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    X509 *leaf = X509_new();

    if (!bio || !key || !leaf)
        abort();
    X509_set_version(leaf, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(leaf), 1);
    X509_gmtime_adj(X509_getm_notBefore(leaf), -86400);
    X509_gmtime_adj(X509_getm_notAfter(leaf), 86400);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN", MBSTRING_ASC,
                               (const unsigned char *)"sim", -1, -1, 0);
    X509_set_issuer_name(leaf, X509_get_subject_name(leaf));
    X509_set_pubkey(leaf, key);
    X509_sign(leaf, key, NULL);
    if (PEM_write_bio_X509(bio, leaf) != 1 ||
        PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
        abort();
    BIO_free(bio);
    X509_free(leaf);
    EVP_PKEY_free(key);
    return path;
}

static void certificate_remove(void)
{
    unlink(certificate_path());
}

px_tls *sim_tls_server(const px_allocator *allocator, bool *out_few)
{
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = allocator;
    *out_few = sim_random_chance(&sim_world->random, 8192);
    if (*out_few)
        options.handshakes_max = (uint32_t)sim_random_between(&sim_world->random, 1, 4);
    px_tls *tls = px_tls_create(&options, &error);

    if (!tls || px_tls_add_certificate(tls, certificate_path(), NULL, &error) != PX_OK)
        sim_fail("no TLS: %s", error.text);
    return tls;
}

px_tls_trust *sim_tls_trust(const px_allocator *allocator)
{
    px_tls_trust_options options = PX_TLS_TRUST_OPTIONS_DEFAULT;
    px_error error;

    options.allocator = allocator;
    options.ca_file = certificate_path();
    px_tls_trust *trust = px_tls_trust_create(&options, &error);

    if (!trust)
        sim_fail("no trust: %s", error.text);
    return trust;
}

/* --- A run ------------------------------------------------------------------------------------ */

static int on_session(SSL *ssl, SSL_SESSION *session)
{
    struct sim_peer *peer = SSL_get_app_data(ssl);
    struct sim_tls *tls = peer->veil_state;

    SSL_SESSION_free(tls->world->session);
    tls->world->session = session;
    return 1;
}

void sim_tls_begin(struct sim_tls_world *world)
{
    static bool first = true;

    if (first) {
        /* Made before the seed counts, and once: else runs would differ in what it is. */
        certificate_path();
        atexit(certificate_remove);
        RAND_set_rand_method(&random_method);
        first = false;
    }
    sim_random_seed(&openssl_random, sim_random_next(&sim_world->random));
    world->session = NULL;
    world->ctx = SSL_CTX_new(TLS_client_method());
    if (!world->ctx)
        abort();
    SSL_CTX_set_session_cache_mode(world->ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(world->ctx, on_session);
}

void sim_tls_end(struct sim_tls_world *world)
{
    SSL_SESSION_free(world->session);
    SSL_CTX_free(world->ctx);
    ERR_clear_error();
}

/* --- A peer ----------------------------------------------------------------------------------- */

/* What OpenSSL has to say goes to the socket. */
static void flush(struct sim_peer *peer)
{
    struct sim_tls *tls = peer->veil_state;
    char bytes[16384];
    int count;

    while ((count = BIO_read(tls->out, bytes, sizeof(bytes))) > 0) {
        if (tls->garbles && sim_random_chance(&sim_world->random, 8192)) {
            sim_sometimes("a client garbled a record");
            bytes[sim_random_below(&sim_world->random, (uint64_t)count)] ^=
                (char)(1 + sim_random_below(&sim_world->random, 255));
            tls->garbles = false;
        }
        sim_peer_put(peer, bytes, (size_t)count);
    }
}

static void speak(struct sim_peer *peer)
{
    struct sim_tls *tls = peer->veil_state;

    ERR_clear_error();
    if (!tls->broken && SSL_in_init(tls->ssl)) {
        int result = SSL_do_handshake(tls->ssl);

        if (result == 1)
            sim_sometimes(SSL_session_reused(tls->ssl) ? "a session was resumed"
                                                       : "a handshake was done");
        else if (SSL_get_error(tls->ssl, result) != SSL_ERROR_WANT_READ)
            tls->broken = true;
    }
    while (!tls->broken && !SSL_in_init(tls->ssl) && tls->words.len > 0) {
        int count = tls->words.len < 16384 ? (int)tls->words.len : 16384;
        int used = SSL_write(tls->ssl, sim_queue_front(&tls->words), count);

        if (used <= 0) {
            tls->broken = true;
            break;
        }
        sim_queue_take(&tls->words, NULL, (size_t)used);
    }
    flush(peer);
}

static void veil_begin(struct sim_peer *peer)
{
    speak(peer);
}

static void veil_seal(struct sim_peer *peer, const void *bytes, size_t count)
{
    struct sim_tls *tls = peer->veil_state;

    sim_queue_put(&tls->words, bytes, count);
    speak(peer);
}

static bool veil_open(struct sim_peer *peer, const void *bytes, size_t count)
{
    struct sim_tls *tls = peer->veil_state;
    char text[16384];
    bool some = false;
    int got = -1;

    if (tls->broken)
        return false;
    if (BIO_write(tls->in, bytes, (int)count) != (int)count)
        abort();
    speak(peer);
    while (!tls->broken && !SSL_in_init(tls->ssl) &&
           (got = SSL_read(tls->ssl, text, sizeof(text))) > 0) {
        sim_queue_put(&peer->received, text, (size_t)got);
        some = true;
    }
    if (!tls->broken && got <= 0 && !SSL_in_init(tls->ssl)) {
        int error = SSL_get_error(tls->ssl, got);

        if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL)
            tls->broken = true;
    }
    flush(peer);
    return some;
}

static bool veil_may_shut(struct sim_peer *peer)
{
    struct sim_tls *tls = peer->veil_state;

    if (tls->broken || tls->shut)
        return true;
    if (SSL_in_init(tls->ssl) || tls->words.len > 0)
        return false;
    tls->shut = true;
    SSL_shutdown(tls->ssl);
    flush(peer);
    return peer->to_send.len == 0;
}

static int veil_end_of(struct sim_peer *peer, int error)
{
    struct sim_tls *tls = peer->veil_state;

    if (error != 0)
        return error;
    if (!tls->broken && (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN)) {
        sim_sometimes("an end with close_notify");
        return 0;
    }
    sim_sometimes("an end without close_notify");
    return EPROTO;
}

static void veil_free(struct sim_peer *peer)
{
    struct sim_tls *tls = peer->veil_state;

    SSL_free(tls->ssl);
    sim_queue_end(&tls->words);
    free(tls);
}

static const struct sim_veil tls_veil = {veil_begin,    veil_seal,   veil_open,
                                         veil_may_shut, veil_end_of, veil_free};

void sim_tls_wear(struct sim_tls_world *world, struct sim_peer *peer, const char *protocol,
                  bool garbles)
{
    struct sim_random *random = &sim_world->random;
    struct sim_tls *tls = calloc(1, sizeof(*tls));
    unsigned char list[32];
    size_t len = strlen(protocol);

    if (!tls)
        abort();
    tls->world = world;
    tls->garbles = garbles;
    tls->ssl = SSL_new(world->ctx);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (!tls->ssl || !tls->in || !tls->out)
        abort();
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_connect_state(tls->ssl);
    SSL_set_app_data(tls->ssl, peer);
    list[0] = (unsigned char)len;
    memcpy(list + 1, protocol, len);
    SSL_set_alpn_protos(tls->ssl, list, (unsigned)len + 1);
    if (sim_random_chance(random, 45000))
        SSL_set_tlsext_host_name(tls->ssl, "sim");
    if (sim_random_chance(random, 16384))
        SSL_set_max_proto_version(tls->ssl, TLS1_2_VERSION);
    if (world->session && sim_random_chance(random, 32768))
        SSL_set_session(tls->ssl, world->session);
    peer->veil = &tls_veil;
    peer->veil_state = tls;
}
