/*
 * Opening listeners for workers that do not exist yet.
 *
 * The happy path: the first worker's are opened with a look at whether somebody listens there
 * already, those of the others are clones.  It can fail at each address; the library's line says
 * why.
 */
#include "main/listen.h"

#include <stdlib.h>

#include "base/error.h"
#include "main/address.h"
#include "main/diagnostics.h"

enum { ADDRESSES_BYTES_MAX = 64 * 1024 };

static px_listener **slot_of(const struct listeners *listeners, uint32_t worker, uint32_t address)
{
    return &listeners->at[(size_t)worker * listeners->address_count + address];
}

static px_err remember_address(struct buf *addresses, const px_listener *listener, bool is_secure)
{
    px_err err = PX_OK;

    if (addresses->len > 0)
        err = buf_append(addresses, px_str_of(", "));
    if (err == PX_OK && is_secure)
        err = buf_append(addresses, px_str_of("https://"));
    if (err == PX_OK)
        err = buf_append(addresses, px_str_of(px_listener_address(listener)));
    return err;
}

static px_err open_address(struct listeners *listeners, const char *text, uint32_t address,
                           px_error *out_error)
{
    px_listen_options options = PX_LISTEN_OPTIONS_DEFAULT;
    px_listener **first = slot_of(listeners, 0, address);

    options.reuse_port = listeners->worker_count > 1 ? 1 : 0;
    *first = px_listener_open(address_bare(text), &options, out_error);
    if (*first && remember_address(&listeners->addresses, *first, address_is_secure(text)) != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot listen: out of memory");
    for (uint32_t worker = 1; *first && worker < listeners->worker_count; worker++) {
        px_listener **clone = slot_of(listeners, worker, address);

        *clone = px_listener_clone(*first, out_error);
        if (!*clone)
            return out_error->code;
    }
    return *first ? PX_OK : out_error->code;
}

px_err listeners_open(struct listeners *out_listeners, const char *const *addresses,
                      uint32_t address_count, uint32_t worker_count, px_error *out_error)
{
    struct listeners listeners = {
        .texts = addresses, .address_count = address_count, .worker_count = worker_count};

    buf_init(&listeners.addresses, &alloc_libc, ADDRESSES_BYTES_MAX);
    listeners.at = calloc((size_t)address_count * worker_count, sizeof(listeners.at[0]));
    if (!listeners.at)
        return error_set(out_error, PX_ERR_MEMORY, 0, "cannot listen: out of memory");
    for (uint32_t i = 0; i < address_count; i++) {
        px_err err = open_address(&listeners, addresses[i], i, out_error);

        if (err != PX_OK) {
            listeners_deinit(&listeners);
            return err;
        }
    }
    *out_listeners = listeners;
    return error_clear(out_error);
}

px_err listeners_serve(struct listeners *listeners, uint32_t worker_index, px_server *server,
                       px_error *out_error)
{
    for (uint32_t i = 0; i < listeners->address_count; i++) {
        px_listener **mine = slot_of(listeners, worker_index, i);
        px_serve_options options = PX_SERVE_OPTIONS_DEFAULT;

        if (address_is_secure(listeners->texts[i]))
            options.tls = listeners->tls;
        px_err err = px_server_serve_with(server, *mine, &options, out_error);

        if (err != PX_OK)
            return err;
        *mine = NULL;
    }
    listeners_close(listeners);
    return error_clear(out_error);
}

void listeners_announce(const struct listeners *listeners)
{
    diagnostics_say("listening on %.*s (%u workers)", (int)listeners->addresses.len,
                    listeners->addresses.ptr, listeners->worker_count);
}

void listeners_close(struct listeners *listeners)
{
    size_t count = (size_t)listeners->address_count * listeners->worker_count;

    for (size_t i = 0; listeners->at && i < count; i++)
        px_listener_close(listeners->at[i]);
    free(listeners->at);
    listeners->at = NULL;
}

void listeners_deinit(struct listeners *listeners)
{
    listeners_close(listeners);
    buf_deinit(&listeners->addresses);
}
