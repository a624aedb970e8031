/*
 * Values: escapes and variables are replaced, once, and what comes out is never read again.
 *
 *   ${NAME}  ${NAME:-default}  ${file:/run/secrets/x}
 *
 * It can fail by an escape or a variable that is not known, or a file that cannot be read: each is
 * noted at its place.
 */
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/number.h"
#include "config/load.h"

enum { VALUE_BYTES_MAX = 1024 * 1024, SECRET_BYTES_MAX = 64 * 1024 };

/* A value that is being read: where, and what came out so far. */
struct reading {
    struct config_load *load;
    struct config_value *value;
    struct buf out;
    uint32_t depth;
    bool failed;
};

struct config_place config_value_place(const struct config_value *value, const char *at,
                                       uint32_t length)
{
    struct config_place place = value->place;
    const char *start = value->spelling.ptr;

    CHECK(at >= start && at <= start + value->spelling.len);
    for (const char *byte = start; byte < at; byte++) {
        if (*byte == '\n') {
            place.line++;
            place.column = 1;
        } else if (((unsigned char)*byte & 0xc0) != 0x80) {
            place.column++;
        }
    }
    place.length = length;
    return place;
}

/* For what is wrong at a byte of the value that is read. */
static struct config_place place_at(const struct reading *reading, const char *at, uint32_t length)
{
    return config_value_place(reading->value, at, length);
}

static void put(struct reading *reading, const char *bytes, size_t len)
{
    px_err err = buf_append(&reading->out, px_str_make(bytes, len));

    if (err == PX_OK)
        return;
    reading->failed = true;
    if (err == PX_ERR_MEMORY)
        report_out_of_memory(&reading->load->report);
    else
        report_add(&reading->load->report, REPORT_SYNTAX, reading->value->place,
                   "the value is longer than 1 MiB");
}

static void note(struct reading *reading, const char *at, size_t len, const char *what)
{
    int shown = len > 64 ? 64 : (int)len;

    CHECK(len > 0);
    reading->failed = true;
    report_add(&reading->load->report, REPORT_SYNTAX, place_at(reading, at, (uint32_t)len),
               "\"%.*s\": %s", shown, at, what);
}

/* --- Variables -------------------------------------------------------------------------------- */

static void read_text(struct reading *reading, const char *at, const char *end, bool escapes);

static bool name_valid(px_str name)
{
    for (size_t at = 0; at < name.len; at++) {
        char byte = name.ptr[at];
        char lower = (char)(byte | 0x20);
        bool letter = (lower >= 'a' && lower <= 'z') || byte == '_';

        if (!letter && !(at > 0 && byte >= '0' && byte <= '9'))
            return false;
    }
    return name.len > 0;
}

/* The content of a file, less the line end that editors put there. */
static void put_file(struct reading *reading, px_str path, px_str spelling)
{
    struct config_load *load = reading->load;
    const char *name = config_path(load, reading->value->place.file, path);
    px_error error = {0};
    px_str text;

    reading->value->from_file = true;
    if (!name) {
        reading->failed = true;
        return;
    }
    if (load->reader->read(load->reader->context, name, SECRET_BYTES_MAX, &load->arena, &text,
                           &error) != PX_OK) {
        reading->failed = true;
        report_add(&load->report, REPORT_SYNTAX,
                   place_at(reading, spelling.ptr, (uint32_t)spelling.len), "cannot read %s: %s",
                   name, error.text);
        return;
    }
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len > 0 && text.ptr[text.len - 1] == '\r')
        text.len--;
    if (text.len > 0 && memchr(text.ptr, '\0', text.len))
        note(reading, spelling.ptr, spelling.len, "the file holds a NUL byte");
    else
        put(reading, text.ptr, text.len);
}

