/*
 * What directives make that is one for all routes: kept until the configuration ends.
 *
 * It is found by its node and its match in a table that doubles, for ten thousand hosts have ten
 * thousand directives of their own.
 */
#include <string.h>

#include "config/site/build.h"

#include "base/check.h"

enum { BUCKETS_FIRST = 64 };

/* Nodes lie in an arena, so the last bits of their addresses say nothing. */
static uint32_t bucket_of(const struct config *config, const struct config_node *node,
                          const struct config_node *match)
{
    uint64_t key = (uint64_t)(uintptr_t)node ^ ((uint64_t)(uintptr_t)match << 1);

    CHECK(config->bucket_count > 0 && (config->bucket_count & (config->bucket_count - 1)) == 0);
    return (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 32) & (config->bucket_count - 1);
}

void *build_made_find(const struct config *config, const struct config_node *node,
                      const struct config_node *match)
{
    if (config->bucket_count == 0)
        return NULL;
    for (struct config_made *one = config->buckets[bucket_of(config, node, match)]; one;
         one = one->beside)
        if (one->node == node && one->match == match)
            return one->thing;
    return NULL;
}

static void chain(struct config *config, struct config_made *one)
{
    uint32_t bucket = bucket_of(config, one->node, one->match);

    CHECK(one->node);
    one->beside = config->buckets[bucket];
    config->buckets[bucket] = one;
}

/* As many buckets as there are things at least; false without memory. */
static bool grow(struct build *build)
{
    struct config *config = build->config;
    uint32_t count = config->bucket_count == 0 ? BUCKETS_FIRST : config->bucket_count * 2;

    if (config->made_count < config->bucket_count)
        return true;
    struct config_made **buckets = load_take(build->load, count * sizeof(buckets[0]));

    if (!buckets)
        return false;
    config->buckets = buckets;
    config->bucket_count = count;
    for (struct config_made *one = config->made; one; one = one->next)
        if (one->node)
            chain(config, one);
    return true;
}

bool build_made_keep(struct build *build, const struct config_node *node,
                     const struct config_node *match, void *thing, void (*release)(void *thing))
{
    struct config *config = build->config;
    struct config_made *one = load_take(build->load, sizeof(*one));

    CHECK(thing && release);
    CHECK(!node || !build_made_find(config, node, match)); /* a directive makes a thing once */
    if (!one || (node && !grow(build))) {
        release(thing);
        return false;
    }
    *one = (struct config_made){config->made, NULL, node, match, thing, release};
    config->made = one;
    config->made_count++;
    if (node)
        chain(config, one);
    return true;
}

/* The brace of a value's text in its spelling, by how many of its kind are in front of it; NULL:
 * escapes or a variable have brought others. */
static const char *brace_find(const struct config_value *value, size_t at)
{
    const char *text = value->text.ptr, *spelling = value->spelling.ptr, *found = NULL;
    size_t before = 0, all = 0, spelt = 0;

    for (size_t i = 0; i < value->text.len; i++) {
        before += i < at && text[i] == text[at];
        all += text[i] == text[at];
    }
    for (size_t i = 0; i < value->spelling.len; i++) {
        if (spelling[i] != text[at])
            continue;
        if (spelt++ == before)
            found = spelling + i;
    }
    return spelt == all ? found : NULL;
}

/* Where a template that cannot be read is wrong, if that is what an error says; NULL: it is not. */
static const char *template_wrong_at(const struct config_value *value, const px_error *error)
{
    px_error again;
    size_t at = 0;
    px_template *parsed = px_template_create(value->text, NULL, &at, &again);

    if (parsed) {
        px_template_destroy(parsed);
        return NULL;
    }
    return strcmp(again.text, error->text) == 0 && at < value->text.len &&
                   (value->text.ptr[at] == '{' || value->text.ptr[at] == '}')
               ? brace_find(value, at)
               : NULL;
}

struct config_place build_place_in(const struct config_value *value, const px_error *error)
{
    const char *open = strchr(error->text, '{'), *close = open ? strchr(open, '}') : NULL;
    px_str spelling = value->spelling;
    const char *named =
        close ? memmem(spelling.ptr, spelling.len, open, (size_t)(close - open) + 1) : NULL;
    const char *wrong = template_wrong_at(value, error);
    const char *at = wrong ? wrong : named;
    uint32_t length = 0;

    CHECK(!at || (at >= spelling.ptr && at < spelling.ptr + spelling.len));
    if (!at)
        return value->place;
    /* In characters: bytes that go on with one are none of their own. */
    for (const char *byte = at; named && byte < at + (close - open) + 1; byte++)
        length += ((unsigned char)*byte & 0xc0) != 0x80;
    return config_value_place(value, at, named ? length : 1);
}
