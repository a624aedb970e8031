/*
 * Certificates: what is wrong with files is said in one line, names are chosen, staples fit.
 */
#include "tls/tls_certificate.h"

#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "authority.h"
#include "base/limits.h"
#include "lib/test.h"
#include "pollux/tls.h"
#include "tls/tls_context.h"

static struct authority authority;

#define PATH(name) authority_path(&authority, name)

static int begin(void **state)
{
    (void)state;
    authority_init(&authority);
    authority_issue(&authority, "a", "a.test,www.a.test,*.wild.test", EVP_PKEY_EC, 30);
    authority_issue(&authority, "a-rsa", "a.test", EVP_PKEY_RSA, 30);
    authority_issue(&authority, "b", "b.test", EVP_PKEY_ED25519, 30);
    authority_issue(&authority, "old", "old.test", EVP_PKEY_EC, -3);
    return 0;
}

static int end(void **state)
{
    (void)state;
    authority_deinit(&authority);
    return 0;
}

/* Joins two files of the folder to a third. */
static void join(const char *name, const char *left, const char *right)
{
    static char bytes[64 * 1024];
    size_t count = 0;
    const char *parts[] = {left, right};

    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(PATH(parts[i]), "rb");

        assert_non_null(file);
        count += fread(bytes + count, 1, sizeof(bytes) - count, file);
        fclose(file);
    }
    authority_write(&authority, name, bytes, count);
}

static void good_files(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    char text[96];
    px_error error;

    (void)state;
    assert_int_equal(px_tls_fingerprint(tls, text, sizeof(text)), 0);
    assert_string_equal(text, "");
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), &error), PX_OK);
    assert_int_equal(error.code, PX_OK);
    assert_int_equal(px_tls_fingerprint(tls, text, sizeof(text)), 95);
    assert_int_equal(px_tls_fingerprint(tls, text, 95), 0);
    join("both.pem", "b.pem", "b.key");
    assert_int_equal(px_tls_add_certificate(tls, PATH("both.pem"), NULL, &error), PX_OK);
    px_tls_destroy(tls);
    px_tls_destroy(NULL);
}

static void bad_files(void **state)
{
    static const struct {
        const char *certificate;
        const char *key;
        px_err err;
        const char *says;
    } cases[] = {
        {"none.pem", "a.key", PX_ERR_NOT_FOUND, "cannot read the certificate "},
        {"a.pem", "none.key", PX_ERR_NOT_FOUND, "cannot read the key "},
        {"a.pem", "b.key", PX_ERR_INVALID, "does not belong to the certificate in "},
        {"a.key", "a.key", PX_ERR_INVALID, "there is no certificate in "},
        {"a.pem", "a.pem", PX_ERR_INVALID, "there is no private key in "},
        {"order.pem", "a.key", PX_ERR_INVALID,
         " is out of order: certificate 2 was not signed by certificate 3"},
        {"junk.pem", "a.key", PX_ERR_INVALID, "there is no certificate in "},
        {"damaged.pem", "a.key", PX_ERR_INVALID, "the certificate in "},
        {"tail.pem", "a.key", PX_ERR_INVALID, "a certificate of the chain in "},
        {"a.pem", "locked.key", PX_ERR_INVALID, " is encrypted: decrypt it with `openssl pkey"},
    };
    px_tls *tls = px_tls_create(NULL, NULL);
    px_error error;

    (void)state;
    join("order.pem", "a.pem", "b.pem");
    authority_write(&authority, "junk.pem", "junk\n", 5);
    authority_write(&authority, "damaged.pem",
                    LITERAL("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").ptr,
                    59);
    join("tail.pem", "a.pem", "damaged.pem");
    /* Made once with openssl genpkey -aes256: what matters is that it asks for a pass phrase. */
    static const char locked[] = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
                                 "DEK-Info: AES-128-CBC,00000000000000000000000000000000\n\n"
                                 "AAAAAAAAAAAAAAAAAAAAAA==\n-----END EC PRIVATE KEY-----\n";
    authority_write(&authority, "locked.key", locked, sizeof(locked) - 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        px_err err =
            px_tls_add_certificate(tls, PATH(cases[i].certificate), PATH(cases[i].key), &error);

        if (err != cases[i].err || !strstr(error.text, cases[i].says))
            fail_msg("case %zu: %d, %s", i, (int)err, error.text);
        assert_int_equal(error.code, err);
        assert_null(strchr(error.text, '\n'));
    }
    px_tls_destroy(tls);
}

