/*
 * Option structs: the caller's size decides how much is read.
 */
#include "base/options.h"

#include "base/check.h"
#include "base/error.h"

/* More than any struct will have: where the size was never written. */
enum { OPTIONS_BYTES_MAX = 64 * 1024 };

px_err options_read_sized(void *out_options, size_t known_bytes, const void *options)
{
    size_t given_bytes;

    memset(out_options, 0, known_bytes);
    if (!options)
        return PX_OK;
    memcpy(&given_bytes, options, sizeof(given_bytes));
    if (given_bytes < sizeof(given_bytes) || given_bytes > OPTIONS_BYTES_MAX)
        return PX_ERR_INVALID;
    const unsigned char *bytes = options;

    for (size_t index = known_bytes; index < given_bytes; index++) {
        if (bytes[index] != 0)
            return PX_ERR_INVALID;
    }
    memcpy(out_options, options, given_bytes < known_bytes ? given_bytes : known_bytes);
    return PX_OK;
}

px_err options_read_at(void *out_entry, size_t known_bytes, const void *entries, size_t index)
{
    size_t first_bytes, entry_bytes;

    memcpy(&first_bytes, entries, sizeof(first_bytes));
    if (first_bytes < sizeof(first_bytes) || first_bytes > OPTIONS_BYTES_MAX)
        return PX_ERR_INVALID;
    const char *entry = (const char *)entries + index * first_bytes;

    memcpy(&entry_bytes, entry, sizeof(entry_bytes));
    return entry_bytes == first_bytes ? options_read(out_entry, known_bytes, entry)
                                      : PX_ERR_INVALID;
}

px_err options_take(void *out_options, size_t known_bytes, const void *options, const char *what,
                    px_error *out_error)
{
    if (options_read_sized(out_options, known_bytes, options) == PX_OK)
        return PX_OK;
    return error_set(out_error, PX_ERR_INVALID, 0, "%s: unknown or missing struct_size", what);
}

void options_give(void *out_options, const void *known, size_t known_bytes)
{
    size_t wanted_bytes;

    memcpy(&wanted_bytes, out_options, sizeof(wanted_bytes));
    CHECK_RULE(wanted_bytes >= sizeof(wanted_bytes) && wanted_bytes <= OPTIONS_BYTES_MAX,
               "a struct that is to be filled in begins with its struct_size");
    size_t bytes = wanted_bytes < known_bytes ? wanted_bytes : known_bytes;

    memcpy((char *)out_options + sizeof(wanted_bytes), (const char *)known + sizeof(wanted_bytes),
           bytes - sizeof(wanted_bytes));
}
