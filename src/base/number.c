/*
 * The readers of number.h: one loop, in which a value that passes its maximum is found before it
 * can overflow.
 */
#include "base/number.h"

/* The digits of a base that `text` begins with; 0 as number_read_some. */
static inline size_t digits_read(px_str text, unsigned base, uint64_t max, uint64_t *out_number)
{
    uint64_t number = 0;
    size_t at = 0;

    for (; at < text.len; at++) {
        int digit = number_hex_digit(text.ptr[at]);

        if (digit < 0 || (unsigned)digit >= base)
            break;
        if ((uint64_t)digit > max || number > (max - (uint64_t)digit) / base)
            return 0;
        number = number * base + (uint64_t)digit;
    }
    if (at > 0)
        *out_number = number;
    return at;
}

size_t number_read_some(px_str text, uint64_t max, uint64_t *out_number)
{
    return digits_read(text, 10, max, out_number);
}

bool number_read(px_str text, uint64_t max, uint64_t *out_number)
{
    uint64_t number;

    if (text.len == 0 || digits_read(text, 10, max, &number) != text.len)
        return false;
    *out_number = number;
    return true;
}

bool number_read_hex(px_str text, uint64_t max, uint64_t *out_number)
{
    uint64_t number;

    if (text.len == 0 || digits_read(text, 16, max, &number) != text.len)
        return false;
    *out_number = number;
    return true;
}
