/*
 * Preconditions of a request (RFC 9110 section 13), held against what a handler says of its answer.
 *
 * Happy path: no such field, the validators are added, and the handler answers.  A client that has
 * what it asks for is answered here; so is one whose precondition fails.
 */
#include "exchange/exchange_private.h"
#include "http/fields/conditional.h"
#include "http/fields/date.h"

static bool etag_is_weak(px_str etag)
{
    return etag.len > 2 && etag.ptr[0] == 'W' && etag.ptr[1] == '/';
}

/* A weak tag fails the strong comparison of If-Match, and is compared without its mark where the
 * comparison is weak (section 8.8.3.2). */
static enum conditional_result evaluate(struct conditional *conditional,
                                        struct validators *validators, int64_t now)
{
    px_str etag = validators->etag;

    if (!etag_is_weak(etag))
        return conditional_evaluate(conditional, validators, now);
    ASSERT(conditional->seen != 0);
    validators->etag = px_str_make(NULL, 0);
    if ((conditional->seen & CONDITIONAL_IF_MATCH) &&
        conditional_evaluate(conditional, validators, now) == CONDITIONAL_FAILED)
        return CONDITIONAL_FAILED;
    if (conditional->seen & CONDITIONAL_IF_MATCH) /* "*" */
        conditional->seen &= ~(unsigned)(CONDITIONAL_IF_MATCH | CONDITIONAL_IF_UNMODIFIED_SINCE);
    validators->etag = px_str_make(etag.ptr + 2, etag.len - 2);
    return conditional_evaluate(conditional, validators, now);
}

static void validators_add(px_exchange *exchange, px_str etag, int64_t modified)
{
    char date[DATE_BYTES];

    if (etag.ptr)
        px_response_set_field(exchange, px_str_make("ETag", 4), etag);
    if (modified == 0)
        return;
    date_format(modified, date);
    px_response_set_field(exchange, px_str_make("Last-Modified", 13),
                          px_str_make(date, sizeof(date)));
}

int px_respond_unless_modified(px_exchange *exchange, px_str etag, int64_t modified)
{
    struct validators validators = {
        .etag = etag, .modified = modified, .undated = modified == 0, .coded = true};
    struct conditional conditional;
    enum conditional_result result;
    bool is_read =
        exchange->arrival.method == METHOD_GET || exchange->arrival.method == METHOD_HEAD;

    validators_add(exchange, etag, modified);
    if (!exchange_alive(exchange))
        return 1; /* a tag that cannot be sent: there is an error for an answer */
    conditional_init(&conditional, exchange->arrival.request.fields,
                     exchange->arrival.request.field_count);
    if (conditional.seen == 0)
        return 0;
    /* Sections 13.1.2 and 13.1.3: of other methods a tag that matches is a failure, and the date is
     * not looked at. */
    if (!is_read)
        conditional.seen &= ~(unsigned)CONDITIONAL_IF_MODIFIED_SINCE;
    result = evaluate(&conditional, &validators, exchange->service->loop->unix_time);
    if (result == CONDITIONAL_GO_ON)
        return 0;
    if (result == CONDITIONAL_NOT_MODIFIED && is_read)
        px_respond(exchange, 304, px_str_make(NULL, 0), px_str_make("", 0));
    else
        px_respond_error(exchange, 412);
    return 1;
}
