/*
 * What hands that know nginx, Apache or Caddy write first.
 */
#include "config/foreign.h"

#include <stddef.h>

const char *foreign_find(px_str name)
{
    static const struct {
        const char *name, *here;
    } names[] = {
        {"access_log_format", "log template \"TEXT\" PATH"},
        {"add_header", "header"},
        {"alias", "files"},
        {"auth_basic", "basic_auth REALM FILE"},
        {"auth_basic_user_file", "basic_auth REALM FILE"},
        {"auth_request", "forward_auth"},
        {"autoindex", "listing"},
        {"basicauth", "basic_auth REALM FILE"},
        {"client_body_timeout", "minimum_rate"},
        {"client_header_timeout", "timeouts { head TIME }"},
        {"client_max_body_size", "content_max"},
        {"default_type", "content_type"},
        {"DocumentRoot", "files"},
        {"encode", "compress"},
        {"expires", "cache_control GLOB VALUE"},
        {"file_server", "files"},
        {"gzip", "compress"},
        {"handle", "route PATTERN { ... }"},
        {"handle_path", "route PATTERN { ... }"},
        {"if", "match and when"},
        {"keepalive_timeout", "timeouts { idle TIME }"},
        {"least_conn", "balance least"},
        {"limit_conn", "connection_limit"},
        {"limit_req", "rate_limit"},
        {"location", "route PATTERN { ... }"},
        {"pid", "pid_file"},
        {"proxy_pass", "proxy"},
        {"proxy_set_header", "request_header"},
        {"ProxyPass", "proxy"},
        {"redir", "redirect"},
        {"return", "respond or redirect"},
        {"reverse_proxy", "proxy"},
        {"root", "files"},
        {"server", "host NAME { ... }"},
        {"server_name", "host NAME { ... }"},
        {"ServerName", "host NAME { ... }"},
        {"set_real_ip_from", "trusted_proxies"},
        {"ssl_certificate", "tls CERTIFICATE KEY"},
        {"ssl_certificate_key", "tls CERTIFICATE KEY"},
        {"ssl_protocols", "tls ... { profile NAME }"},
        {"try_files", "fallback"},
        {"uri", "rewrite or strip_prefix"},
        {"VirtualHost", "host NAME { ... }"},
        {"worker_connections", "limits { connections N }"},
        {"worker_processes", "workers"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (px_str_equal(name, px_str_of(names[i].name)))
            return names[i].here;
    return NULL;
}
