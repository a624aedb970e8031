/*
 * What answers where there is no route for a request, or no file.
 *
 * Happy path: the other methods are asked for, and the names of files are looked at.  Nothing is
 * opened or sent.  What comes beside a file (an encoded form of it) is not looked at, and a file
 * that may not be read is there.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "config/explaining.h"

enum { LINE_BYTES = 512, PATH_BYTES = 4096, ROUTES_MAX = 8 };

void explaining_put(struct explaining *explaining, const char *format, ...)
{
    char line[LINE_BYTES];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (explaining->err == PX_OK)
        explaining->err = buf_append(explaining->out, px_str_of(line));
}

void explaining_put_node(struct explaining *explaining, const char *label,
                         const struct config_node *node, const char *more)
{
    const struct config_statement *statement = node->statement;
    struct config_place place = node_place(node);

    explaining_put(explaining, "%-9s %s", label, node->row->name);
    for (uint32_t i = 0; i < statement->value_count; i++) {
        px_str text = statement->values[i].spelling;

        explaining_put(explaining, " %.*s", (int)text.len, text.ptr);
    }
    explaining_put(explaining, "%s  # %s:%u\n", more, place.file->name, place.line);
}

bool explaining_holds(struct explaining *explaining, const struct config_step *step)
{
    px_matcher *matcher = NULL;

    if (!step->match)
        return true;
    return build_match(&explaining->build, step->match, &matcher) &&
           px_matcher_matches_request(matcher, explaining->request) == 1;
}

/* --- No route --------------------------------------------------------------------------------- */

static bool names_status(const struct config_node *node, unsigned status)
{
    for (uint32_t i = 0; node_is(node, "error_page") && i + 1 < node->value_count; i++)
        if (node->values[i].number == status)
            return true;
    return false;
}

/* The page of the host, or else of the file, for an error; what is behind replaces. */
static const struct config_node *page_of_host(const struct explaining *explaining, unsigned status)
{
    const struct config_node *of_host =
        explaining->host && explaining->host->node ? explaining->host->node->children : NULL;
    const struct config_node *lists[] = {explaining->build.settings->shared, of_host};
    const struct config_node *page = NULL;

    for (size_t list = 0; list < ARRAY_COUNT(lists); list++)
        for (const struct config_node *node = lists[list]; node; node = node->next) {
            if (node_is(node, "error_page") && node->is_none)
                page = NULL;
            else if (names_status(node, status))
                page = node;
        }
    return page;
}

/* The routes that the path has for other methods: "GET, HEAD", or nothing. */
static void put_other_methods(struct explaining *explaining, char *out, size_t room)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
    const struct config_node *seen[ROUTES_MAX] = {NULL};
    const px_match_request *request = explaining->request;
    size_t seen_count = 0, len = 0;
    unsigned status;
    void *context;

    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(methods); i++) {
        const struct config_host *host;
        const struct config_route *route;
        bool is_seen = false;

        if (px_site_find(explaining->build.config->site, explaining->listen->index,
                         px_str_of(methods[i]), request->authority, request->raw_path, &context,
                         &status) != PX_OK)
            continue;
        build_route_of(context, &host, &route);
        len += (size_t)snprintf(out + len, room - len, "%s%s", len > 0 ? ", " : "", methods[i]);
        CHECK(len < room);
        for (size_t at = 0; at < seen_count; at++)
            is_seen |= seen[at] == route->node;
        if (is_seen || !route->node || seen_count == ROUTES_MAX)
            continue;
        seen[seen_count++] = route->node;
        explaining_put_node(explaining, "route", route->node, "");
    }
}

void explaining_put_no_route(struct explaining *explaining, unsigned status)
{
    char methods[64];

    ASSERT(explaining->listen && status >= 200);
    put_other_methods(explaining, methods, sizeof(methods));
    const struct config_node *page = page_of_host(explaining, status);

    if (page)
        explaining_put_node(explaining, "error", page, "");
    if (status == 301 || status == 308)
        explaining_put(explaining, "answer    %u: the path with a slash behind it has a route\n",
                       status);
    else if (methods[0] != '\0')
        explaining_put(explaining, "answer    %u: the path has a route for %s%s\n", status, methods,
                       status == 405 ? " alone" : "");
    else
        explaining_put(explaining, "answer    %u: %s\n", status,
                       explaining->host ? "there is no route for it"
                                        : "there is no host of that name, and no route for it");
}

