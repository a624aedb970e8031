/*
 * What is said of the dates of certificates, and when: each step towards the end once.
 */
#include "main/secure.h"

#include <fcntl.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../tls/authority.h"
#include "lib/test.h"

enum { DAY_S = 24 * 3600 };

static struct authority authority;

static int begin(void **state)
{
    (void)state;
    authority_init(&authority);
    authority_issue(&authority, "a", "a.test", EVP_PKEY_EC, 60);
    return 0;
}

static int end(void **state)
{
    (void)state;
    authority_deinit(&authority);
    return 0;
}

/* What is said on stderr between the two. */
struct ear {
    int kept;
    int fd;
};

static struct ear ear_open(void)
{
    int ends[2], kept = dup(STDERR_FILENO);

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    return (struct ear){kept, ends[0]};
}

static const char *ear_close(struct ear ear)
{
    static char said[1024];

    dup2(ear.kept, STDERR_FILENO);
    close(ear.kept);
    ssize_t count = read(ear.fd, said, sizeof(said) - 1);

    close(ear.fd);
    assert_true(count >= 0);
    said[count] = '\0';
    return said;
}

/* Judges, and returns what was said meanwhile. */
static const char *judge(const px_tls *tls, struct secure_dates *dates, int64_t now, bool strict,
                         enum exit_code code)
{
    struct ear ear = ear_open();
    enum exit_code was = secure_judge(tls, dates, now, strict);
    const char *said = ear_close(ear);

    assert_int_equal(was, code);
    return said;
}

static void each_step_is_said_once(void **state)
{
    static const struct {
        int64_t at_s; /* before the end */
        const char *says;
        enum exit_code strictly;
    } cases[] = {
        {62 * DAY_S, "is not valid before", CODE_CONFIG},
        {59 * DAY_S, NULL, CODE_OK},
        {30 * DAY_S, NULL, CODE_OK},
        {30 * DAY_S - 1, "in 29 days", CODE_OK},
        {8 * DAY_S, NULL, CODE_OK},
        {7 * DAY_S - 1, "in 6 days", CODE_OK},
        {2 * DAY_S, NULL, CODE_OK},
        {DAY_S - 1, "in 0 days", CODE_OK},
        {10, NULL, CODE_OK},
        {-3 * DAY_S, "3 days ago", CODE_CONFIG},
        {-4 * DAY_S, NULL, CODE_CONFIG},
    };
    size_t count = sizeof(cases) / sizeof(cases[0]);
    px_tls *tls = px_tls_create(NULL, NULL);
    struct secure_dates dates = {0};
    px_tls_certificate told = PX_TLS_CERTIFICATE_INIT;

    (void)state;
    assert_int_equal(count, 11);
    assert_int_equal(px_tls_add_certificate(tls, authority_path(&authority, "a.pem"),
                                            authority_path(&authority, "a.key"), NULL),
                     PX_OK);
    assert_int_equal(px_tls_certificate_at(tls, 0, &told), PX_OK);
    for (size_t i = 0; i < count; i++) {
        int64_t now = told.not_after - cases[i].at_s;
        const char *said = judge(tls, &dates, now, false, CODE_OK);

        if (cases[i].says &&
            (!strstr(said, "warning: the certificate in ") || !strstr(said, cases[i].says)))
            fail_msg("case %zu: '%s'", i, said);
        if (!cases[i].says && said[0])
            fail_msg("case %zu: '%s'", i, said);
        assert_string_equal(judge(tls, &dates, now, false, CODE_OK), "");
        /* Where it is an error it is said each time, and is no warning. */
        said = judge(tls, &dates, now, true, cases[i].strictly);
        assert_int_equal(said[0] != '\0', cases[i].strictly != CODE_OK);
        assert_null(strstr(said, "warning"));
    }
    px_tls_destroy(tls);
}

/* What cannot be stapled stops nothing, unless that is asked for. */
static void a_response_that_expired_is_left_out(void **state)
{
    static struct options options;
    struct secure_dates dates = {0};
    px_tls *tls = NULL;

    (void)state;
    authority_vouch(&authority, "a", V_OCSP_CERTSTATUS_GOOD, -1);
    options.listen[0] = "https://127.0.0.1:0";
    options.listen_count = 1;
    options.secure.certificates[0] = authority_path(&authority, "a.pem");
    options.secure.keys[0] = authority_path(&authority, "a.key");
    options.secure.certificate_count = options.secure.key_count = 1;
    options.secure.staples[0] = authority_path(&authority, "a.ocsp");
    options.secure.staple_count = 1;
    options.secure.tls = px_tls_options_default();
    for (int strict = 0; strict <= 1; strict++) {
        options.secure.strict = strict;
        struct ear ear = ear_open();
        enum exit_code code = secure_open(&options, &dates, NULL, &tls);
        const char *said = ear_close(ear);

        assert_int_equal(code, strict ? CODE_CONFIG : CODE_OK);
        assert_non_null(strstr(said, "a.ocsp has expired"));
        assert_int_equal(strstr(said, "; it is not stapled") != NULL, !strict);
        px_tls_destroy(tls);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_step_is_said_once),
        cmocka_unit_test(a_response_that_expired_is_left_out),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
