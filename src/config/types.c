/*
 * Reading values.  Each either fits as a whole or is noted, with what would.
 */
#include "config/types.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/number.h"

enum { SHOWN_MAX = 60, WORDS_TEXT_MAX = 200, HOST_BYTES_MAX = 253, LABEL_BYTES_MAX = 63 };

bool config_bytes(px_str text, uint64_t *out_bytes)
{
    static const char letters[] = "kmg";
    uint64_t unit = 1, number;

    if (text.len > 0) {
        const char *letter = strchr(letters, text.ptr[text.len - 1] | 0x20);

        if (letter && *letter) {
            unit = (uint64_t)1 << (10 * (letter - letters + 1));
            text.len--;
        }
    }
    if (!number_read(text, UINT64_MAX, &number) || __builtin_mul_overflow(number, unit, &number))
        return false;
    *out_bytes = number;
    return true;
}

/* Thousandths behind a point: "5" is 500. */
static bool thousandths(px_str digits, uint64_t *out)
{
    uint64_t weight = 100, sum = 0;

    for (size_t at = 0; at < digits.len; at++, weight /= 10) {
        if (digits.ptr[at] < '0' || digits.ptr[at] > '9')
            return false;
        sum += (uint64_t)(digits.ptr[at] - '0') * weight;
    }
    *out = sum;
    return digits.len > 0;
}

bool config_duration(px_str text, uint64_t *out_ms)
{
    static const struct {
        const char *name;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}, {"", 1000}};
    uint64_t whole, fraction = 0, total;

    for (size_t unit = 0; unit < sizeof(units) / sizeof(units[0]); unit++) {
        size_t len = strlen(units[unit].name);
        px_str number = text;

        if (text.len <= len || memcmp(text.ptr + text.len - len, units[unit].name, len) != 0)
            continue;
        number.len -= len;
        const char *point = memchr(number.ptr, '.', number.len);

        if (point) {
            size_t left = (size_t)(point - number.ptr);

            if (!thousandths(px_str_make(point + 1, number.len - left - 1), &fraction))
                return false;
            number.len = left;
        }
        if (!number_read(number, UINT64_MAX, &whole) ||
            __builtin_mul_overflow(whole, units[unit].ms, &total) ||
            __builtin_add_overflow(total, fraction * units[unit].ms / 1000, &total))
            return false;
        *out_ms = total;
        return true;
    }
    return false;
}

static bool rate(px_str text, struct config_typed *out)
{
    const char *slash = memchr(text.ptr, '/', text.len);
    size_t left = slash ? (size_t)(slash - text.ptr) : 0;

    if (!slash || text.len != left + 2 ||
        !number_read(px_str_make(text.ptr, left), UINT64_MAX, &out->number))
        return false;
    switch (slash[1]) {
    case 's':
        out->per_ms = 1000;
        break;
    case 'm':
        out->per_ms = 60 * 1000;
        break;
    case 'h':
        out->per_ms = 60 * 60 * 1000;
        break;
    default:
        return false;
    }
    return out->number >= 1 && out->number <= 1000000;
}

static bool share(px_str text, uint64_t *out)
{
    return text.len > 2 && text.ptr[0] == '1' && text.ptr[1] == '/' &&
           number_read(px_str_make(text.ptr + 2, text.len - 2), 1000000, out) && *out > 0;
}

/* --- Names ------------------------------------------------------------------------------------ */

static bool is_letter_or_digit(char byte)
{
    char lower = (char)(byte | 0x20);

    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9');
}

static bool is_token(px_str text)
{
    for (size_t at = 0; at < text.len; at++)
        if (!is_letter_or_digit(text.ptr[at]) && !strchr("!#$%&'*+-.^_`|~", text.ptr[at]))
            return false;
    return text.len > 0;
}

static bool is_name(px_str text)
{
    for (size_t at = 0; at < text.len; at++)
        if (!is_letter_or_digit(text.ptr[at]) && text.ptr[at] != '_' && text.ptr[at] != '-')
            return false;
    return text.len > 0;
}

bool config_host_valid(px_str text)
{
    size_t label = 0;

    if (text.len == 1 && text.ptr[0] == '*')
        return true;
    if (text.len > 2 && text.ptr[0] == '*' && text.ptr[1] == '.')
        text = px_str_make(text.ptr + 2, text.len - 2);
    if (text.len > 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        for (size_t at = 1; at < text.len - 1; at++)
            if (!strchr("0123456789abcdefABCDEF:.", text.ptr[at]))
                return false;
        return true;
    }
    if (text.len == 0 || text.len > HOST_BYTES_MAX)
        return false;
    for (size_t at = 0; at < text.len; at++) {
        bool is_dot = text.ptr[at] == '.';

        if (!is_dot && !is_letter_or_digit(text.ptr[at]) && text.ptr[at] != '-' &&
            text.ptr[at] != '_')
            return false;
        if (is_dot && label == 0)
            return false;
        label = is_dot ? 0 : label + 1;
        if (label > LABEL_BYTES_MAX)
            return false;
    }
    return label > 0;
}

