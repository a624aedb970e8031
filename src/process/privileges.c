/*
 * Finding a user, becoming it, and giving up every capability.
 *
 * The happy path: getpwnam and getgrouplist at start; later bounding set, groups, group, user,
 * ambient set, the other three sets, no_new_privs.  It can fail by a user that is not known and by
 * a user namespace that does not map it.
 */
#include "process/privileges.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/number.h"

enum {
    CAPABILITY_MOST = 63, /* the sets have 64 bits */
};

/* A whole decimal number that is an id; (uid_t)-1 means "leave it" to the kernel. */
static bool id_parse(const char *text, unsigned *out_id)
{
    uint64_t id;

    if (!number_read(px_str_of(text), UINT_MAX - 1, &id))
        return false;
    *out_id = (unsigned)id;
    return true;
}

static px_err group_find(const char *text, gid_t *out_gid, px_error *out_error)
{
    unsigned id;

    if (id_parse(text, &id)) {
        *out_gid = id;
        return PX_OK;
    }
    const struct group *entry = getgrnam(text);
    if (!entry)
        return error_set(out_error, PX_ERR_INVALID, 0, "--user: there is no group %s", text);
    *out_gid = entry->gr_gid;
    return PX_OK;
}

static px_err groups_find(struct privileges *privileges, const char *login, px_error *out_error)
{
    int count = PRIVILEGES_GROUPS_MAX;

    if (getgrouplist(login, privileges->gid, privileges->groups, &count) < 0)
        return error_set(out_error, PX_ERR_LIMIT, 0,
                         "--user: %s is in more than %d groups; name one group, as %s:GROUP", login,
                         PRIVILEGES_GROUPS_MAX, login);
    privileges->group_count = (size_t)count;
    return PX_OK;
}

/* `user` without its group.  A number that no entry has is a user with the group of that number. */
static px_err user_find(struct privileges *privileges, const char *user, const char *group,
                        px_error *out_error)
{
    unsigned id;
    bool is_number = id_parse(user, &id);
    const struct passwd *entry = is_number ? getpwuid(id) : getpwnam(user);

    if (!entry && !is_number)
        return error_set(out_error, PX_ERR_INVALID, 0, "--user: there is no user %s", user);
    privileges->uid = entry ? entry->pw_uid : id;
    privileges->gid = entry ? entry->pw_gid : id;
    if (group) {
        /* A group that was named is the only one. */
        px_err err = group_find(group, &privileges->gid, out_error);
        if (err != PX_OK)
            return err;
    } else if (entry) {
        return groups_find(privileges, entry->pw_name, out_error);
    }
    privileges->groups[0] = privileges->gid;
    privileges->group_count = 1;
    return PX_OK;
}

static void nobody_find(struct privileges *privileges)
{
    const struct passwd *entry = getpwnam("nobody");

    privileges->uid = entry ? entry->pw_uid : NOBODY_ID;
    privileges->gid = entry ? entry->pw_gid : NOBODY_ID;
    privileges->groups[0] = privileges->gid;
    privileges->group_count = 1;
}

px_err privileges_find(const char *user, struct privileges *out_privileges, px_error *out_error)
{
    struct privileges found = {.is_default = !user && geteuid() == 0};
    char name[PRIVILEGES_NAME_BYTES];
    px_err err = PX_OK;

    snprintf(found.name, sizeof(found.name), "%s", user ? user : "nobody");
    if (found.is_default) {
        nobody_find(&found);
    } else if (user) {
        if (snprintf(name, sizeof(name), "%s", user) >= (int)sizeof(name) || *user == '\0')
            return error_set(out_error, PX_ERR_INVALID, 0, "--user: there is no user %.64s", user);
        char *colon = strchr(name, ':');

        if (colon)
            *colon++ = '\0';
        err = user_find(&found, name, colon, out_error);
        if (err != PX_OK)
            return err;
        if (geteuid() != 0 && (found.uid != geteuid() || found.gid != getegid()))
            return error_set(out_error, PX_ERR_PERMISSION, EPERM,
                             "--user %s: only root can become another user", user);
    }
    found.is_change = geteuid() == 0;
    *out_privileges = found;
    return error_clear(out_error);
}

static px_err drop_fail(const struct privileges *privileges, const char *what, px_error *out_error)
{
    int failure = errno;

    return error_set(out_error, PX_ERR_PERMISSION, failure,
                     "cannot become %s (uid %ld, gid %ld): %s: %s; name a user that this system "
                     "or container knows with --user",
                     privileges->name, (long)privileges->uid, (long)privileges->gid, what,
                     strerror(failure));
}

static px_err become(const struct privileges *privileges, px_error *out_error)
{
    bool is_same = privileges->uid == geteuid() && privileges->gid == getegid();

    CHECK(privileges->group_count > 0 && privileges->group_count <= PRIVILEGES_GROUPS_MAX);
    /* A container's root may stay root, and there the groups may not be its own to change. */
    if (setgroups(privileges->group_count, privileges->groups) != 0 && !(is_same && errno == EPERM))
        return drop_fail(privileges, "setgroups", out_error);
    if (setresgid(privileges->gid, privileges->gid, privileges->gid) != 0)
        return drop_fail(privileges, "setresgid", out_error);
    if (setresuid(privileges->uid, privileges->uid, privileges->uid) != 0)
        return drop_fail(privileges, "setresuid", out_error);
    /* A kernel that says yes and does nothing was seen before. */
    errno = EPERM;
    if (privileges->uid != 0 && (setuid(0) == 0 || geteuid() == 0))
        return drop_fail(privileges, "root could be had back", out_error);
    return PX_OK;
}

/* Nothing may be gained by an exec either.  Only a process with CAP_SETPCAP can drop from this set;
 * the others cannot gain from it, by no_new_privs. */
static void bounding_set_drop(void)
{
    for (unsigned long capability = 0; capability <= CAPABILITY_MOST; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0)
            break;
}

static px_err capabilities_drop(px_error *out_error)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (syscall(SYS_capset, &header, none) != 0)
        return error_set(out_error, error_category(errno), errno, "cannot give up capabilities: %s",
                         strerror(errno));
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return error_set(out_error, error_category(errno), errno, "cannot set no_new_privs: %s",
                         strerror(errno));
    return PX_OK;
}

px_err privileges_drop(const struct privileges *privileges, px_error *out_error)
{
    pid_t parent = getppid();
    int death_signal = 0;

    /* A change of the user forgets it. */
    (void)prctl(PR_GET_PDEATHSIG, &death_signal);
    bounding_set_drop();
    px_err err = privileges->is_change ? become(privileges, out_error) : PX_OK;
    if (err == PX_OK)
        err = capabilities_drop(out_error);
    if (err != PX_OK)
        return err;
    (void)prctl(PR_SET_PDEATHSIG, death_signal);
    if (death_signal != 0 && getppid() != parent)
        return error_set(out_error, PX_ERR_CLOSED, 0, "the master is gone");
    return error_clear(out_error);
}
