/*
 * The life of a px_files: its owner, each entry and each load hold a reference, and the last one to
 * go frees it.  It cannot fail.
 */
#include "handlers/files/files.h"

const struct files_page *files_page_of(const struct px_files *files, unsigned status)
{
    for (uint32_t index = 0; index < files->page_count; index++)
        if (files->pages[index].status == status)
            return &files->pages[index];
    return NULL;
}

void files_put(struct px_files *files)
{
    px_allocator allocator = files->allocator;

    CHECK(files->refs > 0);
    if (--files->refs > 0)
        return;
    CHECK(files->cache.entry_count == 0 && files->waiting == 0 && files->listing_page_count == 0);
    alloc_put(&allocator, files->name);
    for (uint32_t index = 0; index < files->index_count; index++)
        alloc_put(&allocator, files->indexes[index]);
    for (uint32_t index = 0; index < files->rule_count; index++) {
        alloc_put(&allocator, files->rules[index].pattern);
        alloc_put(&allocator, files->rules[index].value);
    }
    for (uint32_t index = 0; index < files->page_count; index++) {
        root_close(&files->pages[index].root);
        alloc_put(&allocator, files->pages[index].path);
    }
    for (uint32_t index = 0; index < files->field_count; index++)
        alloc_put(&allocator, (char *)(uintptr_t)files->fields[index].name.ptr);
    files_types_free(files);
    alloc_put(&allocator, files->fields);
    alloc_put(&allocator, files->rules);
    alloc_put(&allocator, files->pages);
    root_close(&files->root);
    alloc_put(&allocator, files);
}
