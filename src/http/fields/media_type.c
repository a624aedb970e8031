/*
 * Looking up media types.  The table is in media_type_table.c.
 */
#include "http/fields/media_type.h"

#include <string.h>

#include "http/fields/field.h"

enum { EXTENSION_BYTES_MAX = 31, SHRINKING_BYTES_MAX = 63 };

static const char text_plain[] = "text/plain; charset=utf-8";
static const char unknown[] = "application/octet-stream";

/* Files that are text by custom and have no extension. */
static const char *const text_names[] = {
    "authors",    "changelog", "changes",     "codeowners", "copying",  "contributing",
    "dockerfile", "gemfile",   "hacking",     "install",    "justfile", "licence",
    "license",    "makefile",  "news",        "notice",     "procfile", "rakefile",
    "readme",     "security",  "vagrantfile", "version",
};

/* Copies `text` in lower case, NUL-terminated; false when it does not fit or holds a NUL. */
static bool lower(px_str text, char *out, size_t room)
{
    if (text.len >= room)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (byte == '\0')
            return false;
        out[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
    }
    out[text.len] = '\0';
    return true;
}

static px_str type_of_extension(px_str extension)
{
    char text[EXTENSION_BYTES_MAX + 1];
    uint32_t low = 0;
    uint32_t high = media_type_table_count;

    if (!lower(extension, text, sizeof(text)))
        return px_str_of(unknown);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(text, media_type_table[middle].extension);

        if (order == 0)
            return px_str_of(media_type_table[middle].type);
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return px_str_of(unknown);
}

px_str media_type_of(px_str file_name)
{
    for (size_t at = file_name.len; at > 0; at--) {
        char byte = file_name.ptr[at - 1];

        if (byte == '/') {
            file_name = px_str_make(file_name.ptr + at, file_name.len - at);
            break;
        }
        if (byte == '.')
            return type_of_extension(px_str_make(file_name.ptr + at, file_name.len - at));
    }
    for (size_t i = 0; i < sizeof(text_names) / sizeof(text_names[0]); i++) {
        if (field_text_equal(file_name, px_str_of(text_names[i])))
            return px_str_make(text_plain, sizeof(text_plain) - 1);
    }
    return px_str_of(unknown);
}

static bool ends_in(px_str text, const char *end)
{
    size_t len = strlen(end);

    return text.len >= len && memcmp(text.ptr + text.len - len, end, len) == 0;
}

bool media_type_compressible(px_str type)
{
    char text[SHRINKING_BYTES_MAX + 1];
    const char *semicolon = type.len > 0 ? memchr(type.ptr, ';', type.len) : NULL;
    uint32_t low = 0;
    uint32_t high = media_type_shrinking_count;

    if (semicolon)
        type.len = (size_t)(semicolon - type.ptr);
    type = field_trim(type);
    if (type.len >= 5 && field_text_equal(px_str_make(type.ptr, 5), px_str_make("text/", 5)))
        return true;
    if (!lower(type, text, sizeof(text)))
        return false;
    px_str name = px_str_make(text, type.len);

    if (ends_in(name, "+json") || ends_in(name, "+xml") || ends_in(name, "+text"))
        return true;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(text, media_type_shrinking[middle]);

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}
