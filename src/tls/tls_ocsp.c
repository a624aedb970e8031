/*
 * Stapling: a response is read, found to be good and in time, and kept as it was read.
 *
 * Its signature is checked by clients, which know the authorities that they trust; here only
 * mistakes are caught that an operator can make: another certificate's response, an old one, one
 * that says "revoked".
 */
#include "tls/tls_ocsp.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/limits.h"
#include "tls/tls_error.h"

/* Seconds from now to a time, 0 when it cannot be told. */
static int64_t seconds_until(const ASN1_GENERALIZEDTIME *when)
{
    int days = 0, seconds = 0;

    if (!ASN1_TIME_diff(&days, &seconds, NULL, when))
        return 0;
    return (int64_t)days * 86400 + seconds;
}

/* The certificate that a single response is for. */
static struct tls_certificate *staple_owner(struct tls_certificate **certificates, uint32_t count,
                                            OCSP_SINGLERESP *single)
{
    ASN1_INTEGER *serial = NULL;

    OCSP_id_get0_info(NULL, NULL, NULL, &serial,
                      (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(single));
    for (uint32_t index = 0; serial && index < count; index++) {
        if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificates[index]->leaf)) == 0)
            return certificates[index];
    }
    return NULL;
}

static px_err staple_put(struct tls_certificate *certificate, const unsigned char *bytes,
                         size_t count, int64_t until, px_error *out_error)
{
    unsigned char *copy = alloc_take(certificate->allocator, count);

    if (!copy)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    memcpy(copy, bytes, count);
    alloc_put(certificate->allocator, certificate->staple);
    certificate->staple = copy;
    certificate->staple_bytes = count;
    certificate->staple_until = until;
    return PX_OK;
}

static px_err staple_check(struct tls_certificate **certificates, uint32_t count,
                           OCSP_BASICRESP *basic, const char *path,
                           struct tls_certificate **out_owner, int64_t *out_until,
                           px_error *out_error)
{
    for (int index = 0; index < OCSP_resp_count(basic); index++) {
        OCSP_SINGLERESP *single = OCSP_resp_get0(basic, index);
        ASN1_GENERALIZEDTIME *next = NULL;
        struct tls_certificate *owner = staple_owner(certificates, count, single);

        if (!owner)
            continue;
        if (OCSP_single_get0_status(single, NULL, NULL, NULL, &next) != V_OCSP_CERTSTATUS_GOOD)
            return error_set(out_error, PX_ERR_CONFLICT, 0,
                             "the OCSP response in %s does not say \"good\"", path);
        int64_t left = next ? seconds_until(next) : TLS_STAPLE_UNDATED_S;

        if (left <= 0)
            return error_set(out_error, PX_ERR_CONFLICT, 0,
                             "the OCSP response in %s has expired: fetch a new one", path);
        *out_owner = owner;
        *out_until = (int64_t)time(NULL) + left;
        return PX_OK;
    }
    return error_set(out_error, PX_ERR_CONFLICT, 0,
                     "the OCSP response in %s is for none of the certificates", path);
}

px_err tls_ocsp_staple(struct tls_certificate **certificates, uint32_t count, const char *path,
                       px_error *out_error)
{
    unsigned char bytes[TLS_STAPLE_BYTES_MAX + 1];
    const unsigned char *at = bytes;
    struct tls_certificate *owner = NULL;
    int64_t until = 0;
    BIO *bio;
    int len;

    ERR_clear_error();
    bio = BIO_new_file(path, "rb");
    if (!bio)
        return tls_error_open(out_error, "the OCSP response", path);
    len = BIO_read(bio, bytes, sizeof(bytes));
    BIO_free(bio);
    OCSP_RESPONSE *response =
        len > 0 && len <= TLS_STAPLE_BYTES_MAX ? d2i_OCSP_RESPONSE(NULL, &at, len) : NULL;
    OCSP_BASICRESP *basic = response ? OCSP_response_get1_basic(response) : NULL;
    px_err err = basic ? staple_check(certificates, count, basic, path, &owner, &until, out_error)
                       : error_set(out_error, PX_ERR_INVALID, 0,
                                   "there is no OCSP response in %s (DER is expected)", path);

    if (err == PX_OK && owner)
        err = staple_put(owner, bytes, (size_t)len, until, out_error);
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return err;
}