static bool has_control(px_str text)
{
    for (size_t at = 0; at < text.len; at++)
        if ((unsigned char)text.ptr[at] < 0x20 || text.ptr[at] == 0x7f)
            return true;
    return false;
}

static bool is_target(px_str text)
{
    for (size_t at = 0; at < text.len; at++)
        if ((unsigned char)text.ptr[at] <= 0x20 || text.ptr[at] == 0x7f || text.ptr[at] == '#')
            return false;
    return text.len > 0 && text.ptr[0] == '/';
}

/* --- What is noted ---------------------------------------------------------------------------- */

/* "on, off or require" */
static void words_text(const char *const *words, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; words[i]; i++) {
        const char *between = i == 0 ? "" : words[i + 1] ? ", " : " or ";

        CHECK(len < room);
        len += (size_t)snprintf(out + len, room - len, "%s%s", between, words[i]);
        if (len >= room)
            return;
    }
}

static bool note(struct config_load *load, const struct config_value *value, px_str text,
                 const char *what)
{
    /* What came out of a ${file:...} is not shown. */
    px_str named = value->from_file ? value->spelling : text;
    int shown = named.len > SHOWN_MAX ? SHOWN_MAX : (int)named.len;

    report_add(&load->report, REPORT_MEANING, value->place, "\"%.*s\" %s", shown,
               named.ptr ? named.ptr : "", what);
    return false;
}

static bool note_word(struct config_load *load, const struct config_value *value, px_str text,
                      const char *const *words)
{
    const char *nearest = report_nearest(text, words);
    char list[WORDS_TEXT_MAX], what[WORDS_TEXT_MAX + 60];

    words_text(words, list, sizeof(list));
    if (nearest)
        snprintf(what, sizeof(what), "is not one of %s; did you mean \"%s\"?", list, nearest);
    else
        snprintf(what, sizeof(what), "is not one of %s", list);
    return note(load, value, text, what);
}

/* What is none of a type: what would be, and the words that may stand in its place. */
static bool note_type(struct config_load *load, const struct config_value *value, px_str text,
                      const struct config_use *use, const char *wanted)
{
    char what[WORDS_TEXT_MAX], list[WORDS_TEXT_MAX] = "";

    if (use->may_be_word)
        words_text(use->words, list, sizeof(list));
    snprintf(what, sizeof(what), "is not %s%s%s%s", wanted, use->may_be_word ? ", or " : "", list,
             use->may_be_off ? ", or off" : "");
    return note(load, value, text, what);
}

