/*
 * Guard pages by mmap.  The room around an input is filled with a byte that no parser likes, so
 * that reading the wrong side without a fault shows too.
 */
#include "lib/guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/test.h"

void guard_init(struct guard *guard, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    guard->bytes = (bytes + page) / page * page;
    guard->map_bytes = guard->bytes + 2 * page;
    guard->map = mmap(NULL, guard->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(guard->map != MAP_FAILED);
    guard->ptr = guard->map + page;
    assert_int_equal(mprotect(guard->ptr, guard->bytes, PROT_READ | PROT_WRITE), 0);
}

void guard_deinit(struct guard *guard)
{
    assert_int_equal(munmap(guard->map, guard->map_bytes), 0);
}

static px_str guard_place(struct guard *guard, px_str input, char *at)
{
    memset(guard->ptr, 0xfe, guard->bytes);
    if (input.len > 0)
        memcpy(at, input.ptr, input.len);
    return px_str_make(at, input.len);
}

px_str guard_at_end(struct guard *guard, px_str input)
{
    assert_true(input.len <= guard->bytes);
    return guard_place(guard, input, guard->ptr + guard->bytes - input.len);
}

px_str guard_at_start(struct guard *guard, px_str input)
{
    assert_true(input.len <= guard->bytes);
    return guard_place(guard, input, guard->ptr);
}
