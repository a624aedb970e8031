/*
 * The authority of the tests: nothing here may fail, so everything is asserted.
 */
#include "authority.h"

#include <dirent.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/test.h"

enum { DAY_S = 86400 };

const char *authority_path(struct authority *authority, const char *name)
{
    char *path = authority->paths[authority->path_next++ % 8];
    size_t folder_len = strlen(authority->folder), len = strlen(name);

    assert_true(folder_len + 1 + len < sizeof(authority->paths[0]));
    memcpy(path, authority->folder, folder_len);
    path[folder_len] = '/';
    memcpy(path + folder_len + 1, name, len + 1);
    return path;
}

static EVP_PKEY *key_make(int type)
{
    switch (type) {
    case EVP_PKEY_RSA:
        return EVP_RSA_gen(2048);
    case EVP_PKEY_ED25519:
        return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    }
    return EVP_EC_gen("P-256");
}

static void extend(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_make(struct authority *authority, const char *common, EVP_PKEY *key,
                              int days)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++authority->serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), days < 0 ? 2L * days * DAY_S : -DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S);
    X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const unsigned char *)"Tests", -1, -1, 0);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
    X509_set_pubkey(certificate, key);
    return certificate;
}

void authority_write(struct authority *authority, const char *name, const void *bytes, size_t count)
{
    FILE *file = fopen(authority_path(authority, name), "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, count, file), count);
    assert_int_equal(fclose(file), 0);
}

void authority_init(struct authority *authority)
{
    memset(authority, 0, sizeof(*authority));
    snprintf(authority->folder, sizeof(authority->folder), "/tmp/pollux-tls-XXXXXX");
    assert_non_null(mkdtemp(authority->folder));
    authority->key = key_make(EVP_PKEY_EC);
    authority->certificate = certificate_make(authority, "Authority", authority->key, 365);
    X509_set_issuer_name(authority->certificate, X509_get_subject_name(authority->certificate));
    extend(authority->certificate, authority->certificate, NID_basic_constraints,
           "critical,CA:TRUE");
    extend(authority->certificate, authority->certificate, NID_key_usage,
           "critical,keyCertSign,cRLSign,digitalSignature");
    assert_true(X509_sign(authority->certificate, authority->key, EVP_sha256()) > 0);
    FILE *file = fopen(authority_path(authority, "ca.pem"), "wb");

    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, authority->certificate), 1);
    assert_int_equal(fclose(file), 0);
}

void authority_deinit(struct authority *authority)
{
    DIR *folder = opendir(authority->folder);
    struct dirent *entry;

    assert_non_null(folder);
    while ((entry = readdir(folder)))
        unlink(authority_path(authority, entry->d_name));
    closedir(folder);
    assert_int_equal(rmdir(authority->folder), 0);
    EVP_PKEY_free(authority->key);
    X509_free(authority->certificate);
}

void authority_issue(struct authority *authority, const char *stem, const char *names, int type,
                     int days)
{
    char alternatives[1024] = "", name[256], common[64];
    EVP_PKEY *key = key_make(type);

    for (const char *at = names; *at;) {
        size_t len = strcspn(at, ",");

        snprintf(alternatives + strlen(alternatives), sizeof(alternatives) - strlen(alternatives),
                 "%sDNS:%.*s", at == names ? "" : ",", (int)len, at);
        at += len + (at[len] == ',');
    }
    snprintf(common, sizeof(common), "%.*s", (int)strcspn(names, ","), names);
    X509 *certificate = certificate_make(authority, common, key, days);

    X509_set_issuer_name(certificate, X509_get_subject_name(authority->certificate));
    extend(certificate, authority->certificate, NID_subject_alt_name, alternatives);
    assert_true(X509_sign(certificate, authority->key, EVP_sha256()) > 0);
    snprintf(name, sizeof(name), "%s.pem", stem);
    FILE *file = fopen(authority_path(authority, name), "wb");

    assert_non_null(file);
    PEM_write_X509(file, certificate);
    PEM_write_X509(file, authority->certificate);
    assert_int_equal(fclose(file), 0);
    snprintf(name, sizeof(name), "%s.key", stem);
    file = fopen(authority_path(authority, name), "wb");
    assert_non_null(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void authority_vouch(struct authority *authority, const char *stem, int status, int days)
{
    char name[256];
    unsigned char *bytes = NULL;

    snprintf(name, sizeof(name), "%s.pem", stem);
    FILE *file = fopen(authority_path(authority, name), "rb");
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);

    fclose(file);
    OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, certificate, authority->certificate);
    ASN1_TIME *from = X509_gmtime_adj(NULL, -2L * DAY_S);
    ASN1_TIME *until = X509_gmtime_adj(NULL, (long)days * DAY_S);

    assert_non_null(OCSP_basic_add1_status(
        basic, id, status, 0, status == V_OCSP_CERTSTATUS_REVOKED ? from : NULL, from, until));
    assert_int_equal(
        OCSP_basic_sign(basic, authority->certificate, authority->key, EVP_sha256(), NULL, 0), 1);
    OCSP_RESPONSE *response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    int len = i2d_OCSP_RESPONSE(response, &bytes);

    assert_true(len > 0);
    snprintf(name, sizeof(name), "%s.ocsp", stem);
    authority_write(authority, name, bytes, (size_t)len);
    OPENSSL_free(bytes);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    OCSP_CERTID_free(id);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    X509_free(certificate);
}
