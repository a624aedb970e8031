/*
 * One request by the library's client.
 *
 * The happy path: ask, and look at the status.  It can fail by an address that does not answer, by
 * a certificate that is not trusted, by an answer that is not HTTP, and by time.
 */
#include "main/health/healthcheck.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "main/answers/place.h"
#include "main/diagnostics.h"
#include "pollux/client.h"
#include "pollux/loop.h"

struct check {
    const struct options *options; /* borrowed */
    px_tls_trust *trust;           /* owned; NULL: without TLS */
    px_loop *loop;                 /* owned */
    px_client *client;             /* owned */
    unsigned status;               /* 0: no answer */
    px_error error;                /* why there is none */
    bool is_resolving; /* perhaps: it ended by its deadline before there was a connection */
};

static void on_head(px_fetch *fetch, void *context)
{
    struct check *check = context;

    check->status = px_fetch_status(fetch);
    px_fetch_cancel(fetch); /* the content is of no interest */
}

static void on_end(px_fetch *fetch, const px_error *error, void *context)
{
    struct check *check = context;
    px_fetch_facts facts = {.struct_size = sizeof(facts)};

    px_fetch_tell(fetch, &facts);
    check->error = *error;
    check->is_resolving = error->code == PX_ERR_TIMEOUT && facts.tries == 0;
    px_loop_stop(check->loop);
}

static const px_fetch_callbacks check_callbacks = {
    .struct_size = sizeof(check_callbacks), .on_head = on_head, .on_end = on_end};

/* --- What it asks ----------------------------------------------------------------------------- */

static bool is_secure(const char *url)
{
    return strncasecmp(url, "https://", 8) == 0;
}

/* What is believed of the server: CODE_OK, or what was said. */
static enum exit_code trust_make(struct check *check)
{
    const struct healthcheck_options *options = &check->options->healthcheck;
    px_tls_trust_options trust = PX_TLS_TRUST_OPTIONS_DEFAULT;
    px_error error;

    trust.verify = options->insecure ? PX_TLS_VERIFY_OFF : PX_TLS_VERIFY;
    trust.ca_file = options->insecure ? NULL : options->ca_file;
    check->trust = px_tls_trust_create(&trust, &error);
    if (check->trust)
        return CODE_OK;
    if (error.code == PX_ERR_UNSUPPORTED || error.code == PX_ERR_MEMORY || !trust.ca_file) {
        diagnostics_say("%s: %s", options->url, error.text);
        return error.code == PX_ERR_UNSUPPORTED ? CODE_USAGE : exit_code_of(error.code);
    }
    diagnostics_say("%s: --ca %s: %s", options->url, trust.ca_file, error.text);
    return CODE_NO_INPUT;
}

/* Asks, and runs until there is a verdict: PX_ERR_INVALID when there is nothing to ask. */
static px_err check_run(struct check *check)
{
    const struct healthcheck_options *options = &check->options->healthcheck;
    const px_field agent = {px_str_of("User-Agent"), px_str_of("pollux-healthcheck")};
    px_fetch_options asked = PX_FETCH_OPTIONS_DEFAULT;
    px_error *error = &check->error;

    CHECK(!check->loop && options->url);
    check->loop = px_loop_create(NULL, error);
    check->client = check->loop ? px_client_create(check->loop, NULL, error) : NULL;
    if (!check->client)
        return error->code;
    asked.url = px_str_of(options->url);
    asked.fields = &agent;
    asked.field_count = 1;
    asked.trust = check->trust;
    asked.flags = PX_FETCH_FRESH | PX_FETCH_ONCE;
    asked.protocol = PX_FETCH_HTTP1;
    asked.total_timeout_ms = options->timeout_ms;
    asked.connect_timeout_ms = options->timeout_ms;
    asked.wait_timeout_ms = asked.first_byte_timeout_ms = asked.silence_timeout_ms = PX_OFF;
    if (!px_fetch_start(check->client, &asked, &check_callbacks, check, error))
        return error->code;
    px_error run_error;
    px_err err = px_loop_run(check->loop, &run_error);

    /* The loop was stopped by the end of the request, which has an answer or a reason. */
    CHECK(err != PX_OK || check->status != 0 || error->code != PX_OK);
    if (err != PX_OK)
        *error = run_error;
    return err;
}

static void check_deinit(struct check *check)
{
    px_client_destroy(check->client);
    px_loop_destroy(check->loop);
    px_tls_trust_destroy(check->trust);
}

/* Says the verdict, and why. */
static enum exit_code check_judge(const struct check *check)
{
    const char *url = check->options->healthcheck.url;
    bool quiet = check->options->quiet;

    if (check->status >= 200 && check->status < 400)
        return CODE_OK;
    if (!quiet && check->status != 0)
        diagnostics_say("%s answered %u", url, check->status);
    else if (!quiet)
        diagnostics_say("%s: %s", url, check->error.text);
    return CODE_UNHEALTHY;
}

enum exit_code healthcheck(const struct options *options)
{
    struct check check = {.options = options};
    bool secure = is_secure(options->healthcheck.url);
    enum exit_code code = secure ? trust_make(&check) : CODE_OK;

    if (code != CODE_OK)
        return code;
    if (!secure && (options->healthcheck.ca_file || options->healthcheck.insecure)) {
        diagnostics_say("--%s is for TLS: write https:// in front of the URL",
                        options->healthcheck.insecure ? "insecure" : "ca");
        return CODE_USAGE;
    }
    if (check_run(&check) == PX_ERR_INVALID) {
        bool is_bare = place_is_bare(options->healthcheck.url);

        diagnostics_say("%s is not a URL that can be checked%s%s: write http://host:port/path, "
                        "https://host:port/path or unix:/path",
                        options->healthcheck.url, is_bare ? ": did you mean http://" : "",
                        is_bare ? options->healthcheck.url : "");
        code = CODE_USAGE;
    } else {
        code = check_judge(&check);
    }
    /* A resolver that does not answer cannot be interrupted, and joining it would take its time. */
    if (check.is_resolving)
        exit(code);
    check_deinit(&check);
    return code;
}
