/*
 * What stands before handlers, for the end-to-end tests: access, limits, passwords, templates,
 * matchers, fields and compressing, each on a path of its own.
 *
 *     gated USERS ADDR...
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pollux/pollux.h>

enum { TEXT_BYTES = 4096, USES_MAX = 3 };

/* A host's routes, and the first error. */
struct maker {
    px_host *host;
    px_error error;
    int failed;
};

static void text(px_exchange *exchange, void *context)
{
    static char letters[TEXT_BYTES];

    (void)context;
    memset(letters, 'a', sizeof(letters));
    px_respond(exchange, 200, px_str_of("text/plain"), px_str_make(letters, sizeof(letters)));
}

static void written(px_exchange *exchange, void *template_)
{
    px_respond(exchange, 200, px_str_of("text/plain"),
               px_template_text(template_, exchange, PX_TEMPLATE_PLAIN));
}

static void away(px_exchange *exchange, void *template_)
{
    px_respond_redirect(exchange, 302, px_template_text(template_, exchange, PX_TEMPLATE_TARGET));
}

static void must(struct maker *maker, int condition)
{
    if (!condition && !maker->failed) {
        maker->failed = 1;
        fprintf(stderr, "gated: %s\n", maker->error.text);
    }
}

static void serve(struct maker *maker, const char *pattern, px_middleware_fn run, void *context,
                  void (*release)(void *context))
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_middleware_use use = {run, context, release};

    options.middleware = &use;
    options.middleware_count = 1;
    must(maker, context && px_host_route(maker->host, pattern, &options, text, NULL,
                                         &maker->error) == PX_OK);
}

/* "+block" lets in, "-block" keeps out; `when` holds for each. */
static void serve_access(struct maker *maker, const char *pattern, const char *first,
                         const char *second, px_matcher *when)
{
    px_access *access = px_access_create(NULL, &maker->error);
    const char *rules[] = {first, second};

    for (int i = 0; i < 2 && access; i++)
        if (rules[i])
            must(maker, px_access_add(access, rules[i][0] == '+', px_str_of(rules[i] + 1), when,
                                      &maker->error) == PX_OK);
    serve(maker, pattern, px_access_check, access, px_access_destroy);
}

static void serve_access_all(struct maker *maker)
{
    px_matcher *admin = px_matcher_create(NULL, &maker->error);
    px_str path = px_str_of("/when/admin*");

    must(maker,
         admin && px_matcher_add(admin, PX_MATCH_PATH, &path, 1, NULL, &maker->error) == PX_OK);
    serve_access(maker, "/local", "+127.0.0.0/8", "-all", NULL);
    serve_access(maker, "/elsewhere", "-127.0.0.0/8", "+all", NULL);
    serve_access(maker, "/when/{rest...}", "-all", NULL, admin);
    px_matcher_destroy(admin);
}

static void serve_rate(struct maker *maker)
{
    px_rate_limit_options options = PX_RATE_LIMIT_OPTIONS_DEFAULT;

    options.key = "{header.X-Key}";
    options.count = 3;
    options.per_ms = 60 * 1000;
    serve(maker, "/rate", px_rate_limit_check, px_rate_limit_create(&options, &maker->error),
          px_rate_limit_destroy);
}

static void serve_users(struct maker *maker, const char *file)
{
    px_basic_auth_options options = PX_BASIC_AUTH_OPTIONS_DEFAULT;

    options.realm = "staff";
    options.file = file;
    serve(maker, "/users", px_basic_auth_check, px_basic_auth_create(&options, &maker->error),
          px_basic_auth_destroy);
}

static void serve_template(struct maker *maker, const char *pattern, px_handler handler,
                           const char *words)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_template *made = px_template_create(px_str_of(words), NULL, NULL, &maker->error);

    options.release = (void (*)(void *))px_template_destroy;
    must(maker, made && px_host_route(maker->host, pattern, &options, handler, made,
                                      &maker->error) == PX_OK);
}

static void serve_coded(struct maker *maker)
{
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;
    px_compress *compress = px_compress_create(NULL, &maker->error);
    px_filter_use use = {px_compress_filter(), compress, px_compress_destroy};

    options.filters = &use;
    options.filter_count = 1;
    must(maker, compress && px_host_route(maker->host, "/coded", &options, text, NULL,
                                          &maker->error) == PX_OK);
    must(maker, px_host_route(maker->host, "/plain", NULL, text, NULL, &maker->error) == PX_OK);
}

static void change_fields(struct maker *maker)
{
    px_headers *headers = px_headers_create(NULL, &maker->error);

    must(maker,
         headers && px_headers_add(headers, PX_HEADER_SET, px_str_of("X-Said"),
                                   px_str_of("{status} {method}"), NULL, &maker->error) == PX_OK);
    must(maker, px_headers_add(headers, PX_HEADER_REMOVE, px_str_of("Server"), px_str_of(NULL),
                               NULL, &maker->error) == PX_OK);
    must(maker, px_headers_add_hsts(headers, 60, 0, NULL, &maker->error) == PX_OK);
    must(maker, px_host_filter(maker->host, px_headers_filter(), headers, px_headers_destroy,
                               &maker->error) == PX_OK);
}

