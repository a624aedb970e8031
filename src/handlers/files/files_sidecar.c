/*
 * Files that were compressed beforehand: "app.js.br" beside "app.js".
 *
 * Happy path: when a file is found, it is looked for its encoded forms once; a request that accepts
 * one gets it.  One that is older than its file is another version's, and not used.  Only types
 * that shrink have any, so that pictures cost no look.
 */
#include "base/check.h"
#include "base/limits.h"
#include "handlers/files/files.h"
#include "http/fields/accept.h"
#include "http/fields/media_type.h"

enum { SUFFIX_BYTES_MAX = 8 };

/* Whether a sidecar is of this version of the file. */
static bool is_current(const struct file_info *side, const struct file_info *file)
{
    if (side->kind != FILE_REGULAR || side->size == 0)
        return false;
    /* In whole seconds: brotli and pigz give the copy no more of the file's time. */
    return side->modified >= file->modified;
}

px_err files_sidecars(const struct px_files *files, const char *path, const struct file_info *info,
                      enum root_patience patience, uint8_t *out_sidecars)
{
    char name[2 * FILE_PATH_BYTES_MAX + SUFFIX_BYTES_MAX];
    px_str base = px_str_of(path);
    uint8_t sidecars = 0;

    *out_sidecars = 0;
    if (info->size == 0 || base.len > 2 * FILE_PATH_BYTES_MAX ||
        !media_type_compressible(files_type_plain(files, base)))
        return PX_OK;
    memcpy(name, base.ptr, base.len);
    for (uint32_t coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
        px_str suffix = coding_suffix((enum coding)coding);
        struct file_info side;
        int fd = -1;

        CHECK(suffix.len < SUFFIX_BYTES_MAX);
        memcpy(name + base.len, suffix.ptr, suffix.len + 1);
        px_err err = root_find(&files->root, name, patience, &fd, &side);

        if (err == PX_AGAIN)
            return PX_AGAIN;
        /* Whatever else is wrong with it: there is the file itself. */
        if (err == PX_OK && is_current(&side, info))
            sidecars |= (uint8_t)(1U << coding);
        if (err == PX_OK)
            root_put(fd);
    }
    *out_sidecars = sidecars;
    return PX_OK;
}

const char *files_sidecar_choose(const px_exchange *exchange, uint8_t sidecars,
                                 const char **out_suffix)
{
    struct accept_coding accept;
    enum coding codings[CODING_COUNT];
    size_t count;
    const px_field *fields = px_request_fields(exchange, &count);

    accept_coding_read(&accept, fields, count);
    if (accept_coding_order(&accept, sidecars, codings) == 0)
        return NULL;
    *out_suffix = coding_suffix(codings[0]).ptr;
    return coding_name(codings[0]).ptr;
}