/* --- No file ---------------------------------------------------------------------------------- */

static int digit_of(char byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte = (char)(byte | 0x20);
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* Root and path, decoded (RFC 3986 section 2.1): false where it is none that is looked for. */
static bool path_write(char out[PATH_BYTES], px_str root, px_str path)
{
    size_t len = 0;

    if (root.len + path.len >= PATH_BYTES)
        return false;
    memcpy(out, root.ptr, root.len);
    len = root.len;
    for (size_t at = 0; at < path.len; at++) {
        char byte = path.ptr[at];

        if (byte == '%') {
            int high = at + 2 < path.len ? digit_of(path.ptr[at + 1]) : -1;
            int low = high >= 0 ? digit_of(path.ptr[at + 2]) : -1;

            if (low < 0)
                return false;
            byte = (char)(high * 16 + low);
            at += 2;
        }
        if (byte == '\0')
            return false;
        out[len++] = byte;
    }
    out[len] = '\0';
    return true;
}

static enum path_kind kind_of(const struct explaining *explaining, const char *path)
{
    const struct config_reader *reader = explaining->build.load->reader;

    return reader->kind(reader->context, path);
}

/* The index of a folder: appended to its path where there is one. */
static bool find_index(const struct explaining *explaining, char path[PATH_BYTES])
{
    static const char fallback[] = "index.html";
    const struct config_node *node = route_setting(explaining->route, "index");
    size_t len = strlen(path);

    for (uint32_t i = 0; i < (node ? node->value_count : 1); i++) {
        const char *name = node ? node->values[i].text.ptr : fallback;

        if (snprintf(path + len, PATH_BYTES - len, "%s", name) < (int)(PATH_BYTES - len) &&
            kind_of(explaining, path) == PATH_FILE)
            return true;
    }
    path[len] = '\0';
    return false;
}

static bool is_switched_on(const struct config_route *route, const char *name)
{
    const struct config_node *node = route_setting(route, name);

    return node && (node->value_count == 0 || !node->values[0].is_off);
}

/* A page of the host or route for an error that its answer gives. */
static void put_error(struct explaining *explaining, unsigned status, const char *why)
{
    const struct config_node *page = NULL;

    for (uint32_t i = 0; i < explaining->route->step_count; i++)
        if (names_status(explaining->route->steps[i].node, status))
            page = explaining->route->steps[i].node;
    explaining_put(explaining, "status    %u: %s\n", status, why);
    if (page)
        explaining_put_node(explaining, "page", page, "");
}

static void put_fallback(struct explaining *explaining, px_str root)
{
    const struct config_node *fallback = route_setting(explaining->route, "fallback");
    char path[PATH_BYTES];

    if (!fallback || fallback->value_count == 0 || fallback->values[0].is_off) {
        put_error(explaining, 404, "there is no such file");
        return;
    }
    explaining_put_node(explaining, "fallback", fallback,
                        ": there is no such file, and a browser that looks for a page gets");
    if (path_write(path, root, fallback->values[0].text))
        explaining_put(explaining, "%-9s %s\n", "file", path);
}

void explaining_put_file(struct explaining *explaining, const struct config_node *answer,
                         px_str asked)
{
    const struct config_reader *reader = explaining->build.load->reader;
    px_str root = answer->values[0].text;
    bool is_folder = asked.len > 0 && asked.ptr[asked.len - 1] == '/';
    char path[PATH_BYTES];

    CHECK(answer->value_count == 1);
    explaining_put(explaining, "%-9s %.*s%.*s\n", "file", (int)root.len, root.ptr, (int)asked.len,
                   asked.ptr);
    if (!reader->kind || !path_write(path, root, asked))
        return;
    enum path_kind kind = kind_of(explaining, path);

    if (kind == PATH_FOLDER && !is_folder)
        explaining_put(explaining, "status    301: it is a folder, which ends in a slash\n");
    else if (kind == PATH_FOLDER && find_index(explaining, path))
        explaining_put(explaining, "%-9s %s\n", "index", path);
    else if (kind == PATH_FOLDER && is_switched_on(explaining->route, "listing"))
        explaining_put_node(explaining, "listing", route_setting(explaining->route, "listing"), "");
    else if (kind == PATH_FOLDER)
        put_error(explaining, 403, "the folder has no index, and is not listed");
    else if (kind != PATH_FILE || is_folder)
        put_fallback(explaining, root);
}
