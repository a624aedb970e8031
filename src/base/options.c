/*
 * Option structs: the caller's size decides how much is read.
 */
#include "base/options.h"

px_err options_read_sized(void *out_options, size_t known_bytes, const void *options)
{
    size_t given_bytes;

    memset(out_options, 0, known_bytes);
    if (!options)
        return PX_OK;
    memcpy(&given_bytes, options, sizeof(given_bytes));
    if (given_bytes < sizeof(given_bytes))
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
    if (first_bytes < sizeof(first_bytes))
        return PX_ERR_INVALID;
    const char *entry = (const char *)entries + index * first_bytes;

    memcpy(&entry_bytes, entry, sizeof(entry_bytes));
    return entry_bytes == first_bytes ? options_read(out_entry, known_bytes, entry)
                                      : PX_ERR_INVALID;
}