/* One at a time: an exchange is in flight while its content is. */
static void serve_one(struct maker *maker)
{
    px_connection_limit_options limit = PX_CONNECTION_LIMIT_OPTIONS_DEFAULT;
    px_route_options options = PX_ROUTE_OPTIONS_DEFAULT;

    limit.count = 1;
    px_middleware_use use = {px_connection_limit_check,
                             px_connection_limit_create(&limit, &maker->error),
                             px_connection_limit_destroy};

    options.middleware = &use;
    options.middleware_count = 1;
    options.content_mode = PX_CONTENT_COLLECT;
    must(maker, use.context && px_host_route(maker->host, "/one", &options, text, NULL,
                                             &maker->error) == PX_OK);
}

/* Says what its handler was asked for, behind a prefix that was taken off and changed fields. */
static void serve_reshaped(struct maker *maker)
{
    px_rewrite_options options = PX_REWRITE_OPTIONS_DEFAULT;
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_request_headers *headers = px_request_headers_create(NULL, &maker->error);
    px_template *made = px_template_create(px_str_of("{uri} {header.X-Path} {header.X-Gone}"), NULL,
                                           NULL, &maker->error);

    options.prefix = "/s";
    px_middleware_use uses[] = {
        {px_rewrite_run, px_rewrite_create(&options, &maker->error), px_rewrite_destroy},
        {px_request_headers_run, headers, px_request_headers_destroy}};

    must(maker, headers && uses[0].context && made);
    must(maker, px_request_headers_add(headers, PX_HEADER_SET, px_str_of("X-Path"),
                                       px_str_of("{path}"), NULL, &maker->error) == PX_OK);
    must(maker, px_request_headers_add(headers, PX_HEADER_REMOVE, px_str_of("X-Gone"),
                                       px_str_of(NULL), NULL, &maker->error) == PX_OK);
    route.middleware = uses;
    route.middleware_count = 2;
    route.release = (void (*)(void *))px_template_destroy;
    must(maker,
         px_host_route(maker->host, "/s/{rest...}", &route, written, made, &maker->error) == PX_OK);
}

static int site_serve(px_server *server, const char *users, px_error_pages *pages,
                      px_error *out_error)
{
    const char *names[] = {"*"};
    px_host_options options = PX_HOST_OPTIONS_DEFAULT;
    px_site *site = px_site_create(NULL, out_error);
    struct maker maker = {0};

    if (!pages || px_error_pages_add(pages, 403, px_str_of("/page"), out_error) != PX_OK)
        return 0;
    options.on_error_page = px_error_pages_answer;
    options.error_page_context = pages;
    if (!site || px_site_host(site, names, 1, &options, &maker.host, out_error) != PX_OK)
        return 0;
    serve_one(&maker);
    serve_reshaped(&maker);
    serve_template(&maker, "/page", written, "a page of {status} for {uri}");
    serve_access_all(&maker);
    serve_rate(&maker);
    serve_users(&maker, users);
    serve_template(&maker, "/written/{id}", written,
                   "{method} {host} {path} {uri} {param.id} {query.q} {cookie.c} {client}\n");
    serve_template(&maker, "/away/{rest...}", away, "/{param.rest}?from={query.q}");
    serve_coded(&maker);
    change_fields(&maker);
    if (!maker.failed)
        must(&maker, px_server_set_site(server, site, &maker.error) == PX_OK);
    px_site_destroy(site);
    return !maker.failed;
}

static void on_signal(int number, void *server)
{
    (void)number;
    px_server_drain(server, 0, 5000);
}

int main(int argc, char **argv)
{
    px_error failed = PX_ERROR_INIT;
    px_server *server = px_server_create(NULL, &failed);
    px_error_pages *pages = px_error_pages_create(NULL, &failed);
    int ok = server && argc > 2 && site_serve(server, argv[1], pages, &failed);

    for (int i = 2; ok && i < argc; i++)
        ok = px_server_listen(server, argv[i], &failed) == PX_OK;
    ok = ok && px_loop_signal(px_server_loop(server), SIGTERM, on_signal, server, &failed) == PX_OK;
    if (ok) {
        fprintf(stderr, "pollux: listening on %s (1 worker)\n", px_server_address(server));
        ok = px_server_run(server, &failed) == PX_OK;
    }
    if (failed.text[0])
        fprintf(stderr, "gated: %s\n", failed.text);
    px_server_destroy(server);
    px_error_pages_destroy(pages);
    return ok ? 0 : 1;
}
