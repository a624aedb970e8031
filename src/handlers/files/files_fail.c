/*
 * Answering with an error: by the page that the options name for its status, else as
 * px_respond_error does.
 *
 * Happy path: the page is found as any file is, and sent under the status of the error, without its
 * validators.  A page that has gone, or cannot be looked for, leaves the line of text.
 */
#include "handlers/files/files.h"

#include "base/check.h"

static void page_found(px_exchange *exchange, struct px_files *files, struct files_entry *entry,
                       const struct files_want *want)
{
    (void)files;
    if (!entry || entry->outcome != FILES_FILE) {
        px_respond_error(exchange, want->status);
        return;
    }
    files_type_lend(exchange, entry);
    files_content_respond(exchange, want->status, entry, 0, entry->info.size);
}

void files_fail(px_exchange *exchange, struct px_files *files, unsigned status)
{
    const struct files_page *page = files_page_of(files, status);

    CHECK(status >= 400 && status <= 599);
    if (page)
        files_seek(exchange, files, px_str_of(page->path), page,
                   (struct files_want){.done = page_found, .status = (uint16_t)status});
    else
        px_respond_error(exchange, status);
}
