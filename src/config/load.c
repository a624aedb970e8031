/*
 * One load: its memory, its files.
 */
#include "config/load.h"

#include <string.h>

#include "base/check.h"
#include "config/lexer.h"

void config_load_init(struct config_load *load, const struct config_reader *reader,
                      const px_allocator *allocator)
{
    CHECK(reader->read && reader->list && reader->variable);
    memset(load, 0, sizeof(*load));
    load->reader = reader;
    arena_init(&load->arena, allocator, NULL, 0, CONFIG_ARENA_BYTES_MAX);
    report_init(&load->report, &load->arena);
}

void config_load_deinit(struct config_load *load)
{
    arena_reset(&load->arena);
    load->files = NULL;
    load->statements = NULL;
}

void *load_take(struct config_load *load, size_t bytes)
{
    void *memory = arena_take(&load->arena, bytes);

    if (!memory)
        report_out_of_memory(&load->report);
    else
        memset(memory, 0, bytes);
    return memory;
}

px_str load_copy(struct config_load *load, px_str text)
{
    px_str copy = arena_copy(&load->arena, text);

    if (!copy.ptr)
        report_out_of_memory(&load->report);
    return copy;
}

const char *config_path(struct config_load *load, const struct config_file *file, px_str path)
{
    const char *slash = file ? strrchr(file->name, '/') : NULL;
    size_t folder =
        slash && !(path.len > 0 && path.ptr[0] == '/') ? (size_t)(slash - file->name) + 1 : 0;
    char *text = load_take(load, folder + path.len + 1);

    if (!text)
        return NULL;
    if (folder > 0)
        memcpy(text, file->name, folder);
    if (path.len > 0)
        memcpy(text + folder, path.ptr, path.len);
    return text;
}

struct config_place config_whole(const struct config_load *load)
{
    struct config_place whole = {0};

    for (const struct config_file *file = load->files; file; file = file->next)
        whole.file = file; /* the first is the last of the list */
    return whole;
}

/* What cannot be read is said at the statement that names it; the first file at no place. */
static void note_unreadable(struct config_load *load, const char *path,
                            const struct config_value *from, const px_error *error)
{
    struct config_place nowhere = {0};

    if (error->code == PX_ERR_MEMORY) {
        report_out_of_memory(&load->report);
        return;
    }
    report_add(&load->report, REPORT_SYNTAX, from ? from->place : nowhere, "cannot read %s: %s",
               path, error->text);
}

struct config_file *load_file(struct config_load *load, const char *path,
                              const struct config_value *from)
{
    px_error error = {0};
    px_str text;

    if (load->reader->read(load->reader->context, path, CONFIG_FILE_BYTES_MAX, &load->arena, &text,
                           &error) != PX_OK) {
        note_unreadable(load, path, from, &error);
        load->is_partial = true;
        return NULL;
    }
    struct config_file *file = load_take(load, sizeof(*file));

    if (!file)
        return NULL;
    px_str name = load_copy(load, px_str_make(path, strlen(path)));

    if (!name.ptr)
        return NULL;
    CHECK(text.ptr && text.ptr[text.len] == '\0' && text.len <= CONFIG_FILE_BYTES_MAX);
    file->name = name.ptr;
    file->text = text;
    if (from) {
        file->from = from->place.file;
        file->from_line = from->place.line;
        file->depth = from->place.file->depth + 1;
        CHECK(file->depth <= CONFIG_INCLUDE_DEPTH_MAX);
    }
    file->next = load->files;
    load->files = file;
    if (lexer_text_valid(file, &load->report))
        return file;
    load->is_partial = true;
    return NULL;
}

px_err config_load_read(struct config_load *load, const char *path)
{
    struct config_statement **tail = &load->statements;
    struct config_file *file = load_file(load, path, NULL);

    CHECK(!load->statements && load->statement_count == 0); /* a load is read once */
    if (file) {
        config_parse(load, file, &tail);
        config_expand(load);
    }
    return report_has_errors(&load->report) ? PX_ERR_MALFORMED : PX_OK;
}
