/*
 * Where the servers of `pollux proxy` are, as their URLs say.  It can fail by a URL that is none.
 */
#include "main/answers/place.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/number.h"

enum { PORT_MAX = 65535, DNS_PORT = 53 };

bool place_read(const char *url, struct place *out_place)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } schemes[] = {{"http://", 80}, {"https://", 443}, {"h2c://", 80}};
    const char *host = NULL;
    uint64_t port = 0;

    *out_place = (struct place){.is_unix = strncmp(url, "unix:/", 6) == 0};
    if (out_place->is_unix)
        return true;
    for (size_t i = 0; i < ARRAY_COUNT(schemes) && !host; i++) {
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0) {
            host = url + strlen(schemes[i].scheme);
            port = schemes[i].port;
        }
    }
    if (!host || *host == '\0')
        return false;
    size_t len = strcspn(host, "/?#");
    const char *colon = memrchr(host, ':', len);

    if (colon && !memchr(colon, ']', len - (size_t)(colon - host))) {
        if (!number_read(px_str_make(colon + 1, len - (size_t)(colon + 1 - host)), PORT_MAX, &port))
            return false;
        len = (size_t)(colon - host);
    }
    out_place->is_name = host[0] != '[' && strspn(host, "0123456789.") < len;
    out_place->port = (uint16_t)port;
    return len > 0 && port > 0;
}

bool place_is_bare(const char *text)
{
    struct place place;
    char url[512];
    int len = snprintf(url, sizeof(url), "http://%s", text);

    return text[0] != '/' && !strstr(text, "://") && len > 0 && (size_t)len < sizeof(url) &&
           strncmp(text, "unix:", 5) != 0 && place_read(url, &place);
}

static bool has_path(const char *url)
{
    const char *host = strstr(url, "://"), *path = host ? strpbrk(host + 3, "/?#") : NULL;

    return path && strcmp(path, "/") != 0;
}

px_err places_check(const struct gateway_options *gateway, px_error *out_error)
{
    struct place place;

    if (gateway->url_count == 0)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "proxy needs a URL at least, like http://127.0.0.1:3000");
    for (uint32_t i = 0; i < gateway->url_count; i++)
        if (!place_read(gateway->urls[i], &place) || has_path(gateway->urls[i]))
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "%s%s%s: a server is http://host[:port], https://host[:port], "
                             "h2c://host[:port] or unix:/path, without a path of its own",
                             gateway->urls[i],
                             place_is_bare(gateway->urls[i]) ? ": did you mean http://" : "",
                             place_is_bare(gateway->urls[i]) ? gateway->urls[i] : "");
    return PX_OK;
}

px_err place_allow(struct sandbox *sandbox, const char *url, bool *has_name, px_error *out_error)
{
    struct place place;

    if (!place_read(url, &place))
        return error_set(out_error, PX_ERR_INVALID, 0, "%s is no server", url);
    sandbox->may_dial = true;
    *has_name = *has_name || place.is_name;
    return place.is_unix ? PX_OK : sandbox_allow_port(sandbox, place.port, out_error);
}

/* What libc reads to look a name up; what is not there it does without. */
px_err place_allow_names(struct sandbox *sandbox, px_error *out_error)
{
    static const char *const files[] = {"/etc/hosts",    "/etc/resolv.conf", "/etc/nsswitch.conf",
                                        "/etc/gai.conf", "/etc/host.conf",   "/etc/services"};
    px_err err = sandbox_allow_port(sandbox, DNS_PORT, out_error);

    for (size_t i = 0; i < ARRAY_COUNT(files) && err == PX_OK; i++)
        if (access(files[i], R_OK) == 0)
            err = sandbox_allow(sandbox, files[i], LANDLOCK_READ, out_error);
    return err;
}

px_err place_allow_name_servers(struct sandbox *sandbox, const struct resolver_options *resolver,
                                px_error *out_error)
{
    px_err err = PX_OK;

    for (uint32_t i = 0; i < resolver->count && err == PX_OK; i++) {
        const char *server = resolver->servers[i], *colon = strrchr(server, ':');
        bool is_bare = colon && server[0] != '[' && strchr(server, ':') != colon;
        uint64_t port;

        if (colon && !is_bare && number_read(px_str_of(colon + 1), PORT_MAX, &port) && port > 0)
            err = sandbox_allow_port(sandbox, (uint16_t)port, out_error);
    }
    return err;
}
