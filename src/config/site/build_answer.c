/*
 * respond and redirect, and which answer a request gets where several wait for a match.
 *
 * `respond` answers what every client may use (RFC 9110 section 9, RFC 5789); TRACE and CONNECT get
 * 405, and what is no method of those gets 501.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "config/methods.h"
#include "config/site/build.h"
#include "pollux/request.h"
#include "pollux/response.h"

struct respond {
    struct build_text text;
    px_str type;
    uint32_t status;
    bool is_own_line; /* the status's own */
};

/* A line for what is no error, whose line px_respond_error knows. */
static const char *line_of(uint32_t status)
{
    static const struct {
        uint32_t status;
        const char *line;
    } lines[] = {
        {200, "200 OK\n"},
        {201, "201 Created\n"},
        {202, "202 Accepted\n"},
        {203, "203 Non-Authoritative Information\n"},
        {300, "300 Multiple Choices\n"},
        {301, "301 Moved Permanently\n"},
        {302, "302 Found\n"},
        {303, "303 See Other\n"},
        {307, "307 Temporary Redirect\n"},
        {308, "308 Permanent Redirect\n"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(lines); i++)
        if (lines[i].status == status)
            return lines[i].line;
    return "";
}

/* RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5. */
static bool has_no_content(uint32_t status)
{
    return status == 204 || status == 205 || status == 304;
}

static void respond_answer(px_exchange *exchange, const struct respond *respond)
{
    CHECK(respond->status >= 200 && respond->status <= 599);
    /* The text may say it; that of an error's page is the error's. */
    px_response_set_status(exchange, respond->status);
    px_str text = build_text_of(&respond->text, exchange, PX_TEMPLATE_PLAIN);

    if (respond->is_own_line && respond->status >= 400) {
        px_respond_error(exchange, respond->status);
        return;
    }
    if (has_no_content(respond->status)) {
        px_respond(exchange, respond->status, px_str_of(NULL), px_str_make("", 0));
        return;
    }
    if (respond->text.template_ && !text.ptr) {
        px_respond_error(exchange, 503);
        return;
    }
    px_body body = {.struct_size = sizeof(px_body), .bytes = text};

    px_respond_body(exchange, respond->status, respond->type, &body);
}

static void respond_handle(px_exchange *exchange, void *context)
{
    if (methods_are_answered(exchange))
        respond_answer(exchange, context);
}

/* "404", bare: a status.  In quotes it is a text. */
static bool status_read(const struct config_typed *value, uint32_t *out_status)
{
    px_str text = value->text;

    if (value->value->quote != QUOTE_NONE || text.len != 3 || strspn(text.ptr, "0123456789") < 3)
        return false;
    *out_status =
        (uint32_t)((text.ptr[0] - '0') * 100 + (text.ptr[1] - '0') * 10 + text.ptr[2] - '0');
    return true;
}

/* What a field's value may be (RFC 9110 section 5.5). */
static bool type_read(struct build_route *route, struct respond *respond)
{
    const struct config_node *node = route_setting(route->route, "content_type");

    respond->type = px_str_of("text/plain");
    if (!node)
        return true;
    respond->type = node->values[0].text;
    for (size_t at = 0; at < respond->type.len; at++) {
        if ((unsigned char)respond->type.ptr[at] >= 0x20 && respond->type.ptr[at] != 0x7f)
            continue;
        report_add(&route->build->load->report, REPORT_MEANING, node->values[0].value->place,
                   "a type holds no control byte");
        return false;
    }
    return true;
}

static bool build_respond(struct build_route *route, const struct config_node *node,
                          struct build_answer *out_answer)
{
    struct build *build = route->build;
    struct respond *respond = load_take(build->load, sizeof(*respond));
    uint32_t at = 0;

    if (!respond || !type_read(route, respond))
        return false;
    respond->status = 200;
    if (node->value_count > 0 && status_read(&node->values[0], &respond->status))
        at = 1;
    if (at == 0 && node->value_count > 1) {
        report_add(&build->load->report, REPORT_MEANING, node->values[0].value->place,
                   "\"%s\" is not a status from 200 to 599", node->values[0].text.ptr);
        return false;
    }
    if (respond->status < 200 || respond->status > 599) {
        report_add(&build->load->report, REPORT_MEANING, node->values[0].value->place,
                   "%u is not a status from 200 to 599", respond->status);
        return false;
    }
    respond->is_own_line = at == node->value_count;
    respond->text.constant = px_str_of(line_of(respond->status));
    if (!respond->is_own_line && !build_text_read(build, &node->values[at], &respond->text))
        return false;
    /* Beside what says it, and not where the file was read: a request looks at both. */
    respond->text.constant = load_copy(build->load, respond->text.constant);
    if (!respond->text.constant.ptr)
        return false;
    *out_answer = (struct build_answer){.handler = respond_handle, .context = respond};
    return true;
}

/* --- redirect --------------------------------------------------------------------------------- */

struct redirect {
    struct build_text target;
    uint32_t status;
};

static void redirect_handle(px_exchange *exchange, void *context)
{
    const struct redirect *redirect = context;
    px_str target = build_text_of(&redirect->target, exchange, PX_TEMPLATE_TARGET);

    if (target.ptr)
        px_respond_redirect(exchange, redirect->status, target);
    else
        px_respond_error(exchange, 503);
}

/* The port is of https alone, where it was not refused. */
static bool has_no_port(struct build *build, const struct config_node *node)
{
    const struct config_typed *port = node_option(node, "port");

    if (port)
        report_add(&build->load->report, REPORT_MEANING, port->value->place,
                   "port= is for redirect https; write it into the target");
    return !port;
}

static bool is_redirect_status(uint32_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static bool build_redirect(struct build *build, const struct config_node *node,
                           struct build_answer *out_answer)
{
    struct redirect *redirect = load_take(build->load, sizeof(*redirect));

    if (!redirect || !has_no_port(build, node))
        return false;
    CHECK(node->value_count > 0);
    redirect->status = 302;
    if (node->value_count == 1 && status_read(&node->values[0], &redirect->status)) {
        report_add(&build->load->report, REPORT_MEANING, node->values[0].value->place,
                   "a redirect needs a target: redirect %u TARGET", redirect->status);
        return false;
    }
    if (node->value_count > 1 && (!status_read(&node->values[0], &redirect->status) ||
                                  !is_redirect_status(redirect->status))) {
        report_add(&build->load->report, REPORT_MEANING, node->values[0].value->place,
                   "\"%s\" is not one of 301, 302, 303, 307 or 308", node->values[0].text.ptr);
        return false;
    }
    if (!build_text_read(build, &node->values[node->value_count - 1], &redirect->target))
        return false;
    *out_answer = (struct build_answer){.handler = redirect_handle, .context = redirect};
    return true;
}

/* --- Which one -------------------------------------------------------------------------------- */

static bool answer_make(struct build_route *route, const struct config_node *node,
                        struct build_answer *out_answer)
{
    if (node_is(node, "files"))
        return build_files(route, node, out_answer);
    if (node_is(node, "redirect"))
        return build_redirect(route->build, node, out_answer);
    if (node_is(node, "proxy"))
        return build_proxy(route, node, out_answer);
    if (node_is(node, "metrics") || node_is(node, "status"))
        return build_observe(route->build, node, out_answer);
    return build_respond(route, node, out_answer);
}

uint32_t build_answer_count(const struct config_route *route)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < route->step_count; i++)
        count += route->steps[i].node->row->phase == PHASE_ANSWER &&
                 !build_is_https(route->steps[i].node);
    return count;
}

static bool answer_add(struct build_route *route, const struct config_step *step,
                       struct build_answer *out_answers, uint32_t *out_count)
{
    struct build_answer *answer = &out_answers[*out_count];
    px_matcher *when;

    if (!build_match(route->build, step->match, &when) || !answer_make(route, step->node, answer))
        return false;
    answer->when = when;
    (*out_count)++;
    return true;
}

/* Those that wait for a match come before the one that does not. */
bool build_answers(struct build_route *route, struct build_answer *out_answers, uint32_t *out_count)
{
    const struct config_route *settings = route->route;
    bool is_good = true;

    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < settings->step_count; i++) {
            const struct config_step *step = &settings->steps[i];

            if (step->node->row->phase == PHASE_ANSWER && !build_is_https(step->node) &&
                (step->match == NULL) == (pass == 1))
                is_good &= answer_add(route, step, out_answers, out_count);
        }
    }
    return is_good;
}
