/*
 * px_server_compress: the filter of src/handlers, made of a server's own allocator.
 */
#include "handlers/compress/compress.h"

#include "base/error.h"
#include "base/options.h"
#include "server/server.h"

/* What was not set is a part of what the server may keep, and no more than without that. */
static void default_part(uint32_t *option, const px_server *server, uint32_t parts, uint32_t most)
{
    uint64_t part = server->options.memory_bytes_max / MEMORY_PARTS * parts;

    if (*option == 0)
        *option = part < most ? (uint32_t)part : most;
}

px_err px_server_compress(px_server *server, const px_compress_options *options,
                          px_error *out_error)
{
    px_compress_options given = PX_COMPRESS_OPTIONS_DEFAULT;
    px_error error;

    if (options && options_read(&given, sizeof(given), options) != PX_OK)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "compress options: unknown or missing struct_size");
    default_part(&given.memory_bytes_max, server, PART_CODERS, COMPRESS_MEMORY_BYTES_DEFAULT);
    default_part(&given.cache_bytes_max, server, 1, COMPRESS_CACHE_BYTES_DEFAULT);
    struct px_compress *compress = compress_create(&server->loop->allocator, &given, &error);

    if (!compress)
        return error_copy(out_error, &error);
    /* It takes the compress in any case. */
    return px_server_filter(server, &compress_filter, compress, px_compress_destroy, out_error);
}