/* `inside` is what stands between "${" and its "}". */
static void put_variable(struct reading *reading, px_str inside, px_str spelling)
{
    const char *dash = inside.len > 0 ? memchr(inside.ptr, ':', inside.len) : NULL;
    const char *end = inside.ptr + inside.len;
    bool has_default = dash && dash + 1 < end && dash[1] == '-';
    px_str name = px_str_make(inside.ptr, has_default ? (size_t)(dash - inside.ptr) : inside.len);

    if (inside.len > 5 && memcmp(inside.ptr, "file:", 5) == 0) {
        put_file(reading, px_str_make(inside.ptr + 5, inside.len - 5), spelling);
        return;
    }
    if (!name_valid(name)) {
        note(reading, spelling.ptr, spelling.len,
             "write ${NAME}, ${NAME:-default} or ${file:/path}");
        return;
    }
    px_str copy = load_copy(reading->load, name);

    if (!copy.ptr) {
        reading->failed = true;
        return;
    }
    const struct config_reader *reader = reading->load->reader;
    const char *found = reader->variable(reader->context, copy.ptr);

    if (found && (*found != '\0' || !has_default))
        put(reading, found, strlen(found));
    else if (has_default && ++reading->depth > CONFIG_VARIABLE_DEPTH_MAX)
        note(reading, spelling.ptr, spelling.len, "too many defaults in defaults");
    else if (has_default)
        read_text(reading, dash + 2, end, reading->value->quote == QUOTE_DOUBLE);
    else
        note(reading, spelling.ptr, spelling.len,
             "that variable is not set; write ${NAME:-default} where it may be missing");
}

/* The closing brace of a variable whose "${" stands at `at`, or NULL. */
static const char *variable_close(const char *at, const char *end)
{
    uint32_t depth = 0;

    for (; at < end; at++) {
        if (*at == '$' && at + 1 < end && at[1] == '{') {
            depth++;
            at++;
        } else if (*at == '}' && --depth == 0) {
            return at;
        }
    }
    return NULL;
}

/* --- Escapes ---------------------------------------------------------------------------------- */

/* A backslash at `at`: writes what it stands for and returns how many bytes it took. */
static size_t read_escape(struct reading *reading, const char *at, const char *end)
{
    CHECK(at < end && *at == '\\');
    char next = at + 1 < end ? at[1] : '\0';
    char byte = next;
    size_t bytes = 2;

    if (next == '\n')
        return 2;
    if (next == '\r' && at + 2 < end && at[2] == '\n')
        return 3;
    if (next == 'n') {
        byte = '\n';
    } else if (next == 't') {
        byte = '\t';
    } else if (next == 'x') {
        int high = at + 2 < end ? number_hex_digit(at[2]) : -1,
            low = at + 3 < end ? number_hex_digit(at[3]) : -1;

        if (high < 0 || low < 0 || high + low == 0) {
            note(reading, at, 2, "two hexadecimal digits follow, and not 00");
            return 2;
        }
        byte = (char)(high * 16 + low);
        bytes = 4;
    } else if (next != '"' && next != '\\') {
        note(reading, at, 2, "the escapes are \\n \\t \\\" \\\\ and \\xHH");
        return 2;
    }
    put(reading, &byte, 1);
    return bytes;
}

static void read_text(struct reading *reading, const char *at, const char *end, bool escapes)
{
    while (at < end && !reading->failed) {
        if (at[0] == '$' && at + 1 < end && at[1] == '{') {
            const char *close = variable_close(at, end);

            if (!close) {
                note(reading, at, 2, "the brace of this variable is not closed");
                return;
            }
            put_variable(reading, px_str_make(at + 2, (size_t)(close - at) - 2),
                         px_str_make(at, (size_t)(close - at) + 1));
            at = close + 1;
        } else if (at[0] == '\\' && escapes) {
            at += read_escape(reading, at, end);
        } else if (at[0] == '\\' && at + 1 < end && (at[1] == '\n' || at[1] == '\r')) {
            at += at[1] == '\n' ? 2 : 3;
        } else {
            const char *start = at++;

            while (at < end && *at != '$' && *at != '\\')
                at++;
            put(reading, start, (size_t)(at - start));
        }
    }
}

bool config_value_read(struct config_load *load, struct config_value *value)
{
    struct reading reading = {.load = load, .value = value};
    const char *at = value->spelling.ptr, *end = at + value->spelling.len;
    bool is_plain = value->quote == QUOTE_RAW;

    /* Quotes are part of the spelling, on both sides. */
    CHECK(value->spelling.len >= (value->quote == QUOTE_NONE ? 1 : 2));
    if (value->quote != QUOTE_NONE) {
        at++;
        end--;
    } else {
        is_plain = !memchr(at, '\\', (size_t)(end - at)) && !memchr(at, '$', (size_t)(end - at));
    }
    if (is_plain) {
        value->text = load_copy(load, px_str_make(at, (size_t)(end - at)));
        return value->text.ptr != NULL;
    }
    buf_init(&reading.out, load->arena.allocator, VALUE_BYTES_MAX);
    read_text(&reading, at, end, value->quote == QUOTE_DOUBLE);
    if (!reading.failed)
        value->text = load_copy(load, buf_str(&reading.out));
    buf_deinit(&reading.out);
    return !reading.failed && value->text.ptr != NULL;
}
