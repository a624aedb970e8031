/*
 * The page of a folder.
 */
#include "handlers/files.h"

void files_listing_respond(px_exchange *exchange, struct files_entry *entry)
{
    files_fail(exchange, entry->files, 403);
}
