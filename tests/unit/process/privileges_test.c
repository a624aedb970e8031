/*
 * Becoming another user: who that is, and that there is no way back.
 *
 * What only root can do is tried as root alone; everything else as whoever runs the test.
 */
#include "process/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "unit/process/child.h"

static bool is_root(void)
{
    return geteuid() == 0;
}

static void privileges_default(void **state)
{
    struct privileges found;
    const struct passwd *nobody = getpwnam("nobody");
    px_error error;

    (void)state;
    assert_int_equal(privileges_find(NULL, &found, &error), PX_OK);
    assert_int_equal(error.code, PX_OK);
    assert_int_equal(found.is_default, is_root());
    assert_int_equal(found.is_change, is_root());
    if (!is_root())
        return;
    assert_int_equal(found.uid, nobody ? nobody->pw_uid : NOBODY_ID);
    assert_int_equal(found.group_count, 1);
    assert_string_equal(found.name, "nobody");
}

static void privileges_refuse_who_is_not_there(void **state)
{
    static const char *const wrong[] = {
        "",
        "no-such-user",
        ":",
        "nobody:no-such-group",
        "-1",
        "4294967295",
        "1000x",
        ":100",
        "65534:4294967295",
        "99999999999999999999",
        "a-name-that-is-longer-than-any-user-has-and-that-does-not-fit-into-its-place",
    };
    struct privileges found = {.uid = 7};
    px_error error;

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_int_equal(privileges_find(wrong[i], &found, &error), PX_ERR_INVALID);
        assert_non_null(strstr(error.text, "--user"));
        assert_int_equal(found.uid, 7);
    }
}

static int find_as_nobody(void *context)
{
    struct privileges found;
    px_error error;

    (void)context;
    if (setgroups(0, NULL) != 0 || setresgid(1234, 1234, 1234) != 0 ||
        setresuid(1234, 1234, 1234) != 0)
        return CHILD_NOT_ENTERED;
    if (privileges_find("1234", &found, &error) != PX_OK || found.is_change)
        return CHILD_BAD;
    if (privileges_find("1234:5", &found, &error) != PX_ERR_PERMISSION)
        return CHILD_BAD + 1;
    if (privileges_find("0", &found, &error) != PX_ERR_PERMISSION)
        return CHILD_BAD + 2;
    return privileges_find(NULL, &found, &error) == PX_OK && !found.is_change ? CHILD_GOOD
                                                                              : CHILD_BAD + 3;
}

static void privileges_are_roots_to_give(void **state)
{
    (void)state;
    if (is_root())
        assert_int_equal(child_run(find_as_nobody, NULL, NULL), CHILD_GOOD);
}

static void privileges_take_numbers(void **state)
{
    struct privileges found;
    px_error error;

    (void)state;
    if (!is_root())
        return;
    assert_int_equal(privileges_find("54321", &found, &error), PX_OK);
    assert_int_equal(found.uid, 54321);
    assert_int_equal(found.gid, 54321);
    assert_int_equal(privileges_find("54321:77", &found, &error), PX_OK);
    assert_int_equal(found.uid, 54321);
    assert_int_equal(found.gid, 77);
    assert_int_equal(found.groups[0], 77);
    assert_int_equal(found.group_count, 1);
    assert_int_equal(privileges_find("daemon", &found, &error), PX_OK);
    assert_int_equal(found.uid, getpwnam("daemon")->pw_uid);
}

static int capabilities_left(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    uint32_t any = 0;

    if (syscall(SYS_capget, &header, data) != 0)
        return 1;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
        any |= data[i].effective | data[i].permitted | data[i].inheritable;
    return any != 0;
}

static int drop(void *context)
{
    struct privileges found;
    gid_t groups[PRIVILEGES_GROUPS_MAX];
    uid_t ids[3];
    gid_t gids[3];
    px_error error;
    int death_signal = 0;

    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    if (privileges_find(context, &found, &error) != PX_OK ||
        privileges_drop(&found, &error) != PX_OK)
        return CHILD_NOT_ENTERED;
    getresuid(&ids[0], &ids[1], &ids[2]);
    getresgid(&gids[0], &gids[1], &gids[2]);
    for (int i = 0; found.is_change && i < 3; i++)
        if (ids[i] != found.uid || gids[i] != found.gid)
            return CHILD_BAD;
    if (found.is_change && getgroups(PRIVILEGES_GROUPS_MAX, groups) != (int)found.group_count)
        return CHILD_BAD + 1;
    if (capabilities_left() || prctl(PR_CAPBSET_READ, CAP_SYS_ADMIN) == 1)
        return CHILD_BAD + 2;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return CHILD_BAD + 3;
    prctl(PR_GET_PDEATHSIG, &death_signal);
    if (death_signal != SIGUSR2)
        return CHILD_BAD + 4;
    if (found.uid != 0 && (setuid(0) == 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0))
        return CHILD_BAD + 5;
    return CHILD_GOOD;
}

static void privileges_drop_for_good(void **state)
{
    char daemon[] = "daemon";
    char number[] = "54321:77";
    char root[] = "root";

    (void)state;
    if (!is_root())
        return;
    assert_int_equal(child_run(drop, NULL, NULL), CHILD_GOOD);
    assert_int_equal(child_run(drop, daemon, NULL), CHILD_GOOD);
    assert_int_equal(child_run(drop, number, NULL), CHILD_GOOD);
    assert_int_equal(child_run(drop, root, NULL), CHILD_GOOD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(privileges_default),
        cmocka_unit_test(privileges_refuse_who_is_not_there),
        cmocka_unit_test(privileges_are_roots_to_give),
        cmocka_unit_test(privileges_take_numbers),
        cmocka_unit_test(privileges_drop_for_good),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
