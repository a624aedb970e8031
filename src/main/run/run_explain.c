/*
 * From a URL to a request that is not sent.
 *
 * The happy path: http:// or https://, host and port, path, query; a fragment is no part of a
 * request (RFC 9110 section 7.1).  It can fail by a URL of another form.
 */
#include "main/run/run_explain.h"

#include <string.h>

#include "base/alloc.h"
#include "config/explain.h"
#include "main/diagnostics.h"
#include "main/run/run_text.h"

static bool url_read(const char *url, px_match_request *request)
{
    static const char plain[] = "http://", secure[] = "https://";
    bool is_secure = strncmp(url, secure, sizeof(secure) - 1) == 0;

    if (!is_secure && strncmp(url, plain, sizeof(plain) - 1) != 0)
        return false;
    request->scheme = px_str_of(is_secure ? "https" : "http");
    url += is_secure ? sizeof(secure) - 1 : sizeof(plain) - 1;
    size_t authority = strcspn(url, "/?#"), path = strcspn(url + authority, "?#");
    const char *behind = url + authority + path;

    request->authority = px_str_make(url, authority);
    request->raw_path = path > 0 ? px_str_make(url + authority, path) : px_str_of("/");
    if (*behind == '?')
        request->query = px_str_make(behind + 1, strcspn(behind + 1, "#"));
    return authority > 0;
}

enum exit_code run_explain(const struct options *options, struct config *config)
{
    px_match_request request = PX_MATCH_REQUEST_DEFAULT;
    enum exit_code code = CODE_SYSTEM;
    struct buf text;
    px_error error;

    if (!url_read(options->run.url, &request)) {
        diagnostics_say("%s is no URL: write http://HOST/PATH or https://HOST/PATH",
                        options->run.url);
        return CODE_USAGE;
    }
    if (options->run.from && (strchr(options->run.from, '/') ||
                              px_address_block_check(options->run.from, &error) != PX_OK)) {
        diagnostics_say("--from: \"%s\" is not an address; write 192.0.2.1, 2001:db8::1 or unix:",
                        options->run.from);
        return CODE_USAGE;
    }
    request.method = px_str_of(options->run.method);
    request.client = px_str_of(options->run.from ? options->run.from : "127.0.0.1");
    request.fields = options->respond.headers;
    request.field_count = options->respond.header_count;
    buf_init(&text, &alloc_libc, RUN_TEXT_BYTES_MAX);
    if (config_explain(config, &request, &text) == PX_OK)
        code = run_text_print(&text);
    else
        diagnostics_say("out of memory");
    buf_deinit(&text);
    return code;
}
