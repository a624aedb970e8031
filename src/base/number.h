/*
 * Reading numbers: one reader of decimals and one of hexadecimals, each with the largest value that
 * the caller can use.
 *
 * Happy path: number_read takes a whole text.  Digits and nothing else: no sign, no blank, no
 * prefix; leading zeros are digits.  It can fail by saying no, and then nothing is written.
 */
#ifndef PX_BASE_NUMBER_H
#define PX_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

/* The value of a hexadecimal digit in either case, or -1. */
static inline int number_hex_digit(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Reads the decimal digits that `text` begins with.  Returns how many there are: 0 when there is
 * none, or when the number is above `max`. */
size_t number_read_some(px_str text, uint64_t max, uint64_t *out_number);

/* Reads a text that is a decimal number from its first byte to its last. */
bool number_read(px_str text, uint64_t max, uint64_t *out_number);

/* Likewise a hexadecimal one. */
bool number_read_hex(px_str text, uint64_t max, uint64_t *out_number);

#endif
