/*
 * Rules by address: a list that is walked until one names the client.
 *
 * Happy path: px_access_check finds a rule that lets the client in, or none.  It can fail at start,
 * by a block that is none.
 */
#include "pollux/access.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/options.h"
#include "gate/matcher.h"
#include "pollux/request.h"
#include "pollux/response.h"

struct access_rule {
    struct list node;
    struct client_block block;
    px_matcher *when; /* a hold, or NULL */
    bool is_allowed;
};

struct px_access {
    px_allocator allocator;
    struct list rules; /* of access_rule, owned, in their order */
    uint32_t rule_count;
    unsigned status;
};

px_access *px_access_create(const px_access_options *options, px_error *out_error)
{
    px_access_options known;

    if (options_take(&known, sizeof(known), options, "access options", out_error) != PX_OK)
        return NULL;
    if (known.status != 0 && (known.status < 400 || known.status > 599)) {
        error_set(out_error, PX_ERR_INVALID, 0, "%u is no status of an error", known.status);
        return NULL;
    }
    const px_allocator *used = known.allocator ? known.allocator : &alloc_libc;
    px_access *access = alloc_take_zeroed(used, sizeof(*access));

    if (!access) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    access->allocator = *used;
    access->status = known.status != 0 ? known.status : 403;
    list_init(&access->rules);
    error_clear(out_error);
    return access;
}

px_err px_access_add(px_access *access, int is_allowed, px_str block, px_matcher *when,
                     px_error *out_error)
{
    struct client_block parsed;
    px_err err = client_block_parse(block, &parsed, out_error);

    CHECK(access->rule_count <= ACCESS_RULES_MAX);
    if (err != PX_OK)
        return err;
    if (access->rule_count == ACCESS_RULES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "there are at most %d rules",
                         ACCESS_RULES_MAX);
    struct access_rule *rule = alloc_take_zeroed(&access->allocator, sizeof(*rule));

    if (!rule)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    rule->block = parsed;
    rule->when = matcher_hold(when);
    rule->is_allowed = is_allowed != 0;
    list_append(&access->rules, &rule->node);
    access->rule_count++;
    return error_clear(out_error);
}

/* A client that is not known may be any: a rule that refuses some is about it, one that lets some
 * in is not. */
static bool rule_is_about(const struct access_rule *rule, px_exchange *exchange)
{
    if (PX_UNLIKELY(!px_request_client_is_known(exchange)))
        return !rule->is_allowed || rule->block.all;
    return client_block_has(&rule->block, px_request_client(exchange));
}

px_verdict px_access_check(px_exchange *exchange, void *access)
{
    px_access *self = access;

    if (!gate_guards(NULL, exchange))
        return PX_NEXT;
    for (struct list *node = self->rules.next; node != &self->rules; node = node->next) {
        const struct access_rule *rule = CONTAINER_OF(node, struct access_rule, node);

        if (!rule_is_about(rule, exchange) || !matcher_applies(rule->when, exchange))
            continue;
        if (rule->is_allowed)
            return PX_NEXT;
        px_respond_error(exchange, self->status);
        return PX_STOP;
    }
    return PX_NEXT;
}

void px_access_destroy(void *access)
{
    px_access *self = access;

    if (!self)
        return;
    px_allocator allocator = self->allocator;

    while (!list_empty(&self->rules)) {
        struct access_rule *rule = CONTAINER_OF(self->rules.next, struct access_rule, node);

        list_remove(&rule->node);
        px_matcher_destroy(rule->when);
        alloc_put(&allocator, rule);
    }
    alloc_put(&allocator, self);
}
