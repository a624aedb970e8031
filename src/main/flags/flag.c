/*
 * The groups of flags, and the setters that many of them share.
 *
 * A setter can fail by its value; the line says what the value must be.
 */
#include "main/flags/flag.h"

#include <string.h>

#include "base/check.h"
#include "base/error.h"
#include "main/flags/values.h"

const struct flag *const flag_groups[] = {
    flags_common,  flags_respond, flags_files,  flags_gateway,     flags_tls,
    flags_process, flags_proxy,   flags_limits, flags_healthcheck, flags_run,
};

const size_t flag_group_count = ARRAY_COUNT(flag_groups);

_Static_assert(COMMAND_VERSION < 32, "each command has a bit of `commands`");

static px_err flag_refuse(const struct flag *flag, const char *value, const char *form,
                          px_error *out_error)
{
    return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: %s", flag->name, value, form);
}

/* Zero means the default wherever a number goes, so it cannot be given. */
static void store_u32(struct options *options, const struct flag *flag, uint32_t number)
{
    CHECK(number != 0 && flag->offset <= sizeof(*options) - sizeof(number));
    *(uint32_t *)(void *)((char *)options + flag->offset) = number;
}

px_err flag_set_count(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error)
{
    uint64_t number = PX_OFF;

    if (strcmp(value, "off") != 0 && !value_count(value, 1, UINT32_MAX - 1, &number))
        return flag_refuse(flag, value, "it is a number from 1 on, or off", out_error);
    store_u32(options, flag, (uint32_t)number);
    return PX_OK;
}

px_err flag_set_bytes(struct options *options, const struct flag *flag, const char *value,
                      px_error *out_error)
{
    uint64_t number;

    if (!value_bytes(value, 1, UINT32_MAX - 1, &number))
        return flag_refuse(flag, value, "it is a number of bytes from 1 on, like 64k or 2m",
                           out_error);
    store_u32(options, flag, (uint32_t)number);
    return PX_OK;
}

px_err flag_set_bytes64(struct options *options, const struct flag *flag, const char *value,
                        px_error *out_error)
{
    uint64_t number = PX_UNLIMITED_BYTES;

    if (strcmp(value, "off") != 0 && !value_bytes(value, 1, PX_UNLIMITED_BYTES - 1, &number))
        return flag_refuse(flag, value, "it is a number of bytes from 1 on, like 64k or 2m, or off",
                           out_error);
    CHECK(number != 0 && flag->offset <= sizeof(*options) - sizeof(number));
    *(uint64_t *)(void *)((char *)options + flag->offset) = number;
    return PX_OK;
}

px_err flag_set_duration(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    uint64_t number = PX_OFF;

    if (strcmp(value, "off") != 0 &&
        (!value_duration(value, UINT32_MAX - 1, &number) || number == 0))
        return flag_refuse(flag, value, "it is a time, like 10s, 500ms or 1m, or off", out_error);
    store_u32(options, flag, (uint32_t)number);
    return PX_OK;
}

px_err flag_set_switch(struct options *options, const struct flag *flag, const char *value,
                       px_error *out_error)
{
    (void)value;
    (void)out_error;
    CHECK(!flag->value && flag->offset > 0); /* `command` is no switch */
    *(bool *)((char *)options + flag->offset) = true;
    return PX_OK;
}

/* A path with control bytes is a slip of the shell, not a name. */
px_err flag_check_path(const struct flag *flag, const char *value, px_error *out_error)
{
    bool is_good = *value != '\0';

    for (const char *at = value; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            is_good = false;
    return is_good ? PX_OK : flag_refuse(flag, value, "it is a path of a file", out_error);
}

px_err flag_set_path(struct options *options, const struct flag *flag, const char *value,
                     px_error *out_error)
{
    if (flag_check_path(flag, value, out_error) != PX_OK)
        return PX_ERR_INVALID;
    CHECK(flag->value && flag->offset <= sizeof(*options) - sizeof(value));
    *(const char **)(void *)((char *)options + flag->offset) = value;
    return PX_OK;
}
