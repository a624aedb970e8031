/*
 * Content of a file that was found: from memory, or from its descriptor.
 *
 * Happy path: small content goes from memory with its head, large content by sendfile.  The entry
 * is held until the answer is out.
 */
#include "handlers/files/files.h"

#include "base/check.h"

static void content_release(void *context)
{
    files_entry_put(context);
}

static void file_release(int fd, void *context)
{
    (void)fd;
    files_entry_put(context);
}

void files_type_lend(px_exchange *exchange, struct files_entry *entry)
{
    px_kept_fields kept = {.type = entry->kept.type};

    px_response_lend(exchange, &kept);
}

void files_content_respond(px_exchange *exchange, unsigned status, struct files_entry *entry,
                           uint64_t first, uint64_t length)
{
    px_str absent = {NULL, 0};

    ASSERT(entry->outcome == FILES_FILE && first + length <= entry->info.size);
    files_entry_take(entry);
    if (entry->content || length == 0) {
        px_body body = {
            .struct_size = sizeof(px_body),
            .bytes = px_str_make(entry->content ? entry->content + first : "", (size_t)length),
            .release = content_release,
            .context = entry};

        px_respond_body(exchange, status, absent, &body);
        return;
    }
    px_file_range range = {.struct_size = sizeof(px_file_range),
                           .fd = entry->fd,
                           .offset = first,
                           .length = length,
                           .release = file_release,
                           .context = entry,
                           /* What is true of the whole is not learnt from a part. */
                           .warm_ms = length == entry->info.size ? &entry->warm_ms : NULL};

    px_respond_file(exchange, status, absent, &range);
}
