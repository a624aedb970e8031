/*
 * Media types of files: those of the options first, then what http/fields/media_type.h knows, with
 * the charset of the options in place of its own.
 *
 * Happy path: without options nothing is looked up here.  A type with another charset is made once,
 * when a file first needs it, and kept; without memory it goes out without a charset.
 */
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/options.h"
#include "handlers/files/files.h"
#include "http/fields/field.h"
#include "http/fields/media_type.h"

enum { CHARSET_BYTES_MAX = 40 /* of a name: IANA's longest has 45, and is not in use */ };

static const char parameter[] = "; charset=";

static struct files_type *type_make(struct px_files *files, const char *key, px_str type,
                                    struct files_type **list)
{
    size_t key_bytes = strlen(key) + 1;
    struct files_type *made =
        alloc_take(&files->allocator, sizeof(*made) + key_bytes + type.len + 1);

    if (!made)
        return NULL;
    memcpy(made->bytes, key, key_bytes);
    memcpy(made->bytes + key_bytes, type.ptr, type.len);
    made->bytes[key_bytes + type.len] = '\0';
    made->key = made->bytes;
    made->type = px_str_make(made->bytes + key_bytes, type.len);
    made->next = *list;
    *list = made;
    return made;
}

px_str files_type_plain(const struct px_files *files, px_str name)
{
    const char *dot = files->types && name.len > 0 ? memrchr(name.ptr, '.', name.len) : NULL;
    size_t len = dot ? (size_t)(name.ptr + name.len - dot) - 1 : 0;

    for (const struct files_type *type = dot ? files->types : NULL; type; type = type->next)
        if (strlen(type->key) == len && strncasecmp(type->key, dot + 1, len) == 0)
            return type->type;
    return media_type_of(name);
}

px_str files_type_sent(struct px_files *files, px_str name)
{
    px_str known = files_type_plain(files, name);
    const char *cut = files->charset ? strstr(known.ptr, parameter) : NULL;
    char text[128];

    if (!cut || known.ptr != media_type_of(name).ptr)
        return known;
    for (const struct files_type *type = files->charsets; type; type = type->next)
        if (strcmp(type->key, known.ptr) == 0)
            return type->type;
    size_t len = (size_t)(cut - known.ptr);

    CHECK(len + sizeof(parameter) + CHARSET_BYTES_MAX < sizeof(text));
    memcpy(text, known.ptr, len);
    if (*files->charset) {
        memcpy(text + len, parameter, sizeof(parameter) - 1);
        len += sizeof(parameter) - 1;
        memcpy(text + len, files->charset, strlen(files->charset));
        len += strlen(files->charset);
    }
    const struct files_type *made =
        type_make(files, known.ptr, px_str_make(text, len), &files->charsets);

    return made ? made->type : px_str_make(known.ptr, (size_t)(cut - known.ptr));
}

static bool charset_is_good(const char *charset)
{
    size_t len = strlen(charset);

    return len <= CHARSET_BYTES_MAX &&
           (len == 0 || field_name_valid(px_str_make(charset, len))); /* a token */
}

static bool type_is_good(const px_files_type *type)
{
    px_str value = px_str_of(type->type);

    return type->extension[0] != '\0' && !strpbrk(type->extension, "./") &&
           memchr(value.ptr, '/', value.len) && field_value_valid(value);
}

px_err files_types_copy(struct px_files *files, const px_files_options *options,
                        px_error *out_error)
{
    size_t count = options->types ? options->type_count : 0;

    if (count > FILE_RULES_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "more than %d types", FILE_RULES_MAX);
    if (options->charset) {
        size_t bytes = strlen(options->charset) + 1;

        if (!charset_is_good(options->charset))
            return error_set(out_error, PX_ERR_INVALID, 0, "%s is not the name of a charset",
                             options->charset);
        files->charset = alloc_take(&files->allocator, bytes);
        if (!files->charset)
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        memcpy(files->charset, options->charset, bytes);
    }
    /* From the last on: the list begins with the one made last. */
    for (size_t index = count; index-- > 0;) {
        px_files_type type;

        if (options_read_at(&type, sizeof(type), options->types, index) != PX_OK)
            return files_other_version(out_error, "px_files_type");
        if (!type_is_good(&type))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s=%s: an extension without a dot, and a media type", type.extension,
                             type.type);
        if (!type_make(files, type.extension, px_str_of(type.type), &files->types))
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    }
    return PX_OK;
}

static void list_free(struct px_files *files, struct files_type *list)
{
    while (list) {
        struct files_type *type = list;

        list = type->next;
        alloc_put(&files->allocator, type);
    }
}

void files_types_free(struct px_files *files)
{
    list_free(files, files->types);
    list_free(files, files->charsets);
    alloc_put(&files->allocator, files->charset);
}
