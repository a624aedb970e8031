/*
 * Statements as text.  It can fail by memory alone, which is remembered.
 */
#include "main/print/print_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/format.h"

enum { INDENT = 4, VALUE_BYTES_MAX = 64 * 1024, NUMBER_BYTES = 64 };

void print_word(struct print *print, const char *word)
{
    if (print->err == PX_OK)
        print->err = buf_append(print->out, px_str_of(" "));
    if (print->err == PX_OK)
        print->err = buf_append(print->out, px_str_of(word));
}

static void put(struct print *print, const char *text)
{
    if (print->err == PX_OK)
        print->err = buf_append(print->out, px_str_of(text));
}

void print_begin(struct print *print, const char *name)
{
    for (uint32_t blank = 0; blank < print->depth * INDENT; blank++)
        put(print, " ");
    put(print, name);
}

void print_end(struct print *print)
{
    put(print, "\n");
}

void print_open(struct print *print)
{
    put(print, " {\n");
    print->depth++;
}

void print_close(struct print *print)
{
    CHECK(print->depth > 0);
    print->depth--;
    print_begin(print, "}\n");
}

void print_line(struct print *print, const char *name, const char *word)
{
    print_begin(print, name);
    print_word(print, word);
    print_end(print);
}

void print_value(struct print *print, px_str text)
{
    put(print, " ");
    if (print->err == PX_OK)
        print->err = config_write_value(print->out, text);
}

/* What is longer than a command line can be is not met. */
static void print_joined(struct print *print, const px_str *parts, size_t count)
{
    struct buf text;

    buf_init(&text, print->out->allocator, VALUE_BYTES_MAX);
    for (size_t i = 0; i < count && print->err == PX_OK; i++)
        print->err = buf_append(&text, parts[i]);
    if (print->err == PX_OK)
        print_value(print, buf_str(&text));
    buf_deinit(&text);
}

void print_literal(struct print *print, px_str text)
{
    struct buf doubled;

    buf_init(&doubled, print->out->allocator, 2 * VALUE_BYTES_MAX);
    for (size_t at = 0; at < text.len && print->err == PX_OK; at++) {
        bool is_brace = text.ptr[at] == '{' || text.ptr[at] == '}';
        px_str byte = px_str_make(text.ptr + at, 1);

        print->err = buf_append(&doubled, byte);
        if (is_brace && print->err == PX_OK)
            print->err = buf_append(&doubled, byte);
    }
    if (print->err == PX_OK)
        print_value(print, buf_str(&doubled));
    buf_deinit(&doubled);
}

/* The folder that a path is relative to, and the path, in three parts: "./" says nothing. */
static size_t path_parts(const struct print *print, const char *path, px_str *out_parts)
{
    while (path[0] == '.' && path[1] == '/')
        path += 2;
    out_parts[0] = px_str_of(path);
    if (path[0] == '/')
        return 1;
    bool is_here = path[0] == '\0' || strcmp(path, ".") == 0;

    out_parts[0] = px_str_of(print->folder);
    out_parts[1] = px_str_of(strcmp(print->folder, "/") == 0 ? "" : "/");
    out_parts[2] = px_str_of(path);
    return is_here ? 1 : 3;
}

void print_path(struct print *print, const char *path)
{
    px_str parts[3];

    print_joined(print, parts, path_parts(print, path, parts));
}

void print_option(struct print *print, const char *name, px_str value)
{
    const px_str parts[] = {px_str_of(name), px_str_of("="), value};

    print_joined(print, parts, ARRAY_COUNT(parts));
}

void print_option_path(struct print *print, const char *name, const char *path)
{
    px_str parts[5] = {px_str_of(name), px_str_of("=")};

    print_joined(print, parts, 2 + path_parts(print, path, parts + 2));
}

static void number_text(enum config_type type, bool is_off, uint64_t number, char *out, size_t room)
{
    static const struct {
        enum config_type type;
        uint64_t size;
        const char *name;
    } units[] = {
        {TYPE_DURATION, 3600 * 1000, "h"},
        {TYPE_DURATION, 60 * 1000, "m"},
        {TYPE_DURATION, 1000, "s"},
        {TYPE_DURATION, 1, "ms"},
        {TYPE_BYTES, 1024ULL * 1024 * 1024, "g"},
        {TYPE_BYTES, 1024 * 1024, "m"},
        {TYPE_BYTES, 1024, "k"},
    };

    for (size_t i = 0; i < ARRAY_COUNT(units) && !is_off; i++) {
        if (units[i].type != type || number == 0 || number % units[i].size != 0)
            continue;
        snprintf(out, room, "%" PRIu64 "%s", number / units[i].size, units[i].name);
        return;
    }
    if (is_off)
        snprintf(out, room, "off");
    else
        snprintf(out, room, "%" PRIu64, number);
}

void print_number(struct print *print, const char *option, enum config_type type, bool is_off,
                  uint64_t number)
{
    char text[NUMBER_BYTES];

    number_text(type, is_off, number, text, sizeof(text));
    if (option)
        print_option(print, option, px_str_of(text));
    else
        print_word(print, text);
}
