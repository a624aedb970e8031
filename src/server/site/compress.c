/*
 * px_server_compress: the filter of src/handlers, made of a server's own allocator.
 */
#include "handlers/compress/compress.h"

#include "base/error.h"
#include "server/server.h"

px_err px_server_compress(px_server *server, const px_compress_options *options,
                          px_error *out_error)
{
    px_error error;
    struct px_compress *compress = compress_create(&server->loop->allocator, options, &error);

    if (!compress)
        return error_copy(out_error, &error);
    /* It takes the compress in any case. */
    return px_server_filter(server, &compress_filter, compress, px_compress_destroy, out_error);
}
