/*
 * The addresses of a stream, as its socket has them.
 */
#include <sys/socket.h>

#include "io/io.h"
#include "net/address.h"

size_t px_stream_peer(const px_stream *stream, char *out_text, size_t room)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    if (getpeername(stream->handle.fd, &address.socket.any, &address.bytes) != 0)
        address.bytes = 0;
    return address_format(&address, out_text, room);
}

size_t px_stream_local(const px_stream *stream, char *out_text, size_t room)
{
    struct net_address address = {.bytes = sizeof(address.socket)};

    if (getsockname(stream->handle.fd, &address.socket.any, &address.bytes) != 0)
        address.bytes = 0;
    return address_format(&address, out_text, room);
}
