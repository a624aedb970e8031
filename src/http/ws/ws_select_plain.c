/*
 * Choosing the table where there is only the one in plain C.
 */
#include "http/ws/ws_bytes.h"

const struct ws_bytes *ws_bytes_best(void)
{
    return &ws_bytes_plain;
}

size_t ws_bytes_tables(const struct ws_bytes **out_tables, size_t room)
{
    if (room == 0)
        return 0;
    out_tables[0] = &ws_bytes_plain;
    return 1;
}
