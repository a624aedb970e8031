/*
 * Lines into a table.  The text is cut into strings where it lies.
 */
#include "gate/users.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "gate/password.h"

enum { SHOWN_MAX = 40 };

static uint32_t *bucket_of(const struct users *users, px_str name)
{
    uint64_t hash = siphash(&users->key, name.ptr, name.len);

    return &users->buckets[hash & (users->bucket_count - 1)];
}

const struct user *users_find(const struct users *users, px_str name)
{
    uint32_t index = users->bucket_count > 0 ? *bucket_of(users, name) : 0;

    ASSERT((users->bucket_count & (users->bucket_count - 1)) == 0);
    while (index > 0 && !px_str_equal(users->items[index - 1].name, name))
        index = users->items[index - 1].next;
    return index > 0 ? &users->items[index - 1] : NULL;
}

/* What is wrong with a line, or NULL; *out_user is set where there is one. */
static const char *line_take(char *line, struct user *out_user)
{
    char *colon = strchr(line, ':');

    if (!colon)
        return "has no colon (write name:hash)";
    *colon = '\0';
    char *hash = colon + 1, *end = strchr(hash, ':');

    if (end)
        *end = '\0';
    out_user->name = px_str_make(line, (size_t)(colon - line));
    out_user->hash = hash;
    if (out_user->name.len == 0 || out_user->name.len > USER_NAME_BYTES_MAX)
        return "has no name of 1 to 255 bytes";
    for (size_t at = 0; at < out_user->name.len; at++) {
        unsigned char byte = (unsigned char)line[at];

        if (byte < 0x20 || byte == 0x7f)
            return "has control bytes in its name";
    }
    return NULL;
}

static px_err wrong(px_error *out_error, const char *file, uint32_t line, px_str name,
                    const char *what)
{
    return error_set(out_error, PX_ERR_INVALID, 0, "%s:%u: %s%.*s%s%s", file, line,
                     name.ptr ? "\"" : "the line ",
                     name.len > SHOWN_MAX ? SHOWN_MAX : (int)name.len, name.ptr ? name.ptr : "",
                     name.ptr ? "\": " : "", what);
}

static px_err user_add(struct users *users, const struct user *user, const char *file,
                       uint32_t line, px_error *out_error)
{
    const char *fault = password_hash_fault(user->hash);

    CHECK(users->items && user->name.len > 0);
    CHECK(user->name.len <= USER_NAME_BYTES_MAX);
    if (fault) {
        char text[128];

        snprintf(text, sizeof(text), "its hash %s", fault);
        return wrong(out_error, file, line, user->name, text);
    }
    if (users_find(users, user->name))
        return wrong(out_error, file, line, user->name, "the name is there already");
    uint32_t *bucket = bucket_of(users, user->name);

    users->items[users->count] = *user;
    users->items[users->count].next = *bucket;
    *bucket = ++users->count;
    return PX_OK;
}

static px_err lines_take(struct users *users, size_t bytes, const char *file, px_error *out_error)
{
    char *at = users->text, *text_end = users->text + bytes;
    px_err err = PX_OK;

    for (uint32_t line = 1; at < text_end && err == PX_OK; line++) {
        char *end = memchr(at, '\n', (size_t)(text_end - at));
        char *next = end ? end + 1 : text_end;
        struct user user = {.next = 0};

        end = end ? end : text_end;
        if (end > at && end[-1] == '\r')
            end--;
        *end = '\0';
        if (strlen(at) != (size_t)(end - at))
            return wrong(out_error, file, line, px_str_make(NULL, 0), "holds a NUL");
        if (at != end && *at != '#') {
            const char *fault = line_take(at, &user);

            err = fault ? wrong(out_error, file, line, px_str_make(NULL, 0), fault)
                        : user_add(users, &user, file, line, out_error);
        }
        at = next;
    }
    return err;
}

px_err users_init(struct users *users, const px_allocator *allocator, const struct siphash_key *key,
                  char *text, size_t bytes, const char *file, px_error *out_error)
{
    uint32_t lines = 1, buckets = 16;
    px_err err;

    *users = (struct users){.allocator = *allocator, .text = text, .key = *key};
    for (size_t at = 0; at < bytes; at++)
        lines += text[at] == '\n';
    while (buckets < lines)
        buckets *= 2;
    users->items = alloc_take_zeroed(allocator, lines * sizeof(struct user) +
                                                    buckets * sizeof(users->buckets[0]));
    if (!users->items) {
        err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        goto fail;
    }
    users->buckets = (uint32_t *)(void *)(users->items + lines);
    users->bucket_count = buckets;
    err = lines_take(users, bytes, file, out_error);
    CHECK(users->count <= lines);
    if (err == PX_OK && users->count == 0)
        err = error_set(out_error, PX_ERR_INVALID, 0, "%s: there is no user in it", file);
    if (err == PX_OK)
        return PX_OK;
fail:
    users_deinit(users);
    return err;
}

void users_deinit(struct users *users)
{
    if (users->text || users->items) {
        alloc_put(&users->allocator, users->items);
        alloc_put(&users->allocator, users->text);
    }
    *users = (struct users){.count = 0};
}
