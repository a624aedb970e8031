/*
 * Changes are checked when they are added, so that what is left to go wrong is memory.
 */
#include "gate/edits.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "gate/matcher.h"
#include "http/fields/field.h"
#include "pollux/request.h"

enum { SHOWN_MAX = 40 };

void edits_init(struct edits *edits, const px_allocator *allocator)
{
    edits->allocator = allocator ? *allocator : alloc_libc;
    edits->count = 0;
    list_init(&edits->list);
}

static void edit_free(struct edits *edits, struct edit *edit)
{
    px_template_destroy(edit->value);
    px_matcher_destroy(edit->when);
    alloc_put(&edits->allocator, edit);
}

void edits_deinit(struct edits *edits)
{
    while (!list_empty(&edits->list)) {
        struct edit *edit = CONTAINER_OF(edits->list.next, struct edit, node);

        list_remove(&edit->node);
        edit_free(edits, edit);
    }
}

px_err edits_add(struct edits *edits, px_header_edit what, px_str name, px_str value,
                 px_matcher *when, px_error *out_error)
{
    CHECK(edits->count <= FIELD_EDITS_MAX);
    if (!field_name_valid(name) || field_is_framing(name))
        return error_set(
            out_error, PX_ERR_INVALID, 0, "'%.*s' is %s",
            name.len > SHOWN_MAX ? SHOWN_MAX : (int)name.len, name.len > 0 ? name.ptr : "",
            field_name_valid(name) ? "a field that pollux sets itself" : "no field's name");
    if (what > PX_HEADER_REMOVE)
        return error_set(out_error, PX_ERR_INVALID, 0, "there is no such change");
    if (edits->count == FIELD_EDITS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "there are at most %d changes",
                         FIELD_EDITS_MAX);
    struct edit *edit = alloc_take_zeroed(&edits->allocator, sizeof(*edit) + name.len + 1);

    if (!edit)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    text_write_str((char *)(edit + 1), name);
    list_init(&edit->node);
    edit->name = px_str_make((const char *)(edit + 1), name.len);
    edit->what = what;
    edit->when = matcher_hold(when);
    if (what != PX_HEADER_REMOVE) {
        px_error error;

        edit->value = px_template_create(value, &edits->allocator, NULL, &error);
        if (!edit->value) {
            edit_free(edits, edit);
            return error_copy(out_error, &error);
        }
    }
    list_append(&edits->list, &edit->node);
    edits->count++;
    return error_clear(out_error);
}

void edits_run(const struct edits *edits, px_exchange *exchange,
               void (*change)(px_exchange *exchange, const struct edit *edit, px_str value))
{
    ASSERT(list_check(&edits->list) == edits->count);
    for (const struct list *node = edits->list.next; node != &edits->list; node = node->next) {
        const struct edit *edit = CONTAINER_OF(node, const struct edit, node);
        px_str value = px_str_make(NULL, 0);

        if (!matcher_applies(edit->when, exchange) ||
            (edit->https_only && !px_str_equal(px_request_scheme(exchange), px_str_of("https"))))
            continue;
        if (edit->value) {
            value = px_template_text(edit->value, exchange, PX_TEMPLATE_FIELD);
            if (!value.ptr) {
                px_exchange_abort(exchange);
                return;
            }
        }
        change(exchange, edit, value);
    }
}
