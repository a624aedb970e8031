/*
 * Answers of respond, files and proxy as statements.
 */
#include "main/print/print_site.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "main/flags/values.h"

static const char upstream_name[] = "servers";

enum { STATUS_BYTES = 16, BUFFER_BYTES = 16 * 1024 };

/* --- What a number says ----------------------------------------------------------------------- */

static void print_count(struct print *print, const char *option, uint32_t number)
{
    if (number != 0)
        print_number(print, option, TYPE_COUNT, number == PX_OFF, number);
}

static void print_time(struct print *print, const char *option, uint32_t ms)
{
    if (ms != 0)
        print_number(print, option, TYPE_DURATION, ms == PX_OFF, ms);
}

/* --- respond, and fields of answers ----------------------------------------------------------- */

static void print_fields(struct print *print, const struct respond_options *respond)
{
    for (uint32_t i = 0; i < respond->header_count; i++) {
        const px_field *field = &respond->headers[i];
        /* These two have a default, which is replaced. */
        bool is_set = value_is_name(field->name, "Date") || value_is_name(field->name, "Server");

        print_begin(print, is_set ? "header " : "header +");
        if (print->err == PX_OK)
            print->err = buf_append(print->out, field->name);
        print_literal(print, field->value);
        print_end(print);
    }
}

static void print_respond(struct print *print, const struct respond_options *respond)
{
    char status[STATUS_BYTES];

    if (!px_str_equal(respond->type, px_str_of("text/plain"))) {
        print_begin(print, "content_type");
        print_value(print, respond->type);
        print_end(print);
    }
    print_fields(print, respond);
    snprintf(status, sizeof(status), "%u", (unsigned)respond->status);
    print_begin(print, "respond");
    print_word(print, status);
    if (respond->status != 204 && respond->status != 205 && respond->status != 304)
        print_literal(print, respond->text);
    print_end(print);
}

/* --- files ------------------------------------------------------------------------------------ */

/* "PATTERN=VALUE" as two values. */
static void print_pairs(struct print *print, const char *name, const char *const *texts,
                        uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *equals = strchr(texts[i], '=');

        CHECK(equals); /* the flag has seen it */
        print_begin(print, name);
        print_value(print, px_str_make(texts[i], (size_t)(equals - texts[i])));
        print_value(print, px_str_of(equals + 1));
        print_end(print);
    }
}

/* The path that a file of the folder is served at (RFC 3986 section 2.1). */
static void print_target(struct print *print, const char *file)
{
    static const char digits[] = "0123456789ABCDEF";
    char target[3 * PATH_MAX + 2] = "/";
    size_t len = 1;

    while (strncmp(file, "./", 2) == 0 || *file == '/')
        file += *file == '/' ? 1 : 2;
    for (; *file != '\0' && len + 4 < sizeof(target); file++) {
        unsigned char byte = (unsigned char)*file;

        if (byte > ' ' && byte < 0x7f && !strchr("\"#%<>?[\\]^`{|}", byte)) {
            target[len++] = (char)byte;
            continue;
        }
        target[len++] = '%';
        target[len++] = digits[byte >> 4];
        target[len++] = digits[byte & 15];
    }
    print_value(print, px_str_make(target, len));
}

static void print_pages(struct print *print, const struct files_options *files)
{
    char status[STATUS_BYTES];

    for (uint32_t i = 0; i < files->page_count; i++) {
        snprintf(status, sizeof(status), "%u", (unsigned)files->pages[i].status);
        print_begin(print, "error_page");
        print_word(print, status);
        print_target(print, files->pages[i].file);
        print_end(print);
    }
}

static void print_fallback(struct print *print, const char *file)
{
    char path[PATH_MAX + 1];

    while (strncmp(file, "./", 2) == 0 || *file == '/')
        file += *file == '/' ? 1 : 2;
    snprintf(path, sizeof(path), "/%s", file);
    print_begin(print, "fallback");
    print_value(print, px_str_of(path));
    print_end(print);
}

static void print_files(struct print *print, const struct options *options)
{
    const struct files_options *files = &options->files;

    print_fields(print, &options->respond);
    print_begin(print, "files");
    print_path(print, files->root);
    print_end(print);
    if (files->index_count > 0) {
        print_begin(print, "index");
        for (uint32_t i = 0; i < files->index_count; i++)
            print_value(print, px_str_of(files->indexes[i]));
        print_end(print);
    }
    if (files->spa)
        print_fallback(print, files->spa);
    if (files->listing)
        print_line(print, "listing", "on");
    if (files->follow_symlinks)
        print_line(print, "symlinks", "on");
    if (files->no_compress)
        print_line(print, "compress", "off");
    if (files->charset) {
        print_begin(print, "charset");
        print_value(print, px_str_of(files->charset[0] != '\0' ? files->charset : "off"));
        print_end(print);
    }
    print_pairs(print, "type", files->types, files->type_count);
    print_pairs(print, "cache_control", files->rules, files->rule_count);
    print_pages(print, files);
}

/* --- proxy ------------------------------------------------------------------------------------ */