static void unreadable_files(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    px_error error;

    (void)state;
    if (geteuid() == 0) {
        /* Root reads everything; a folder in place of a file is the next best. */
        assert_int_equal(px_tls_add_certificate(tls, authority.folder, NULL, &error),
                         PX_ERR_INVALID);
    } else {
        join("secret.key", "a.key", "junk.pem");
        assert_int_equal(chmod(PATH("secret.key"), 0), 0);
        assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("secret.key"), &error),
                         PX_ERR_PERMISSION);
        assert_non_null(strstr(error.text, "readable by the user that starts"));
    }
    px_tls_destroy(tls);
}

static const struct tls_set *find(const px_tls *tls, const char *name)
{
    return tls_context_find(tls->context, px_str_of(name));
}

static void names_choose(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);

    (void)state;
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_certificate(tls, PATH("b.pem"), PATH("b.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a-rsa.pem"), PATH("a-rsa.key"), NULL),
                     PX_OK);
    const struct tls_set *a = find(tls, "a.test"), *www = find(tls, "www.a.test");

    assert_non_null(a);
    assert_non_null(a->certificates[TLS_KEY_EC]);
    assert_non_null(a->certificates[TLS_KEY_RSA]);
    assert_ptr_equal(tls->context->fallback, a);
    /* The RSA certificate is not made out for it. */
    assert_non_null(www);
    assert_ptr_not_equal(www, a);
    assert_ptr_equal(www->certificates[TLS_KEY_EC], a->certificates[TLS_KEY_EC]);
    assert_null(www->certificates[TLS_KEY_RSA]);
    assert_ptr_equal(find(tls, "x.wild.test"), www);
    assert_ptr_equal(find(tls, "*.wild.test"), www);
    assert_non_null(find(tls, "b.test"));
    static const char *const nobody[] = {"c.test",     "wild.test", "x.y.wild.test",
                                         ".wild.test", "test",      "",
                                         "a.testx",    "a.tes",     "x.a.test"};

    for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
        assert_null(find(tls, nobody[i]));
    px_tls_destroy(tls);
}

