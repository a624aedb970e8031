/*
 * The table of names.  See hosts.h.
 */
#include "server/site/hosts.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "http/message/host.h"

enum { SLOTS_FIRST = 8 };

/* FNV-1a, from the end of a name, so that the hash of each of its tails comes by the way. */
#define HASH_SEED UINT32_C(2166136261)
#define HASH_STEP(hash, byte) (((hash) ^ (unsigned char)(byte)) * UINT32_C(16777619))

/* Tests that add names by the hundred thousand look at smaller tables alone. */
enum { CHECKED_SLOTS_MAX = 4096 };

_Static_assert((SLOTS_FIRST & (SLOTS_FIRST - 1)) == 0, "a mask takes the bits of a hash");
_Static_assert(HOST_NAMES_MAX <= UINT32_MAX / 4, "twice as many slots can be counted");
_Static_assert(HOST_BYTES_MAX <= UINT8_MAX, "the length of a name is a byte");

void hosts_init(struct hosts *hosts, const px_allocator *allocator, struct arena *arena)
{
    memset(hosts, 0, sizeof(*hosts));
    hosts->allocator = allocator;
    hosts->arena = arena;
}

void hosts_deinit(struct hosts *hosts)
{
    alloc_put(hosts->allocator, hosts->slots);
}

/* --- Looking up ------------------------------------------------------------------------------- */

/* Where a name is, or would be.  The table is not empty. */
static struct hosts_name **slot_of(const struct hosts *hosts, uint32_t hash, px_str text,
                                   bool wildcard)
{
    uint32_t mask = hosts->slot_count - 1;
    uint32_t mixed = hash ^ (hash >> 15);

    CHECK(hosts->name_count < hosts->slot_count);
    for (uint32_t at = mixed & mask;; at = (at + 1) & mask) {
        const struct hosts_name *name = hosts->slots[at];

        if (!name || (name->hash == hash && name->wildcard == wildcard && name->len == text.len &&
                      memcmp(name->text, text.ptr, text.len) == 0))
            return &hosts->slots[at];
    }
}

