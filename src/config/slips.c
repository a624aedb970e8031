/*
 * Slips of a hand that knows another server: methods in small letters, variables of nginx.
 *
 * Nothing fails here.
 */
#include "config/slips.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"

/* --- Methods ---------------------------------------------------------------------------------- */

/* Methods have a case (RFC 9110 section 9.1), and clients send those that all know in capitals. */
static void judge_method(struct config_load *load, const struct config_value *value)
{
    static const char *const methods[] = {"GET",   "HEAD",    "POST",  "PUT",    "DELETE",
                                          "PATCH", "OPTIONS", "TRACE", "CONNECT"};
    size_t len = strcspn(value->text.ptr, " ");

    for (size_t i = 0; i < ARRAY_COUNT(methods); i++)
        if (len == strlen(methods[i]) && strncasecmp(value->text.ptr, methods[i], len) == 0 &&
            memcmp(value->text.ptr, methods[i], len) != 0)
            report_add(&load->report, REPORT_WARNING, value->place,
                       "methods have a case, and no client sends \"%.*s\"; did you mean \"%s\"?",
                       (int)len, value->text.ptr, methods[i]);
}

/* --- Variables of nginx ----------------------------------------------------------------------- */

static const struct variable {
    const char *name; /* one that ends in _ goes on with a name */
    const char *here; /* as much as `name` says of it; NULL: nothing */
} variables[] = {
    {"arg_", "query."},
    {"args", "query"},
    {"binary_remote_addr", "client"},
    {"body_bytes_sent", NULL},
    {"bytes_sent", NULL},
    {"content_length", "header.Content-Length"},
    {"content_type", "header.Content-Type"},
    {"cookie_", "cookie."},
    {"document_root", NULL},
    {"document_uri", "path"},
    {"host", "host"},
    {"hostname", NULL},
    {"http_", "header."},
    {"http_host", "host"},
    {"is_args", NULL},
    {"msec", NULL},
    {"proxy_add_x_forwarded_for", NULL},
    {"proxy_host", NULL},
    {"query_string", "query"},
    {"realip_remote_addr", "peer"},
    {"remote_addr", "client"},
    {"remote_port", NULL},
    {"remote_user", NULL},
    {"request", NULL},
    {"request_filename", NULL},
    {"request_id", "request_id"},
    {"request_method", "method"},
    {"request_time", NULL},
    {"request_uri", "uri"},
    {"scheme", "scheme"},
    {"server_addr", "local"},
    {"server_name", "host"},
    {"server_port", "port"},
    {"server_protocol", "version"},
    {"ssl_cipher", "tls.cipher"},
    {"ssl_client_s_dn", "tls.subject"},
    {"ssl_protocol", "tls.version"},
    {"ssl_server_name", "tls.server_name"},
    {"status", "status"},
    {"time_iso8601", NULL},
    {"time_local", NULL},
    {"upstream_addr", "upstream"},
    {"upstream_response_time", NULL},
    {"uri", "path"},
};

enum { VARIABLE_BYTES_MAX = 64 };

static size_t name_bytes(px_str text)
{
    size_t len = 0;

    while (len < text.len &&
           (text.ptr[len] == '_' || (text.ptr[len] >= '0' && text.ptr[len] <= '9') ||
            ((text.ptr[len] | 0x20) >= 'a' && (text.ptr[len] | 0x20) <= 'z')))
        len++;
    return len;
}

/* The one of that name; a whole name before one that goes on. */
static const struct variable *variable_find(px_str name)
{
    const struct variable *found = NULL;

    for (size_t i = 0; i < ARRAY_COUNT(variables); i++) {
        size_t len = strlen(variables[i].name);

        if (name.len == len && memcmp(name.ptr, variables[i].name, len) == 0)
            return &variables[i];
        if (variables[i].name[len - 1] == '_' && name.len > len &&
            memcmp(name.ptr, variables[i].name, len) == 0)
            found = &variables[i];
    }
    return found;
}

/* What stands behind "header." and its like: nginx has _ for -. */
static void rest_text(const struct variable *variable, px_str name, char *out)
{
    size_t at = strlen(variable->name), len = 0;
    bool is_open = at > 0 && variable->name[at - 1] == '_';

    CHECK(name.len < VARIABLE_BYTES_MAX);
    for (; is_open && at < name.len; at++)
        out[len++] =
            name.ptr[at] == '_' && strcmp(variable->name, "http_") == 0 ? '-' : name.ptr[at];
    out[len] = '\0';
}

/* `name` is a variable that stands behind a dollar, at `place`. */
static void note_variable(struct config_load *load, struct config_place place, px_str name)
{
    const struct variable *variable = variable_find(name);
    char rest[VARIABLE_BYTES_MAX];

    if (!variable)
        return;
    if (!variable->here) {
        report_add(&load->report, REPORT_WARNING, place,
                   "\"$%.*s\" is a variable of nginx, and goes out as it stands", (int)name.len,
                   name.ptr);
        return;
    }
    rest_text(variable, name, rest);
    report_add(&load->report, REPORT_WARNING, place,
               "\"$%.*s\" is a variable of nginx, and goes out as it stands; write {%s%s}",
               (int)name.len, name.ptr, variable->here, rest);
}

void slips_judge_variables(struct config_load *load, const struct config_value *value,
                           bool is_target)
{
    const char *from = value->spelling.ptr, *end = from + value->spelling.len;

    for (size_t at = 0; at + 1 < value->text.len; at++) {
        px_str rest = px_str_make(value->text.ptr + at + 1, value->text.len - at - 1);
        size_t len = value->text.ptr[at] == '$' ? name_bytes(rest) : 0;

        if (len == 0 || len >= VARIABLE_BYTES_MAX)
            continue;
        /* What a variable of the file has brought is not in its spelling. */
        const char *there = memmem(from, (size_t)(end - from), rest.ptr - 1, len + 1);
        struct config_place place =
            there ? config_value_place(value, there, (uint32_t)len + 1) : value->place;

        from = there ? there + len + 1 : from;
        if (is_target && len == 1 && rest.ptr[0] >= '1' && rest.ptr[0] <= '9')
            report_add(&load->report, REPORT_WARNING, place,
                       "\"$%c\" is a part of a regular expression in nginx; give the part of the "
                       "route a name, as in /{name}, and write {param.name}",
                       rest.ptr[0]);
        else
            note_variable(load, place, px_str_make(rest.ptr, len));
    }
}

/* A time as nginx's `expires` has it, in place of a Cache-Control (RFC 9111 section 5.2). */
static void judge_expires(struct config_load *load, const struct config_value *value)
{
    size_t digits = strspn(value->text.ptr, "0123456789");

    if (px_str_equal(value->text, px_str_of("max")) ||
        (digits > 0 && strlen(value->text.ptr + digits) <= 1))
        report_add(&load->report, REPORT_WARNING, value->place,
                   "\"%s\" says nothing to a cache; write max-age=SECONDS", value->text.ptr);
}

void slips_judge(struct config_load *load, const struct config_directive *row,
                 const struct config_use *use, const struct config_value *value)
{
    if (use->type == TYPE_METHOD || use->type == TYPE_PATTERN)
        judge_method(load, value);
    if (strcmp(row->name, "cache_control") == 0 && use == &row->uses[1])
        judge_expires(load, value);
    if (use->type == TYPE_TEMPLATE)
        slips_judge_variables(
            load, value, strcmp(row->name, "rewrite") == 0 || strcmp(row->name, "redirect") == 0);
}
