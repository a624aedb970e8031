/*
 * A private certificate authority for tests, and the files it writes into a folder of its own.
 *
 *   struct authority authority;
 *   authority_init(&authority);
 *   authority_issue(&authority, "a", "a.test,*.a.test", EVP_PKEY_EC, 30);
 *   px_tls_add_certificate(tls, authority_path(&authority, "a.pem"), ...
 */
#ifndef PX_TESTS_UNIT_TLS_AUTHORITY_H
#define PX_TESTS_UNIT_TLS_AUTHORITY_H

#include <openssl/x509.h>

struct authority {
    char folder[64];
    EVP_PKEY *key;     /* owned */
    X509 *certificate; /* owned */
    char paths[8][128];
    unsigned path_next;
    long serial;
};

/* Makes the authority, and its certificate as ca.pem. */
void authority_init(struct authority *authority);

/* Removes the folder and what was made in it. */
void authority_deinit(struct authority *authority);

/* A certificate for names separated by commas, as STEM.pem (with the authority's behind it) and
 * STEM.key.  `type` is EVP_PKEY_RSA, _EC or _ED25519; `days` may be negative: expired. */
void authority_issue(struct authority *authority, const char *stem, const char *names, int type,
                     int days);

/* An OCSP response for STEM.pem as STEM.ocsp; `status` is V_OCSP_CERTSTATUS_*. */
void authority_vouch(struct authority *authority, const char *stem, int status, int days);

/* A path in the folder; good until eight more were asked for. */
const char *authority_path(struct authority *authority, const char *name);

/* Writes a file there. */
void authority_write(struct authority *authority, const char *name, const void *bytes,
                     size_t count);

#endif
