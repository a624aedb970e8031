/*
 * Choosing the table on x86-64.  It asks the CPU, once an endpoint.
 */
#include "http/ws/ws_bytes_avx2.h"

const struct ws_bytes *ws_bytes_best(void)
{
    return __builtin_cpu_supports("avx2") ? &ws_bytes_avx2 : &ws_bytes_plain;
}

size_t ws_bytes_tables(const struct ws_bytes **out_tables, size_t room)
{
    size_t count = 0;

    if (count < room)
        out_tables[count++] = &ws_bytes_plain;
    if (count < room && __builtin_cpu_supports("avx2"))
        out_tables[count++] = &ws_bytes_avx2;
    return count;
}
