/*
 * The handler of `pollux respond`, the ordinary way: a route, a handler, px_respond.
 *
 * Content of a request is read to its end and dropped before the handler is called.  The methods
 * that every client may use get the text, two get 405, and what is none of them gets 501.
 */
#include "main/answers/respond.h"

#include <string.h>

#include "base/check.h"
#include "config/methods.h"
#include "main/flags/values.h"
#include "pollux/response.h"

static void respond_with_text(px_exchange *exchange, const struct options *options)
{
    px_body body = {.struct_size = sizeof(px_body), .bytes = options->respond.text};
    px_str type = options->respond.type;

    for (uint32_t i = 0; i < options->respond.header_count; i++) {
        const px_field *field = &options->respond.headers[i];

        /* These two have a default, which is replaced. */
        if (value_is_name(field->name, "Date") || value_is_name(field->name, "Server"))
            px_response_set_field(exchange, field->name, field->value);
        else
            px_response_add_field(exchange, field->name, field->value);
    }
    /* RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5: no content. */
    if (options->respond.status == 204 || options->respond.status == 205 ||
        options->respond.status == 304) {
        body.bytes = px_str_make("", 0);
        type = px_str_of(NULL);
    }
    px_respond_body(exchange, options->respond.status, type, &body);
}

static void respond(px_exchange *exchange, void *context)
{
    const struct options *options = context;

    if (methods_are_answered(exchange))
        respond_with_text(exchange, options);
}

px_err respond_register(px_server *server, const struct options *options, px_error *out_error)
{
    /* CONNECT has no path, so a route without a method does not see it. */
    static const char *const patterns[] = {"/", "CONNECT /"};
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;

    route.content_mode = PX_CONTENT_DROP;
    for (size_t i = 0; i < ARRAY_COUNT(patterns); i++) {
        px_err err =
            px_server_route_with(server, patterns[i], &route, respond, (void *)options, out_error);

        if (err != PX_OK)
            return err;
    }
    return PX_OK;
}
