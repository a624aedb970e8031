/*
 * A build without HTTP/2 (PX_HTTP2=OFF): no client speaks it.
 */
#include "http/h2/h2_client.h"

bool h2_client_is_there(void)
{
    return false;
}

px_err h2_client_open(const struct h2_client_options *options, void *context,
                      struct h2_client **out_client)
{
    (void)options;
    (void)context;
    (void)out_client;
    return PX_ERR_UNSUPPORTED;
}

/* Without a session none of the rest is called, but for the closing of none. */

void h2_client_close(struct h2_client *client)
{
    (void)client;
}

void h2_client_feed(struct h2_client *client, uint64_t now_ms, px_str bytes)
{
    (void)client;
    (void)now_ms;
    (void)bytes;
}

px_err h2_client_ask(struct h2_client *client, struct h2_call *call,
                     const struct h1_request_head *head, const char *scheme, bool pulls)
{
    (void)client;
    (void)call;
    (void)head;
    (void)scheme;
    (void)pulls;
    return PX_ERR_UNSUPPORTED;
}

uint32_t h2_client_room(const struct h2_client *client)
{
    (void)client;
    return 0;
}

void h2_client_resume(struct h2_client *client, struct h2_call *call)
{
    (void)client;
    (void)call;
}

void h2_client_give(struct h2_client *client, struct h2_call *call, uint32_t bytes)
{
    (void)client;
    (void)call;
    (void)bytes;
}

void h2_client_forget(struct h2_client *client, struct h2_call *call)
{
    (void)client;
    (void)call;
}

size_t h2_client_render(struct h2_client *client, char *out, size_t room)
{
    (void)client;
    (void)out;
    (void)room;
    return 0;
}

bool h2_client_has_output(const struct h2_client *client)
{
    (void)client;
    return false;
}

bool h2_client_is_over(const struct h2_client *client)
{
    (void)client;
    return true;
}
