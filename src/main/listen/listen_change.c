/*
 * Listening on other addresses than before.
 *
 * The happy path: what is new is opened beside what there is, workers that know it are started, and
 * when they serve what is left over is closed.  A socket that stays is not touched.  It can fail at
 * each new address; then all is as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "main/diagnostics.h"
#include "main/listen/address.h"
#include "main/listen/listen.h"

static bool is_same(const struct listen_options *one, const struct listen_options *other)
{
    return one->backlog == other->backlog && one->mode == other->mode &&
           one->owner == other->owner && one->group == other->group && one->proxy == other->proxy;
}

/* One that no address of this change has yet: two with port 0 are written alike. */
static uint32_t address_find(const struct listeners *listeners, const char *text,
                             const struct listen_options *options)
{
    for (uint32_t i = 0; i < listeners->address_count; i++)
        if (listeners->tags[i] == LISTEN_NONE && strcmp(listeners->texts[i], text) == 0 &&
            is_same(&listeners->options[i], options))
            return i;
    return LISTEN_NONE;
}

static bool is_open(const struct listeners *listeners, uint32_t address)
{
    for (uint32_t i = 0; i < listeners->count; i++)
        if (listeners->at[i].address == address)
            return true;
    return false;
}

static void *grow(void *memory, uint32_t count, size_t bytes)
{
    return realloc(memory, (count + 1) * bytes);
}

/* Appends an address; LISTEN_NONE without memory, or when there were too many. */
static uint32_t address_add(struct listeners *listeners, const char *text,
                            const struct listen_options *options)
{
    uint32_t count = listeners->address_count;

    CHECK(count <= LISTEN_EVER_MAX);
    if (count == LISTEN_EVER_MAX)
        return LISTEN_NONE;
    char **texts = grow(listeners->texts, count, sizeof(texts[0]));

    if (texts)
        listeners->texts = texts;
    struct listen_options *all = grow(listeners->options, count, sizeof(all[0]));

    if (all)
        listeners->options = all;
    uint32_t *tags = grow(listeners->tags, count, sizeof(tags[0]));

    if (tags)
        listeners->tags = tags;
    if (!texts || !all || !tags)
        return LISTEN_NONE;
    texts[count] = strdup(text);
    if (!texts[count])
        return LISTEN_NONE;
    all[count] = *options;
    tags[count] = LISTEN_NONE;
    listeners->address_count++;
    return count;
}

/* An address that is listened on already, and is spoken to in another way from now on.  Two with
 * port 0 are different ones. */
static uint32_t twin_find(const struct listeners *listeners, uint32_t address)
{
    const char *text = address_bare(listeners->texts[address]);

    CHECK(address < listeners->address_count);
    for (uint32_t i = 0; i < listeners->address_count; i++)
        if (i != address && strcmp(address_bare(listeners->texts[i]), text) == 0 &&
            address_port(text) != 0 && is_open(listeners, i))
            return i;
    return LISTEN_NONE;
}

/* What the file of a unix socket is made with. */
static bool is_same_file(const struct listen_options *one, const struct listen_options *other)
{
    return one->mode == other->mode && one->owner == other->owner && one->group == other->group;
}

static px_err twin_take(struct listeners *listeners, uint32_t twin, uint32_t address,
                        px_error *out_error)
{
    uint32_t count = listeners->count;
    px_err err = PX_OK;
    int fd;

    CHECK(twin != address && twin < listeners->address_count);
    if (!is_same_file(&listeners->options[twin], &listeners->options[address]))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "mode, owner and group of a socket cannot change by a reload: restart "
                         "pollux for it");
    for (uint32_t i = 0; i < count && err == PX_OK; i++) {
        if (listeners->at[i].address != twin)
            continue;
        for (size_t n = 0; (fd = px_listener_fd(listeners->at[i].listener, n)) >= 0 && err == PX_OK;
             n++) {
            int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

            if (copy < 0)
                return error_set(out_error, error_category(errno), errno, "cannot listen: %s",
                                 strerror(errno));
            px_listener *listener = px_listener_adopt(copy, out_error);

            if (!listener)
                close(copy);
            err = listen_keep(listeners, listener, listeners->at[i].slot, address, out_error);
        }
    }
    return err;
}

