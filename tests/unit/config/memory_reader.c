/*
 * Files that are texts.  A pattern is a folder, '*' and an end: "conf.d/" "*" ".conf".
 */
#include "memory_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

static px_err memory_read(void *context, const char *path, size_t bytes_max, struct arena *arena,
                          px_str *out_text, px_error *out_error)
{
    const struct memory_reader *memory = context;

    for (const struct memory_file *file = memory->files; file->name; file++) {
        if (strcmp(file->name, path) != 0)
            continue;
        if (strlen(file->text) > bytes_max)
            return error_set(out_error, PX_ERR_LIMIT, 0, "the file is too long");
        px_str text = arena_copy(arena, px_str_of(file->text));

        if (!text.ptr)
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        *out_text = text;
        return PX_OK;
    }
    return error_set(out_error, PX_ERR_NOT_FOUND, 0, "no such file");
}

static bool matches(const char *pattern, const char *name)
{
    const char *star = strchr(pattern, '*');
    size_t front = star ? (size_t)(star - pattern) : strlen(pattern);
    size_t back = star ? strlen(star + 1) : 0, len = strlen(name);

    return star && len >= front + back && strncmp(pattern, name, front) == 0 &&
           strcmp(name + len - back, star + 1) == 0;
}

static int compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static px_err memory_list(void *context, const char *pattern, struct arena *arena,
                          const char *const **out_names, uint32_t *out_count, px_error *out_error)
{
    const struct memory_reader *memory = context;
    const char **names = arena_take(arena, 16 * sizeof(names[0]));
    uint32_t count = 0;

    if (!names)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    for (const struct memory_file *file = memory->files; file->name && count < 16; file++)
        if (matches(pattern, file->name))
            names[count++] = file->name;
    qsort((void *)names, count, sizeof(names[0]), compare);
    *out_names = names;
    *out_count = count;
    return PX_OK;
}

static const char *memory_variable(void *context, const char *name)
{
    const struct memory_reader *memory = context;

    for (const struct memory_file *variable = memory->variables; variable && variable->name;
         variable++)
        if (strcmp(variable->name, name) == 0)
            return variable->text;
    return NULL;
}

struct config_reader memory_reader(struct memory_reader *memory)
{
    return (struct config_reader){
        .read = memory_read, .list = memory_list, .variable = memory_variable, .context = memory};
}
