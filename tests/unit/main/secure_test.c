/*
 * What is said of the dates of certificates, and when: each step towards the end once.
 */
#include "main/secure.h"

#include <fcntl.h>
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

/* Judges, and returns what was said on stderr meanwhile. */
static const char *judge(const px_tls *tls, struct secure_dates *dates, int64_t now, bool strict,
                         enum exit_code code)
{
    static char said[1024];
    int kept = dup(STDERR_FILENO), ends[2];

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    enum exit_code was = secure_judge(tls, dates, now, strict);

    dup2(kept, STDERR_FILENO);
    close(kept);
    ssize_t count = read(ends[0], said, sizeof(said) - 1);

    close(ends[0]);
    assert_true(count >= 0);
    said[count] = '\0';
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
    px_tls_certificate told;

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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_step_is_said_once)};

    return cmocka_run_group_tests(tests, begin, end);
}
