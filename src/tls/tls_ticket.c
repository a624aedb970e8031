/*
 * Sealing and opening session tickets.
 *
 * Happy path: a ticket names the first key, its state is encrypted with AES-256-CBC and
 * authenticated with HMAC-SHA-256, as RFC 5077 section 4 recommends.  One that was sealed with an
 * older key is opened and replaced; one with an unknown key means a full handshake, no error.
 */
#include "tls/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "tls/tls.h"
#include "tls/tls_context.h"
#include "tls/tls_error.h"
#include "tls/tls_session.h"

_Static_assert(sizeof(struct tls_ticket_key) == TLS_TICKET_RECORD_BYTES, "a record, as it lies");
_Static_assert(TLS_TICKET_KEYS_MAX >= 2, "one seals, the one before still opens");
_Static_assert(TLS_TICKET_SECRET_BYTES <= EVP_MAX_MD_SIZE, "a secret is made of a digest");

/* --- Keys ------------------------------------------------------------------------------------- */

/* HMAC-SHA-256 over a label and a number: one way, and different for each purpose. */
static bool derive(const unsigned char *secret, const char *label, unsigned char number,
                   unsigned char *out)
{
    unsigned char text[32];
    size_t len = strlen(label);
    unsigned bytes = 0;

    memcpy(text, label, len);
    text[len] = number;
    return HMAC(EVP_sha256(), secret, TLS_TICKET_SECRET_BYTES, text, len + 1, out, &bytes) != NULL;
}

/* The key of the secret's time goes in front of the one before. */
static void key_push(struct tls_tickets *tickets)
{
    unsigned char block[96];

    for (unsigned char index = 0; index < 3; index++) {
        if (!derive(tickets->secret, "pollux ticket key", index, block + (size_t)32 * index)) {
            ERR_clear_error();
            return; /* out of memory: the keys that are there go on serving */
        }
    }
    tickets->keys[1] = tickets->keys[0];
    memcpy(&tickets->keys[0], block, sizeof(tickets->keys[0]));
    tickets->key_count = tickets->key_count == 0 ? 1 : 2;
    OPENSSL_cleanse(block, sizeof(block));
}

px_err tls_tickets_init(struct tls_tickets *tickets, px_error *out_error)
{
    memset(tickets, 0, sizeof(*tickets));
    tickets->epoch = (int64_t)time(NULL) / TLS_TICKET_ROTATION_S;
    if (RAND_bytes(tickets->secret, sizeof(tickets->secret)) != 1)
        return tls_error(out_error, PX_ERR_SYSTEM, "no randomness for session tickets");
    key_push(tickets);
    return tickets->key_count > 0 ? PX_OK : tls_error(out_error, PX_ERR_MEMORY, "out of memory");
}

void tls_tickets_advance(struct tls_tickets *tickets, int64_t unix_time)
{
    int64_t epoch = unix_time / TLS_TICKET_ROTATION_S;
    unsigned char next[EVP_MAX_MD_SIZE];

    if (tickets->from_file || epoch <= tickets->epoch)
        return;
    /* A clock that jumps by decades must not keep us busy: then all begin anew. */
    if (epoch - tickets->epoch > TLS_TICKET_STEPS_MAX) {
        if (RAND_bytes(tickets->secret, sizeof(tickets->secret)) != 1)
            ERR_clear_error();
        tickets->epoch = epoch - 1;
    }
    while (tickets->epoch < epoch) {
        if (!derive(tickets->secret, "pollux ticket next", 0, next)) {
            ERR_clear_error();
            return;
        }
        memcpy(tickets->secret, next, sizeof(tickets->secret));
        tickets->epoch++;
        /* Only the last two keys are of use. */
        if (epoch - tickets->epoch < 2)
            key_push(tickets);
    }
    OPENSSL_cleanse(next, sizeof(next));
}

px_err tls_tickets_load(struct tls_tickets *tickets, const char *path, px_error *out_error)
{
    unsigned char bytes[sizeof(tickets->keys) + 1];
    BIO *bio;
    int count;

    ERR_clear_error();
    bio = BIO_new_file(path, "rb");
    if (!bio)
        return tls_error_open(out_error, "the ticket keys", path);
    count = BIO_read(bio, bytes, sizeof(bytes));
    BIO_free(bio);
    if (count <= 0 || count % TLS_TICKET_RECORD_BYTES != 0) {
        OPENSSL_cleanse(bytes, sizeof(bytes));
        ERR_clear_error();
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "ticket keys in %s: 1 to %d records of %d bytes are expected (make one "
                         "with `openssl rand %d`)",
                         path, TLS_TICKET_KEYS_MAX, TLS_TICKET_RECORD_BYTES,
                         TLS_TICKET_RECORD_BYTES);
    }
    memset(tickets, 0, sizeof(*tickets));
    memcpy(tickets->keys, bytes, (size_t)count);
    tickets->key_count = (uint32_t)count / TLS_TICKET_RECORD_BYTES;
    tickets->from_file = true;
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return PX_OK;
}

void tls_tickets_wipe(struct tls_tickets *tickets)
{
    OPENSSL_cleanse(tickets, sizeof(*tickets));
}

/* --- Tickets ---------------------------------------------------------------------------------- */

static bool ticket_arm(const struct tls_ticket_key *key, const unsigned char *iv,
                       EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac,
                                          sizeof(key->mac)),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };

    return EVP_MAC_CTX_set_params(mac, params) == 1 &&
           EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, seal) == 1;
}

/* OpenSSL's callback: 1 go on, 2 go on and replace the ticket, 0 not ours, -1 failure. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int seal)
{
    const struct tls_session *session = SSL_get_app_data(ssl);
    struct tls_tickets *tickets = &session->context->tls->tickets;

    tls_tickets_advance(tickets, (int64_t)time(NULL));
    CHECK(tickets->key_count > 0 && tickets->key_count <= TLS_TICKET_KEYS_MAX);
    if (seal) {
        if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
            return -1;
        memcpy(name, tickets->keys[0].name, sizeof(tickets->keys[0].name));
        return ticket_arm(&tickets->keys[0], iv, cipher, mac, 1) ? 1 : -1;
    }
    for (uint32_t index = 0; index < tickets->key_count; index++) {
        const struct tls_ticket_key *key = &tickets->keys[index];

        if (memcmp(name, key->name, sizeof(key->name)) != 0)
            continue;
        if (!ticket_arm(key, iv, cipher, mac, 0))
            return -1;
        /* A ticket of TLS 1.3 is used once (RFC 8446 appendix C.4): its owner needs another. */
        return index == 0 && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
    }
    return 0;
}

void tls_tickets_attach(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
    SSL_CTX_set_timeout(ctx, TLS_TICKET_ROTATION_S);
}
