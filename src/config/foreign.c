/*
 * What hands that know nginx, Apache or Caddy write first.
 */
#include "config/foreign.h"

#include <stddef.h>
#include <string.h>

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
        {"browse", "listing"},
        {"client_body_timeout", "minimum_rate"},
        {"client_header_timeout", "timeouts { head TIME }"},
        {"client_max_body_size", "content_max"},
        {"default_type", "content_type"},
        {"directory_listing", "listing"},
        {"DocumentRoot", "files"},
        {"encode", "compress"},
        {"error_pages", "error_page"},
        {"expires", "cache_control GLOB VALUE"},
        {"fastcgi_pass", "proxy, to a server that speaks HTTP"},
        {"file_server", "files"},
        {"gzip", "compress"},
        {"handle", "route PATTERN { ... }"},
        {"handle_errors", "error_page"},
        {"handle_path", "route PATTERN { ... }"},
        {"if", "match and when"},
        {"import", "include or use"},
        {"ip_hash", "balance hash {client}"},
        {"keepalive_timeout", "timeouts { idle TIME }"},
        {"least_conn", "balance least"},
        {"limit_conn", "connection_limit"},
        {"limit_req", "rate_limit"},
        {"location", "route PATTERN { ... }"},
        {"log_format", "log template \"TEXT\" PATH"},
        {"php_fastcgi", "proxy, to a server that speaks HTTP"},
        {"pid", "pid_file"},
        {"proxy_buffer_size", "proxy ADDR { buffer SIZE }"},
        {"proxy_connect_timeout", "proxy ADDR { timeouts connect=TIME }"},
        {"proxy_next_upstream", "proxy ADDR { retry TRIES }"},
        {"proxy_pass", "proxy"},
        {"proxy_read_timeout", "proxy ADDR { timeouts silence=TIME }"},
        {"proxy_send_timeout", "proxy ADDR { timeouts silence=TIME }"},
        {"proxy_set_header", "request_header"},
        {"ProxyPass", "proxy"},
        {"real_ip_header", "trusted_proxies BLOCK field=NAME"},
        {"redir", "redirect"},
        {"return", "respond or redirect"},
        {"reverse_proxy", "proxy"},
        {"root", "files"},
        {"send_timeout", "minimum_rate"},
        {"server", "host NAME { ... }"},
        {"server_name", "host NAME { ... }"},
        {"ServerName", "host NAME { ... }"},
        {"set_real_ip_from", "trusted_proxies"},
        {"ssl", "listen ADDR tls"},
        {"ssl_certificate", "tls CERTIFICATE KEY"},
        {"ssl_certificate_key", "tls CERTIFICATE KEY"},
        {"ssl_ciphers", "tls ... { profile NAME }"},
        {"ssl_protocols", "tls ... { profile NAME }"},
        {"try_files", "fallback"},
        {"types", "type"},
        {"uri", "rewrite or strip_prefix"},
        {"uwsgi_pass", "proxy, to a server that speaks HTTP"},
        {"VirtualHost", "host NAME { ... }"},
        {"worker_connections", "limits { connections N }"},
        {"worker_processes", "workers"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (px_str_equal(name, px_str_of(names[i].name)))
            return names[i].here;
    return NULL;
}

const char *foreign_advice(px_str name, bool has_block)
{
    static const struct {
        const char *name, *advice;
    } rows[] = {
        {"events", "leave the block out: there is nothing to set"},
        {"http", "leave the line and its \"}\" out: what is inside stands in the file itself"},
        {"proxy_http_version", "leave it out: connections to servers are kept as they are"},
        {"sendfile", "leave it out: files are sent so"},
        {"server_tokens", "leave it out: the version is not said"},
        {"tcp_nodelay", "leave it out: it is on"},
        {"tcp_nopush", "leave it out: heads and files leave together"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (px_str_equal(name, px_str_of(rows[i].name)))
            return rows[i].advice;
    /* As Caddy begins a site, or names a matcher. */
    if (!has_block && name.len > 0 && name.ptr[0] != '@')
        return NULL;
    if (name.len > 0 && name.ptr[0] == '@')
        return "conditions are named so: match NAME { path /x/* }, and used with when NAME { ... }";
    if (name.len > 0 && name.ptr[0] == ':')
        return "an address is listened on so, without a block: listen :PORT";
    if (memchr(name.ptr, '.', name.len) || memchr(name.ptr, ':', name.len) ||
        px_str_equal(name, px_str_of("localhost")))
        return "a site begins so: host NAME { ... }, and an address is: listen ADDR";
    return NULL;
}

const char *foreign_value(px_str directive, px_str value)
{
    static const struct {
        const char *directive, *value, *advice;
    } rows[] = {
        {"header", "always", "leave \"always\" out: answers of every status get the field"},
        {"listen", "ssl", "write tls"},
        {"listen", "quic", "leave it out: there is no HTTP/3"},
        {"listen", "http2", "leave it out: HTTP/2 is on wherever TLS is"},
        {"listen", "default_server", "leave it out: host * { ... } takes what no other host does"},
        {"listen", "default", "leave it out: host * { ... } takes what no other host does"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (px_str_equal(directive, px_str_of(rows[i].directive)) &&
            px_str_equal(value, px_str_of(rows[i].value)))
            return rows[i].advice;
    return NULL;
}