/* Of those with the same name, the one that is served at a listener. */
static px_host *host_at(const struct hosts_name *name, uint16_t listener)
{
    for (; name; name = name->next) {
        if (name->listener_count == 0)
            return name->host;
        for (uint16_t index = 0; index < name->listener_count; index++)
            if (name->listeners[index] == listener)
                return name->host;
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

px_host *hosts_find_name(const struct hosts *hosts, px_str authority, uint16_t listener)
{
    char text[HOST_BYTES_MAX];
    uint32_t hash = HASH_SEED;
    px_host *found = NULL;

    if (authority.len > 0 && hosts->name_count > 0) {
        px_str name = host_name(authority);

        if (name.len > sizeof(text))
            return host_at(hosts->everything, listener);
        for (size_t at = name.len; at-- > 0;) {
            text[at] = lower(name.ptr[at]);
            /* The last one that is found has the longest name behind the dot. */
            if (text[at] == '.' && at > 0 && hosts->wildcard_count > 0) {
                px_str tail = px_str_make(text + at + 1, name.len - at - 1);
                px_host *host = host_at(*slot_of(hosts, hash, tail, true), listener);

                found = host ? host : found;
            }
            hash = HASH_STEP(hash, text[at]);
        }
        px_host *exact =
            host_at(*slot_of(hosts, hash, px_str_make(text, name.len), false), listener);

        found = exact ? exact : found;
    }
    return found ? found : host_at(hosts->everything, listener);
}

void hosts_check(const struct hosts *hosts)
{
    uint32_t names = 0, wildcards = 0;

    ASSERT((hosts->slot_count & (hosts->slot_count - 1)) == 0);
    ASSERT(hosts->name_count <= hosts->slot_count / 2 && hosts->name_count <= HOST_NAMES_MAX);
    ASSERT((hosts->slot_count > 0) == (hosts->slots != NULL));
    for (uint32_t index = 0; index < hosts->slot_count; index++) {
        const struct hosts_name *name = hosts->slots[index];

        if (!name)
            continue;
        px_str text = px_str_make(name->text, name->len);

        ASSERT(name->len > 0 && *slot_of(hosts, name->hash, text, name->wildcard) == name);
        ASSERT(name->host && (name->listener_count == 0 || name->listeners));
        names++;
        wildcards += name->wildcard;
    }
    ASSERT(names == hosts->name_count && wildcards == hosts->wildcard_count);
    ASSERT(!hosts->only || (hosts->name_count == 0 && hosts->everything));
}

/* --- Adding ----------------------------------------------------------------------------------- */

/* A name as it is given: PX_OK, or PX_ERR_INVALID.  `out_text` is absent for "*". */
static px_err name_read(const char *given, px_str *out_text, bool *out_wildcard)
{
    px_str text = px_str_of(given ? given : "");
    struct host_parts parts;

    *out_wildcard = false;
    *out_text = px_str_make(NULL, 0);
    if (px_str_equal(text, px_str_make("*", 1)))
        return PX_OK;
    if (text.len > 2 && text.ptr[0] == '*' && text.ptr[1] == '.') {
        *out_wildcard = true;
        text = px_str_make(text.ptr + 2, text.len - 2);
    }
    if (text.len == 0 || memchr(text.ptr, '*', text.len))
        return PX_ERR_INVALID;
    if (*out_wildcard || !host_ipv6_valid(text.ptr, text.len)) {
        if (!host_split(text, &parts) || (parts.ipv6 && *out_wildcard) ||
            text.len != parts.host.len + (parts.ipv6 ? 2 : 0))
            return PX_ERR_INVALID; /* a port, or no name at all */
        text = parts.host;
    }
    if (text.len > 1 && text.ptr[text.len - 1] == '.')
        text.len--;
    if (text.len > HOST_BYTES_MAX)
        return PX_ERR_INVALID;
    *out_text = text;
    return PX_OK;
}

static struct hosts_name *name_make(struct hosts *hosts, const char *given)
{
    struct hosts_name *name;
    px_str text;
    bool wildcard;

    if (name_read(given, &text, &wildcard) != PX_OK)
        return NULL; /* it was looked at before */
    name = arena_take(hosts->arena, sizeof(*name) + text.len);
    if (!name)
        return NULL;
    *name = (struct hosts_name){.hash = HASH_SEED, .len = (uint8_t)text.len, .wildcard = wildcard};
    for (size_t at = text.len; at-- > 0;) {
        name->text[at] = lower(text.ptr[at]);
        name->hash = HASH_STEP(name->hash, name->text[at]);
    }
    return name;
}

static bool listeners_meet(const struct hosts_name *left, const struct hosts_name *right)
{
    if (left->listener_count == 0 || right->listener_count == 0)
        return true;
    for (uint16_t index = 0; index < left->listener_count; index++)
        for (uint16_t other = 0; other < right->listener_count; other++)
            if (left->listeners[index] == right->listeners[other])
                return true;
    return false;
}

/* Where the names that are the same begin. */
static struct hosts_name **names_like(struct hosts *hosts, const struct hosts_name *name)
{
    if (name->len == 0)
        return &hosts->everything;
    return slot_of(hosts, name->hash, px_str_make(name->text, name->len), name->wildcard);
}

/* Room for so many names more. */
static px_err slots_reserve(struct hosts *hosts, size_t more)
{
    uint32_t count = hosts->slot_count > 0 ? hosts->slot_count : SLOTS_FIRST;

    if (more > HOST_NAMES_MAX - hosts->name_count)
        return PX_ERR_LIMIT;
    while (count / 2 < hosts->name_count + more)
        count *= 2;
    if (count == hosts->slot_count)
        return PX_OK;
    struct hosts wider = *hosts;

    wider.slot_count = count;
    wider.slots = alloc_take_zeroed(hosts->allocator, count * sizeof(struct hosts_name *));
    if (!wider.slots)
        return PX_ERR_MEMORY;
    for (uint32_t index = 0; index < hosts->slot_count; index++)
        if (hosts->slots[index])
            *names_like(&wider, hosts->slots[index]) = hosts->slots[index];
    alloc_put(hosts->allocator, hosts->slots);
    *hosts = wider;
    return PX_OK;
}

/* Puts a name in, or says that it is there. */
static px_err name_put(struct hosts *hosts, struct hosts_name *name, const char *given,
                       px_error *out_error)
{
    struct hosts_name **first = names_like(hosts, name);

    for (const struct hosts_name *other = *first; other; other = other->next)
        if (listeners_meet(name, other))
            return error_set(out_error, PX_ERR_CONFLICT, 0,
                             "host \"%s\" is there already, at the same listener", given);
    if (!*first && name->len > 0) {
        hosts->name_count++;
        hosts->wildcard_count += name->wildcard;
    }
    name->next = *first;
    *first = name;
    return PX_OK;
}

/* Takes a name out that was the last one put in. */
static void name_take_back(struct hosts *hosts, const struct hosts_name *name)
{
    struct hosts_name **first = names_like(hosts, name);

    *first = name->next;
    if (!*first && name->len > 0) {
        hosts->name_count--;
        hosts->wildcard_count -= name->wildcard;
    }
}

px_err hosts_add(struct hosts *hosts, const char *const *names, size_t name_count,
                 const uint16_t *listeners, uint16_t listener_count, px_host *host,
                 px_error *out_error)
{
    struct hosts_name **made = NULL;
    px_err err = PX_OK;
    px_str text;
    bool wildcard;
    size_t count;

    if (name_count == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "a host needs a name");
    for (size_t index = 0; index < name_count; index++)
        if (name_read(names[index], &text, &wildcard) != PX_OK)
            return error_set(out_error, PX_ERR_INVALID, 0, "\"%s\" is no host name",
                             names[index] ? names[index] : "");
    err = slots_reserve(hosts, name_count);
    if (err != PX_OK)
        return error_set(out_error, err, 0,
                         err == PX_ERR_LIMIT ? "more names than HOST_NAMES_MAX" : "out of memory");
    made = alloc_take(hosts->allocator, name_count * sizeof(*made));
    if (!made)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    for (count = 0; count < name_count && err == PX_OK; count++) {
        made[count] = name_make(hosts, names[count]);
        if (!made[count]) {
            err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
            break;
        }
        made[count]->host = host;
        made[count]->listeners = listeners;
        made[count]->listener_count = listener_count;
        err = name_put(hosts, made[count], names[count], out_error);
        if (err != PX_OK)
            break;
    }
    while (err != PX_OK && count > 0)
        name_take_back(hosts, made[--count]);
    alloc_put(hosts->allocator, made);
    hosts->only = hosts->name_count == 0 && hosts->everything && !hosts->everything->next &&
                          hosts->everything->listener_count == 0
                      ? hosts->everything->host
                      : NULL;
    if (ASSERTS && hosts->slot_count <= CHECKED_SLOTS_MAX)
        hosts_check(hosts);
    return err;
}