static px_err address_open(struct listeners *listeners, const struct listen_plan *plan,
                           uint32_t number, px_error *out_error)
{
    const char *text = plan->addresses[number];
    uint32_t address = address_find(listeners, text, &plan->options[number]);

    if (address == LISTEN_NONE)
        address = address_add(listeners, text, &plan->options[number]);
    if (address == LISTEN_NONE)
        return error_set(out_error, PX_ERR_LIMIT, 0,
                         "cannot listen on %s: too many addresses came and went; start anew", text);
    CHECK(address < listeners->address_count && listeners->tags[address] == LISTEN_NONE);
    listeners->tags[address] = number;
    if (is_open(listeners, address))
        return PX_OK;
    uint32_t twin = twin_find(listeners, address);

    return twin != LISTEN_NONE ? twin_take(listeners, twin, address, out_error)
                               : listen_open_address(listeners, plan, address, number, out_error);
}

/* Keeps the tags there are, and begins with none. */
static bool tags_begin(struct listeners *listeners)
{
    uint32_t *old = malloc((listeners->address_count + 1) * sizeof(old[0]));

    if (!old)
        return false;
    CHECK(!listeners->old_tags);
    /* Addresses that are added later were not listened on before. */
    for (uint32_t i = 0; i < listeners->address_count; i++) {
        old[i] = listeners->tags[i];
        listeners->tags[i] = LISTEN_NONE;
    }
    old[listeners->address_count] = LISTEN_NONE;
    listeners->old_tags = old;
    listeners->old_count = listeners->address_count;
    return true;
}

px_err listeners_try(struct listeners *listeners, const struct listen_plan *plan,
                     uint32_t *out_wrong, px_error *out_error)
{
    px_err err = PX_OK;

    CHECK(plan->address_count <= LISTEN_COUNT_MAX);
    listeners_check(listeners);
    *out_wrong = 0;
    if (!tags_begin(listeners))
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot listen: out of memory");
    for (uint32_t i = 0; i < plan->address_count && err == PX_OK; i++) {
        *out_wrong = i;
        err = address_open(listeners, plan, i, out_error);
    }
    if (err == PX_OK)
        err = listen_list(listeners, out_error);
    if (err != PX_OK)
        listeners_settle(listeners, false);
    return err;
}

/* Sockets that go on by another directive wait for as many connections as that one says. */
static void backlogs_renew(const struct listeners *listeners)
{
    int fd;

    for (uint32_t i = 0; i < listeners->count; i++) {
        uint32_t address = listeners->at[i].address;
        uint32_t own = listeners->options[address].backlog;

        if (address < listeners->old_count ||
            strncmp(address_bare(listeners->texts[address]), "fd:", 3) == 0)
            continue;
        for (size_t n = 0; (fd = px_listener_fd(listeners->at[i].listener, n)) >= 0; n++)
            (void)listen(fd, (int)(own == 0 ? listeners->backlog : own));
    }
}

/* Closes what has no tag. */
static void close_rest(struct listeners *listeners)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < listeners->count; i++) {
        if (listeners->tags[listeners->at[i].address] == LISTEN_NONE)
            px_listener_close(listeners->at[i].listener);
        else
            listeners->at[kept++] = listeners->at[i];
    }
    CHECK(kept <= listeners->count);
    listeners->count = kept;
    kept = 0;
    for (uint32_t i = 0; i < listeners->socket_count; i++)
        if (listeners->tags[listeners->sockets[i].address] != LISTEN_NONE)
            listeners->sockets[kept++] = listeners->sockets[i];
    listeners->socket_count = kept;
}

void listeners_settle(struct listeners *listeners, bool is_good)
{
    px_error error;

    if (!listeners->old_tags)
        return;
    for (uint32_t i = 0; i < listeners->address_count && !is_good; i++)
        listeners->tags[i] = i < listeners->old_count ? listeners->old_tags[i] : LISTEN_NONE;
    CHECK(listeners->old_count <= listeners->address_count);
    free(listeners->old_tags);
    listeners->old_tags = NULL;
    close_rest(listeners);
    listeners_check(listeners);
    if (is_good)
        backlogs_renew(listeners);
    /* Without memory what is announced is not whole. */
    if (listen_announce_list(listeners, &error) != PX_OK)
        diagnostics_say("%s", error.text);
}
