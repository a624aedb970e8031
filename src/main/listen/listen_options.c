/*
 * The options of an address, as a table.
 *
 * The happy path: the address ends at the first comma, then each option is its name, and for most
 * an equals sign and a value.  It can fail by a name that is not known, by a value that is none, by
 * a user that is not there, and by an option that such an address has no use for.
 */
#include "main/listen/listen_options.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/values.h"
#include "main/listen/address.h"

enum {
    VALUE_BYTES = 64, /* a name of a user has 32 at most */
    MODE_MOST = 0777,
    OCTAL = 8,
};

/* Which addresses an option is for. */
enum reach {
    REACH_ALL,
    REACH_OPENED, /* what is inherited was set up by the program that opened it */
    REACH_FILE,   /* unix sockets */
};

static bool set_mode(struct listen_options *options, const char *value)
{
    size_t len = strlen(value);

    if (len == 0 || len > 4 || strspn(value, "01234567") < len)
        return false;
    options->mode = (uint32_t)strtoul(value, NULL, OCTAL);
    return options->mode > 0 && options->mode <= MODE_MOST;
}

static bool id_read(const char *value, uint32_t *out_id)
{
    uint64_t id;

    if (!value_count(value, 0, UINT32_MAX - 1, &id))
        return false;
    *out_id = (uint32_t)id;
    return true;
}

static bool set_owner(struct listen_options *options, const char *value)
{
    const struct passwd *entry;

    if (id_read(value, &options->owner))
        return true;
    entry = getpwnam(value);
    if (entry)
        options->owner = entry->pw_uid;
    return entry != NULL;
}

static bool set_group(struct listen_options *options, const char *value)
{
    const struct group *entry;

    if (id_read(value, &options->group))
        return true;
    entry = getgrnam(value);
    if (entry)
        options->group = entry->gr_gid;
    return entry != NULL;
}

static bool set_backlog(struct listen_options *options, const char *value)
{
    uint64_t count;

    if (!value_count(value, 1, INT_MAX, &count))
        return false;
    options->backlog = (uint32_t)count;
    return true;
}

static bool set_proxy(struct listen_options *options, const char *value)
{
    options->proxy = true;
    return *value == '\0';
}

static const struct listen_option {
    const char *name;
    bool has_value;
    enum reach reach;
    bool (*set)(struct listen_options *options, const char *value);
    const char *wanted;
} listen_option_table[] = {
    {"mode", true, REACH_FILE, set_mode, "it is an octal number from 1 to 0777"},
    {"owner", true, REACH_FILE, set_owner, "there is no such user"},
    {"group", true, REACH_FILE, set_group, "there is no such group"},
    {"proxy", false, REACH_ALL, set_proxy, "it takes no value"},
    {"backlog", true, REACH_OPENED, set_backlog, "it is a number from 1 on"},
};

_Static_assert(ARRAY_COUNT(listen_option_table) <= 32, "each has a bit of what was seen");

static const struct listen_option *option_find(px_str name)
{
    for (size_t i = 0; i < ARRAY_COUNT(listen_option_table); i++)
        if (px_str_equal(name, px_str_of(listen_option_table[i].name)))
            return &listen_option_table[i];
    return NULL;
}

static bool is_in_reach(const struct listen_option *option, const char *address)
{
    address = address_bare(address);
    switch (option->reach) {
    case REACH_ALL:
        return true;
    case REACH_OPENED:
        return strncmp(address, "fd:", 3) != 0;
    case REACH_FILE:
        return strncmp(address, "unix:", 5) == 0;
    }
    return false;
}

/* One option, up to the next comma. */
static px_err option_read(const char *flag, const char *text, px_str word, uint32_t *seen,
                          struct listen_options *options, px_error *out_error)
{
    const char *equals = memchr(word.ptr, '=', word.len);
    px_str name = px_str_make(word.ptr, equals ? (size_t)(equals - word.ptr) : word.len);
    size_t value_len = equals ? word.len - name.len - 1 : 0;
    const struct listen_option *option = option_find(name);
    char value[VALUE_BYTES] = "";

    if (!option)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--%s %s: '%.*s' is no option of an address; there are mode=, owner=, "
                         "group=, proxy and backlog=",
                         flag, text, (int)name.len, name.ptr);
    if (!is_in_reach(option, options->address))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: %s is for %s", flag, text,
                         option->name,
                         option->reach == REACH_FILE ? "unix:/path alone"
                                                     : "what is opened here, and fd: is inherited");
    uint32_t bit = 1U << (option - listen_option_table);

    if (*seen & bit)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: %s is there twice", flag, text,
                         option->name);
    *seen |= bit;
    if (value_len < sizeof(value) && equals)
        memcpy(value, equals + 1, value_len);
    if (value_len >= sizeof(value) || (equals != NULL) != option->has_value ||
        !option->set(options, value))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: %s: %s", flag, text, option->name,
                         option->wanted);
    return PX_OK;
}

px_err listen_options_read(const char *flag, const char *text, struct listen_options *out_options,
                           px_error *out_error)
{
    struct listen_options options = {.owner = LISTEN_ID_KEPT, .group = LISTEN_ID_KEPT};
    size_t len = strcspn(text, ",");
    uint32_t seen = 0;

    if (text[len] == ',' && len >= sizeof(options.address))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: that is too long", flag, text);
    if (text[len] == ',')
        memcpy(options.address, text, len);
    for (const char *at = text + len; *at == ',';) {
        px_str word = px_str_make(at + 1, strcspn(at + 1, ","));
        px_err err = option_read(flag, text, word, &seen, &options, out_error);

        if (err != PX_OK)
            return err;
        at = word.ptr + word.len;
    }
    CHECK(options.mode <= MODE_MOST && options.backlog <= INT_MAX);
    *out_options = options;
    return PX_OK;
}
