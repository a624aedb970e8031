/*
 * Choosing the scan table on x86-64.  It asks the CPU, once a loop or server.
 */
#include "http/scan/scan.h"
#include "http/scan/scan_avx2.h"

const struct scan_table *scan_table_best(void)
{
    return __builtin_cpu_supports("avx2") ? &scan_avx2 : &scan_plain;
}

size_t scan_tables(const struct scan_table **out_tables, size_t room)
{
    size_t count = 0;

    if (count < room)
        out_tables[count++] = &scan_plain;
    if (count < room && __builtin_cpu_supports("avx2"))
        out_tables[count++] = &scan_avx2;
    return count;
}
