/*
 * Reading what a person wrote behind a flag.  Each function takes the whole text or refuses it.
 */
#include "main/flags/values.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/text.h"

/* Reads digits at *at and moves behind them; false when there are none or too many. */
static bool read_digits(const char **at, uint64_t *out_number)
{
    uint64_t number = 0;
    const char *digit = *at;

    for (; *digit >= '0' && *digit <= '9'; digit++)
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*digit - '0'), &number))
            return false;
    if (digit == *at)
        return false;
    *at = digit;
    *out_number = number;
    return true;
}

bool value_count(const char *text, uint64_t least, uint64_t most, uint64_t *out_count)
{
    uint64_t number;

    if (!read_digits(&text, &number) || *text != '\0' || number < least || number > most)
        return false;
    *out_count = number;
    return true;
}

bool value_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out_bytes)
{
    static const char letters[] = "kmg";
    uint64_t number;

    if (!read_digits(&text, &number))
        return false;
    if (*text != '\0') {
        const char *letter = strchr(letters, *text | 0x20);

        if (!letter || text[1] != '\0')
            return false;
        if (__builtin_mul_overflow(number, (uint64_t)1 << (10 * (letter - letters + 1)), &number))
            return false;
    }
    if (number < least || number > most)
        return false;
    *out_bytes = number;
    return true;
}

bool value_duration(const char *text, uint64_t most_ms, uint64_t *out_ms)
{
    static const struct {
        const char *name;
        uint32_t ms;
    } units[] = {{"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    uint64_t whole;
    uint64_t thousandths = 0;
    uint64_t total;

    if (!read_digits(&text, &whole))
        return false;
    if (*text == '.') {
        uint64_t weight = 100;

        for (text++; *text >= '0' && *text <= '9'; text++, weight /= 10)
            thousandths += (uint64_t)(*text - '0') * weight;
        if (text[-1] == '.')
            return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(units); i++) {
        if (strcmp(text, units[i].name) != 0)
            continue;
        if (__builtin_mul_overflow(whole, units[i].ms, &total) ||
            __builtin_add_overflow(total, thousandths * units[i].ms / 1000, &total) ||
            total > most_ms)
            return false;
        *out_ms = total;
        return true;
    }
    return false;
}

/* RFC 9110 section 5.6.2: tchar. */
static bool is_token_byte(char byte)
{
    if ((byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'))
        return true;
    return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

bool value_field(const char *text, px_str *out_name, px_str *out_value)
{
    size_t name_len = 0;

    while (is_token_byte(text[name_len]))
        name_len++;
    if (name_len == 0 || text[name_len] != ':')
        return false;

    const char *value = text + name_len + 1;
    while (text_is_blank(*value))
        value++;
    size_t value_len = strlen(value);
    while (value_len > 0 && text_is_blank(value[value_len - 1]))
        value_len--;
    for (size_t i = 0; i < value_len; i++)
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return false;
    *out_name = px_str_make(text, name_len);
    *out_value = px_str_make(value, value_len);
    return true;
}

bool value_is_name(px_str name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp(name.ptr, wanted, name.len) == 0;
}

bool value_is_framing(px_str name)
{
    static const char *const framing[] = {"Content-Length", "Transfer-Encoding", "Connection",
                                          "Keep-Alive",     "Upgrade",           "TE",
                                          "Trailer",        "Proxy-Connection"};

    for (size_t i = 0; i < ARRAY_COUNT(framing); i++)
        if (value_is_name(name, framing[i]))
            return true;
    return false;
}