static void self_signed(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    px_error error;
    static const char *const bad[] = {"", ",", "a,", ",a", "a b", "a;b", "a\nb", "DNS:=x"};

    (void)state;
    assert_int_equal(px_tls_add_self_signed(tls, NULL, &error), PX_OK);
    assert_non_null(find(tls, "localhost"));
    assert_int_equal(
        px_tls_add_self_signed(tls, "dev.test,*.dev.test,192.0.2.1,2001:db8::1", &error), PX_OK);
    assert_non_null(find(tls, "x.dev.test"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (px_tls_add_self_signed(tls, bad[i], &error) != PX_ERR_INVALID)
            fail_msg("'%s' was taken", bad[i]);
    /* A reload keeps what was made. */
    char before[96], after[96];

    px_tls_fingerprint(tls, before, sizeof(before));
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    px_tls_fingerprint(tls, after, sizeof(after));
    assert_string_equal(before, after);
    px_tls_destroy(tls);
}

/* What takes the place of another keeps what was made for the same names, and nothing else. */
static void made_ones_are_kept(void **state)
{
    px_tls *old = px_tls_create(NULL, NULL), *new = px_tls_create(NULL, NULL);
    char was[96], is[96];
    px_error error;

    (void)state;
    assert_int_equal(px_tls_add_self_signed(old, "a.test,b.test", &error), PX_OK);
    assert_int_equal(px_tls_add_self_signed(old, NULL, &error), PX_OK);
    assert_int_equal(px_tls_fingerprint_at(old, 2, was, sizeof(was)), 0);
    assert_int_equal(px_tls_keep_self_signed(new, "a.test", old, &error), PX_ERR_NOT_FOUND);
    assert_int_equal(px_tls_keep_self_signed(new, NULL, old, &error), PX_OK);
    assert_int_equal(px_tls_keep_self_signed(new, "a.test,b.test", old, &error), PX_OK);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(px_tls_fingerprint_at(old, i, was, sizeof(was)), 95);
        assert_int_equal(px_tls_fingerprint_at(new, 1 - i, is, sizeof(is)), 95);
        assert_string_equal(was, is);
    }
    px_tls_destroy(old);
    assert_int_equal(px_tls_reload(new, &error), PX_OK);
    assert_non_null(find(new, "b.test"));
    px_tls_destroy(new);
}

/* One that has expired is served, and told. */
static void dates_are_told(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    px_tls_certificate told = PX_TLS_CERTIFICATE_INIT;
    const char *name = NULL;
    int64_t now = (int64_t)time(NULL);

    (void)state;
    assert_int_equal(px_tls_certificate_at(tls, 0, &told), PX_ERR_NOT_FOUND);
    assert_int_equal(px_tls_name_at(tls, 0, 0, &name), PX_ERR_NOT_FOUND);
    assert_int_equal(px_tls_add_certificate(tls, PATH("old.pem"), PATH("old.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_self_signed(tls, "x.test,y.test", NULL), PX_OK);
    assert_int_equal(px_tls_certificate_at(tls, 0, &told), PX_OK);
    assert_string_equal(told.file, PATH("old.pem"));
    assert_true(told.not_before < told.not_after && told.not_after < now);
    assert_int_equal(px_tls_certificate_at(tls, 1, &told), PX_OK);
    assert_true(told.not_before <= now && told.not_after > now + 29 * 24 * 3600);
    assert_true(told.not_after <= now + 30 * 24 * 3600 + 60);
    assert_int_equal(px_tls_certificate_at(tls, 2, &told), PX_OK);
    assert_null(told.file);
    assert_string_equal(told.name, "x.test");
    assert_int_equal(px_tls_name_at(tls, 2, 1, &name), PX_OK);
    assert_string_equal(name, "y.test");
    assert_int_equal(px_tls_name_at(tls, 2, 2, &name), PX_ERR_NOT_FOUND);
    assert_int_equal(px_tls_certificate_at(tls, 3, &told), PX_ERR_NOT_FOUND);
    px_tls_destroy(tls);
}

/* A reload goes on without the response, and says so. */
static void left_out(px_tls *tls, const char *says)
{
    const char *why = NULL;
    px_error error;

    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    assert_int_equal(px_tls_unstapled_at(tls, 0, &why), PX_OK);
    assert_non_null(strstr(why, says));
    assert_int_equal(px_tls_unstapled_at(tls, 1, &why), PX_ERR_NOT_FOUND);
    assert_null(find(tls, "a.test")->certificates[TLS_KEY_EC]->staple);
}

static void staples(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    const char *why = NULL;
    px_error error;

    (void)state;
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_GOOD, 3);
    assert_int_equal(px_tls_add_ocsp(tls, PATH("a.ocsp"), &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "needs its certificate first"));
    assert_int_equal(px_tls_add_certificate(tls, PATH("b.pem"), PATH("b.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_ocsp(tls, PATH("a.ocsp"), &error), PX_OK);
    assert_int_equal(px_tls_unstapled_at(tls, 0, &why), PX_ERR_NOT_FOUND);
    assert_non_null(find(tls, "a.test")->certificates[TLS_KEY_EC]->staple);
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_REVOKED, 3);
    left_out(tls, "does not say \"good\"");
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_GOOD, -1);
    left_out(tls, "has expired");
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_GOOD, 3);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    assert_int_equal(px_tls_unstapled_at(tls, 0, &why), PX_ERR_NOT_FOUND);
    const struct tls_certificate *a = find(tls, "a.test")->certificates[TLS_KEY_EC];

    assert_non_null(a->staple);
    assert_int_equal(px_tls_add_ocsp(tls, PATH("a.pem"), &error), PX_ERR_INVALID);
    assert_non_null(strstr(error.text, "DER is expected"));
    assert_int_equal(px_tls_add_ocsp(tls, PATH("none"), &error), PX_ERR_NOT_FOUND);
    /* What failed changed nothing. */
    assert_ptr_equal(find(tls, "a.test")->certificates[TLS_KEY_EC], a);
    px_tls_destroy(tls);
}

static bool is_stapled(const px_tls *tls, const char *name)
{
    return find(tls, name)->certificates[TLS_KEY_EC]->staple != NULL;
}

/* A response waits for the certificate that it is for: one that is refused until it is mended, and
 * one whose renewal came before that of its response. */
static void a_staple_waits_for_its_certificate(void **state)
{
    px_tls *tls = px_tls_create(NULL, NULL);
    const char *why = NULL;
    px_error error;

    (void)state;
    authority_issue(&authority, "w", "w.test", EVP_PKEY_EC, 30);
    authority_vouch(&authority, "w", V_OCSP_CERTSTATUS_GOOD, 3);
    authority_write(&authority, "w-later.key", "junk", 4);
    assert_int_equal(px_tls_add_certificate(tls, PATH("b.pem"), PATH("b.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_refused(tls, PATH("w.pem"), PATH("w-later.key"), NULL), PX_OK);
    assert_int_equal(px_tls_add_ocsp(tls, PATH("w.ocsp"), &error), PX_OK);
    assert_int_equal(px_tls_unstapled_at(tls, 0, &why), PX_OK);
    assert_non_null(strstr(why, "is for none of the certificates"));
    assert_int_equal(rename(PATH("w.key"), PATH("w-later.key")), 0);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    assert_int_equal(px_tls_unstapled_at(tls, 0, &why), PX_ERR_NOT_FOUND);
    assert_true(is_stapled(tls, "w.test"));
    authority_issue(&authority, "w", "w.test", EVP_PKEY_EC, 30);
    assert_int_equal(rename(PATH("w.key"), PATH("w-later.key")), 0);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    assert_int_equal(px_tls_unstapled_at(tls, 0, &why), PX_OK);
    assert_false(is_stapled(tls, "w.test"));
    authority_vouch(&authority, "w", V_OCSP_CERTSTATUS_GOOD, 3);
    assert_int_equal(px_tls_reload(tls, &error), PX_OK);
    assert_true(is_stapled(tls, "w.test"));
    px_tls_destroy(tls);
}

static void options_are_checked(void **state)
{
    px_tls_options options = PX_TLS_OPTIONS_DEFAULT;
    px_error error;

    (void)state;
    options.profile = 2;
    assert_null(px_tls_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_INVALID);
    options.profile = PX_TLS_MODERN;
    options.client = 3;
    assert_null(px_tls_create(&options, &error));
    options.client = PX_TLS_CLIENT_REQUIRED;
    assert_null(px_tls_create(&options, &error));
    assert_non_null(strstr(error.text, "authorities that sign them"));
    options.client_ca_file = PATH("none");
    px_tls *tls = px_tls_create(&options, &error);

    assert_non_null(tls);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), &error),
                     PX_ERR_NOT_FOUND);
    px_tls_destroy(tls);
    options.client_ca_file = PATH("a.key");
    tls = px_tls_create(&options, &error);
    assert_int_equal(px_tls_add_certificate(tls, PATH("a.pem"), PATH("a.key"), &error),
                     PX_ERR_INVALID);
    px_tls_destroy(tls);
    options.ticket_keys_file = PATH("none");
    assert_null(px_tls_create(&options, &error));
    assert_int_equal(error.code, PX_ERR_NOT_FOUND);
    options.struct_size = 3;
    assert_null(px_tls_create(&options, &error));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(names_choose),
        cmocka_unit_test(self_signed),
        cmocka_unit_test(made_ones_are_kept),
        cmocka_unit_test(dates_are_told),
        cmocka_unit_test(staples),
        cmocka_unit_test(a_staple_waits_for_its_certificate),
        cmocka_unit_test(options_are_checked),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
