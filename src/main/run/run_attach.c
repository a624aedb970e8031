/*
 * From what a configuration says of servers to what asks them.
 */
#include "main/run/run_attach.h"

#include <netdb.h>
#include <string.h>

#include "config/serving.h"
#include "main/answers/place.h"
#include "main/log/log_set.h"

px_err run_attach(struct config *config, px_loop *loop, const struct options *options,
                  struct gateway *gateway, px_error *out_error)
{
    const struct config_serving serving = {
        .loop = loop,
        .trusted_proxies = options->server.trusted_proxies,
        .trusted_proxy_count = options->server.trusted_proxy_count,
        .on_failure = gateway_on_failure,
        .on_change = gateway_on_change,
        .context = gateway,
        .log_of = log_set_of,
        .on_log = log_write,
        .log_context = gateway->logs,
    };

    return config_attach(config, &serving, out_error);
}

px_err run_resolve(px_loop *loop, const struct resolver_options *resolver, px_error *out_error)
{
    if (resolver->count == 0)
        return PX_OK;
    return px_loop_set_name_servers(loop, resolver->servers, resolver->count, out_error);
}

void run_detach(const struct options *options)
{
    if (options->run.shared)
        config_detach_all(options->run.shared);
}

/* "http://name:80/" -> "name"; false when it is too long to be one. */
static bool name_of(const char *url, char *out, size_t room)
{
    const char *host = strstr(url, "://");
    size_t len = host ? strcspn(host + 3, ":/?#") : 0;

    if (len == 0 || len >= room)
        return false;
    memcpy(out, host + 3, len);
    out[len] = '\0';
    return true;
}

void run_names_check(struct config *config, const struct resolver_options *resolver)
{
    struct config_place at;
    const char *url;
    px_error error;

    if (resolver->count > 0 &&
        px_name_servers_use(resolver->servers, resolver->count, &error) != PX_OK)
        return; /* without memory: nothing that is said here would be true */

    for (uint32_t i = 0; (url = config_server_at(config, i, &at)) != NULL; i++) {
        const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        struct addrinfo *found = NULL;
        struct place place;
        char name[CONFIG_URL_BYTES_MAX];

        if (!place_read(url, &place) || !place.is_name || !name_of(url, name, sizeof(name)))
            continue;
        int code = getaddrinfo(name, NULL, &hints, &found);

        if (code == 0)
            freeaddrinfo(found);
        else
            report_add(&config->load.report, REPORT_WARNING, at,
                       "\"%s\" is not known now (%s): that server is down until it is", name,
                       gai_strerror(code));
    }
}