static void print_balance(struct print *print, const struct gateway_options *gateway)
{
    static const char *const names[] = {[PX_BALANCE_ROUND_ROBIN] = "roundrobin",
                                        [PX_BALANCE_LEAST] = "least",
                                        [PX_BALANCE_RANDOM] = "random",
                                        [PX_BALANCE_HASH] = "hash"};

    print_begin(print, "balance");
    print_word(print, names[gateway->upstream.balance]);
    if (gateway->hash_key)
        print_value(print, px_str_of(gateway->hash_key));
    print_end(print);
}

static void print_trust(struct print *print, const px_tls_trust_options *trust)
{
    if (!trust->ca_file && !trust->certificate_file && !trust->key_file)
        return;
    print_begin(print, "tls");
    if (trust->ca_file)
        print_option_path(print, "ca", trust->ca_file);
    if (trust->certificate_file)
        print_option_path(print, "cert", trust->certificate_file);
    if (trust->key_file)
        print_option_path(print, "key", trust->key_file);
    print_end(print);
}

static void print_queue(struct print *print, const px_upstream_options *upstream)
{
    static const uint32_t queue_default = 256;

    if (upstream->queue_max == 0 && upstream->queue_timeout_ms == 0)
        return;
    print_begin(print, "queue");
    print_count(print, NULL, upstream->queue_max != 0 ? upstream->queue_max : queue_default);
    if (upstream->queue_max != PX_OFF)
        print_time(print, NULL, upstream->queue_timeout_ms);
    print_end(print);
}

void print_upstream(struct print *print, const struct options *options)
{
    const struct gateway_options *gateway = &options->gateway;
    const px_upstream_options *upstream = &gateway->upstream;

    if (options->command != COMMAND_PROXY)
        return;
    print_begin(print, "upstream");
    print_word(print, upstream_name);
    print_open(print);
    for (uint32_t i = 0; i < gateway->url_count; i++) {
        print_begin(print, "server");
        print_value(print, px_str_of(gateway->urls[i]));
        print_count(print, "max", upstream->requests_max);
        print_end(print);
    }
    print_balance(print, gateway);
    if (gateway->check.path) {
        print_begin(print, "check");
        print_value(print, px_str_of(gateway->check.path));
        print_end(print);
    }
    if (upstream->fails_max != 0) {
        print_begin(print, "fails");
        print_count(print, NULL, upstream->fails_max);
        print_end(print);
    }
    if (upstream->slow_start_ms != 0) {
        print_begin(print, "slow_start");
        print_time(print, NULL, upstream->slow_start_ms);
        print_end(print);
    }
    print_queue(print, upstream);
    print_trust(print, &gateway->trust);
    if (upstream->proxy_protocol != 0)
        print_line(print, "proxy_protocol", upstream->proxy_protocol == 1 ? "v1" : "v2");
    print_close(print);
}

static void print_retry(struct print *print, const px_proxy_options *proxy)
{
    static const uint32_t tries_default = 2;

    if (proxy->tries == 0 && !proxy->retry_disconnect && proxy->total_timeout_ms == 0)
        return;
    print_begin(print, "retry");
    print_count(print, NULL, proxy->tries != 0 ? proxy->tries : tries_default);
    if (proxy->retry_disconnect)
        print_word(print, "on=disconnect");
    print_time(print, "within", proxy->total_timeout_ms);
    print_end(print);
}

static void print_timeouts(struct print *print, const px_upstream_options *upstream)
{
    if (upstream->connect_timeout_ms == 0 && upstream->first_byte_timeout_ms == 0 &&
        upstream->silence_timeout_ms == 0)
        return;
    print_begin(print, "timeouts");
    print_time(print, "connect", upstream->connect_timeout_ms);
    print_time(print, "first_byte", upstream->first_byte_timeout_ms);
    print_time(print, "silence", upstream->silence_timeout_ms);
    print_end(print);
}

static void print_proxy(struct print *print, const struct gateway_options *gateway)
{
    const px_proxy_options *proxy = &gateway->proxy;

    print_begin(print, "proxy");
    print_word(print, upstream_name);
    print_open(print);
    print_retry(print, proxy);
    print_timeouts(print, &gateway->upstream);
    if (proxy->host) {
        print_begin(print, "host");
        print_value(print, px_str_of(proxy->host[0] != '\0' ? proxy->host : "upstream"));
        print_end(print);
    }
    if (proxy->name) {
        print_begin(print, "via");
        print_value(print, px_str_of(proxy->name));
        print_end(print);
    }
    if (proxy->forwarded)
        print_line(print, "forwarded", "on");
    if (proxy->underscores)
        print_line(print, "underscores", "keep");
    if (proxy->proxy_status)
        print_line(print, "proxy_status", "on");
    if (proxy->replay_bytes_max != 0) {
        print_begin(print, "buffer");
        print_number(print, NULL, TYPE_BYTES, false, BUFFER_BYTES);
        print_number(print, "replay", TYPE_BYTES, false, proxy->replay_bytes_max);
        print_end(print);
    }
    print_close(print);
}

void print_site(struct print *print, const struct options *options)
{
    if (options->secure.hsts) {
        print_begin(print, "hsts");
        print_number(print, NULL, TYPE_DURATION, false, options->secure.hsts_s * 1000);
        print_end(print);
    }
    if (options->command == COMMAND_FILES)
        print_files(print, options);
    else if (options->command == COMMAND_PROXY)
        print_proxy(print, &options->gateway);
    else
        print_respond(print, &options->respond);
}