static bool note_range(struct config_load *load, const struct config_value *value, px_str text,
                       const struct config_use *use)
{
    char what[100];

    if (use->type == TYPE_DURATION && use->most == 0)
        snprintf(what, sizeof(what), "is less than %llums%s", (unsigned long long)use->least,
                 use->may_be_off ? "; write off" : "");
    else if (use->most > 0)
        snprintf(what, sizeof(what), "is not from %llu to %llu", (unsigned long long)use->least,
                 (unsigned long long)use->most);
    else
        snprintf(what, sizeof(what), "is less than %llu", (unsigned long long)use->least);
    return note(load, value, text, what);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool find_word(px_str text, const char *const *words, uint32_t *out_word)
{
    for (uint32_t i = 0; words && words[i]; i++) {
        if (px_str_equal(text, px_str_of(words[i]))) {
            *out_word = i;
            return true;
        }
    }
    return false;
}

static bool is_off(px_str text)
{
    return px_str_equal(text, px_str_of("off")) || px_str_equal(text, px_str_of("unlimited"));
}

static bool read_number(struct config_load *load, const struct config_use *use,
                        const struct config_value *value, px_str text, struct config_typed *out)
{
    if (use->may_be_off && is_off(text)) {
        out->is_off = true;
        return true;
    }
    switch (use->type) {
    case TYPE_BYTES:
        if (!config_bytes(text, &out->number))
            return note_type(load, value, text, use, "a size; write 16k, 1m or 2g");
        break;
    case TYPE_DURATION:
        if (!config_duration(text, &out->number) ||
            (use->most == 0 && out->number > UINT32_MAX - 1))
            return note_type(load, value, text, use, "a time; write 500ms, 10s, 2m or 1h");
        break;
    case TYPE_STATUS:
    case TYPE_COUNT:
    default:
        if (!number_read(text, UINT64_MAX, &out->number))
            return note_type(load, value, text, use, "a number");
        break;
    }
    if (out->number < use->least || (use->most > 0 && out->number > use->most))
        return note_range(load, value, text, use);
    return true;
}

static bool read_switch(struct config_load *load, const struct config_value *value, px_str text,
                        struct config_typed *out)
{
    static const char *const words[] = {"on", "off", NULL};

    if (!find_word(text, words, &out->word))
        return note_word(load, value, text, words);
    out->is_off = out->word == 1;
    out->number = out->is_off ? 0 : 1;
    return true;
}

static bool read_edit(struct config_load *load, const struct config_value *value, px_str text,
                      struct config_typed *out)
{
    if (text.len > 0 && (text.ptr[0] == '+' || text.ptr[0] == '-')) {
        out->edit = text.ptr[0];
        text = px_str_make(text.ptr + 1, text.len - 1);
    }
    if (!is_token(text))
        return note(load, value, text, "is not a field's name");
    out->text = text;
    return true;
}

static bool is_sink(px_str text)
{
    return strncmp(text.ptr, "syslog:", 7) == 0 || strncmp(text.ptr, "journal:", 8) == 0;
}

static bool read_path(struct config_load *load, const struct config_use *use,
                      const struct config_value *value, px_str text, struct config_typed *out)
{
    if (text.len == 0 || has_control(text))
        return note(load, value, text, "is not a path");
    if (is_sink(text))
        return use->may_be_sink ||
               note(load, value, text,
                    "is no file; lines of \"log\" and \"access_log\" alone go there");
    const char *path = config_path(load, value->place.file, text);

    if (!path)
        return false;
    out->text = px_str_of(path);
    return true;
}

/* "[METHOD ]/path", or a method alone, where the path is another value. */
static bool is_pattern_here(struct config_load *load, const struct config_value *value, px_str text)
{
    const char *space = text.len > 0 ? memrchr(text.ptr, ' ', text.len) : NULL;
    px_str path = text;
    char what[WORDS_TEXT_MAX];

    if (has_control(text))
        return note(load, value, text, "is not a pattern");
    if (space)
        path = px_str_make(space + 1, (size_t)(text.ptr + text.len - space - 1));
    const char *slash = path.len > 0 ? memchr(path.ptr, '/', path.len) : NULL;

    if (!slash || slash == path.ptr)
        return true;
    snprintf(what, sizeof(what),
             "begins with a host; a route is a path, and stands in host %.*s { ... }",
             (int)(slash - path.ptr), path.ptr);
    return note(load, value, text, what);
}

/* Types that are texts of a form. */
static bool read_form(struct config_load *load, const struct config_use *use,
                      const struct config_value *value, px_str text)
{
    switch (use->type) {
    case TYPE_HOST:
        return config_host_valid(text) ||
               note(load, value, text, "is not a host; write example.org, *.example.org or *");
    case TYPE_PATTERN:
        return is_pattern_here(load, value, text);
    case TYPE_TARGET:
        return is_target(text) || note(load, value, text, "is not a path that begins with /");
    case TYPE_GLOB:
        return (text.len > 0 && (text.ptr[0] == '/' || text.ptr[0] == '*')) ||
               note(load, value, text, "is not a path like /v1/*");
    case TYPE_METHOD:
        return is_token(text) || note(load, value, text, "is not a method");
    case TYPE_FIELD:
        return is_token(text) || note(load, value, text, "is not a field's name");
    case TYPE_NAME:
        return is_name(text) ||
               note(load, value, text, "is not a name of letters, digits, - and _");
    case TYPE_PAIR:
        return (text.len > 0 && memchr(text.ptr + 1, '=', text.len - 1)) ||
               note(load, value, text, "is not NAME=VALUE");
    case TYPE_ADDRESS:
        return (text.len > 0 && !has_control(text)) ||
               note(load, value, text, "is not an address; write host:port, :port or unix:/path");
    case TYPE_CLIENT:
        return (text.len > 0 && !has_control(text)) ||
               note(load, value, text, "is not an address; write 192.0.2.0/24, unix: or all");
    default:
        return true;
    }
}

bool config_type_read(struct config_load *load, const struct config_use *use,
                      const struct config_value *value, px_str text, struct config_typed *out)
{
    memset(out, 0, sizeof(*out));
    out->value = value;
    out->text = text;
    if (use->may_be_word && find_word(text, use->words, &out->word)) {
        out->is_word = true;
        return true;
    }
    switch (use->type) {
    case TYPE_COUNT:
    case TYPE_BYTES:
    case TYPE_DURATION:
    case TYPE_STATUS:
        return read_number(load, use, value, text, out);
    case TYPE_RATE:
        return rate(text, out) || note(load, value, text, "is not a rate; write 20/s or 100/m");
    case TYPE_SHARE:
        return share(text, &out->number) ||
               note(load, value, text, "is not a share; write 1/100: one of a hundred");
    case TYPE_WORD:
        return find_word(text, use->words, &out->word) || note_word(load, value, text, use->words);
    case TYPE_SWITCH:
        return read_switch(load, value, text, out);
    case TYPE_EDIT:
        return read_edit(load, value, text, out);
    case TYPE_PATH:
        return read_path(load, use, value, text, out);
    case TYPE_CLIENT:
        out->is_off = use->may_be_off && is_off(text);
        return out->is_off || read_form(load, use, value, text);
    case TYPE_TEXT:
        if (use->may_be_off && is_off(text))
            out->is_off = true;
        return true;
    default:
        return read_form(load, use, value, text);
    }
}
