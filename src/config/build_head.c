/*
 * What is done to the head of an answer: header, hsts.
 *
 * One filter for all of them, in the order of the file, from outside in.
 */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>

#include "base/check.h"
#include "config/build.h"
#include "pollux/request.h"
#include "pollux/response.h"

enum { HSTS_BYTES = 40, MS = 1000, YEAR_S = 365 * 24 * 3600 };

struct edit {
    px_str name;
    struct build_text value;
    char kind;         /* '+', '-', or NUL: sets */
    bool is_https_own; /* on answers over TLS alone (RFC 6797 section 7.2) */
};

struct edits {
    uint32_t count;
    struct edit at[];
};

static int edits_on_head(px_exchange *exchange, void *context, void **out_state)
{
    const struct edits *edits = context;

    *out_state = NULL;
    for (uint32_t i = 0; i < edits->count; i++) {
        const struct edit *edit = &edits->at[i];

        if (edit->is_https_own && !px_request_is_https(exchange))
            continue;
        px_str value = edit->kind == '-' ? px_str_of(NULL)
                                         : build_text_of(&edit->value, exchange, PX_TEMPLATE_FIELD);

        if (edit->kind == '+')
            px_response_add_field(exchange, edit->name, value);
        else if (edit->kind == '-' || value.ptr)
            px_response_set_field(exchange, edit->name, value);
    }
    return 0;
}

static const px_filter edits_filter = {.struct_size = sizeof(edits_filter),
                                       .on_head = edits_on_head};

/* RFC 9110 section 6.4: how a message is framed is pollux's own. */
static bool is_framing(px_str name)
{
    static const char *const names[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                        "Keep-Alive",     "Upgrade",           "TE",
                                        "Trailer",        "Proxy-Connection"};

    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        if (name.len == strlen(names[i]) && strncasecmp(name.ptr, names[i], name.len) == 0)
            return true;
    return false;
}

static bool has_control(px_str text)
{
    for (size_t at = 0; at < text.len; at++)
        if (((unsigned char)text.ptr[at] < 0x20 && text.ptr[at] != '\t') || text.ptr[at] == 0x7f)
            return true;
    return false;
}

static bool header_read(struct build *build, const struct config_node *node, struct edit *out_edit)
{
    const struct config_typed *name = &node->values[0];

    if (is_framing(name->text)) {
        report_add(&build->load->report, REPORT_MEANING, name->value->place,
                   "\"%.*s\" says how a message is framed, and is pollux's own",
                   (int)name->text.len, name->text.ptr);
        return false;
    }
    *out_edit = (struct edit){.name = name->text, .kind = name->edit};
    if (name->edit == '-')
        return true;
    if (has_control(node->values[1].text)) {
        report_add(&build->load->report, REPORT_MEANING, node->values[1].value->place,
                   "a field's value has no control bytes");
        return false;
    }
    return build_text_read(build, &node->values[1], &out_edit->value);
}

static bool hsts_read(struct build *build, const struct config_node *node, struct edit *out_edit)
{
    uint64_t seconds = node->value_count > 0 ? node->values[0].number / MS : YEAR_S;
    char *text = load_take(build->load, HSTS_BYTES);

    if (!text)
        return false;
    snprintf(text, HSTS_BYTES, "max-age=%" PRIu64, seconds);
    *out_edit = (struct edit){.name = px_str_of("Strict-Transport-Security"),
                              .value = {.constant = px_str_of(text)},
                              .is_https_own = true};
    return true;
}

static bool is_edit(const struct config_node *node)
{
    bool is_off = node->value_count > 0 && node->values[0].is_off;

    return (node_is(node, "header") && node->value_count > 0) || (node_is(node, "hsts") && !is_off);
}

bool build_filters(struct build_route *route)
{
    const struct config_route *settings = route->route;
    struct edits *edits;
    uint32_t count = 0;
    bool is_good = true;

    for (uint32_t i = 0; i < settings->step_count; i++)
        count += is_edit(settings->steps[i].node);
    if (count == 0)
        return true;
    edits = load_take(route->build->load, sizeof(*edits) + count * sizeof(edits->at[0]));
    if (!edits)
        return false;
    for (uint32_t i = 0; i < settings->step_count; i++) {
        const struct config_node *node = settings->steps[i].node;

        if (!is_edit(node))
            continue;
        is_good &= node_is(node, "hsts")
                       ? hsts_read(route->build, node, &edits->at[edits->count])
                       : header_read(route->build, node, &edits->at[edits->count]);
        edits->count++;
    }
    build_filter(route, &edits_filter, edits, NULL);
    return is_good;
}
