/*
 * `pollux files`, the ordinary way: px_files_create and a route.
 *
 * The folder is opened once before anything listens, so that a name that is wrong ends the program
 * with one line, and once a generation by the master, whose workers are given it.
 */
#include "main/answers/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/budget.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "main/answers/gateway.h"
#include "main/diagnostics.h"
#include "main/serve.h"
#include "pollux/compress.h"

/* "PATTERN=VALUE" in two; the pattern is owned by the caller.  flags_files.c has seen the "=". */
static bool rule_split(const char *text, px_files_rule *out_rule)
{
    const char *equals = strchr(text, '=');

    CHECK(equals);
    out_rule->struct_size = sizeof(*out_rule);
    out_rule->pattern = strndup(text, (size_t)(equals - text));
    out_rule->value = equals + 1;
    return out_rule->pattern != NULL;
}

/* As rule_split, for "EXT=TYPE". */
static bool type_split(const char *text, px_files_type *out_type)
{
    const char *equals = strchr(text, '=');

    CHECK(equals);
    out_type->struct_size = sizeof(*out_type);
    out_type->extension = strndup(text, (size_t)(equals - text));
    out_type->type = equals + 1;
    return out_type->extension != NULL;
}

static void options_give(const struct options *options, px_files_options *out_given)
{
    const struct files_options *files = &options->files;

    if (files->index_count > 0) {
        out_given->indexes = files->indexes;
        out_given->index_count = files->index_count;
    }
    out_given->pages = files->pages;
    out_given->page_count = files->page_count;
    out_given->spa = files->spa;
    out_given->listing = files->listing;
    out_given->follow_symlinks = files->follow_symlinks;
    out_given->no_sidecars = files->no_compress;
    out_given->charset = files->charset;
    out_given->fields = options->respond.headers;
    out_given->field_count = options->respond.header_count;
}

static px_files *files_create(const struct options *options, int root_fd, uint64_t memory_bytes_max,
                              struct gateway *gateway, px_error *out_error)
{
    const struct files_options *wanted = &options->files;
    px_files_options given = PX_FILES_OPTIONS_DEFAULT;
    px_files_rule rules[RULE_COUNT_MAX];
    px_files_type types[TYPE_COUNT_MAX];
    px_files *files = NULL;
    uint32_t rule_count = 0, type_count = 0;

    CHECK(wanted->rule_count <= RULE_COUNT_MAX && wanted->type_count <= TYPE_COUNT_MAX);
    options_give(options, &given);
    given.on_denied = gateway ? gateway_on_denied : NULL;
    given.denied_context = gateway;
    given.cache_bytes_max = memory_bytes_max / MEMORY_PARTS * (PART_CACHES - 1);
    if (given.cache_bytes_max > FILE_CACHE_BYTES_DEFAULT)
        given.cache_bytes_max = FILE_CACHE_BYTES_DEFAULT;
    while (rule_count < wanted->rule_count &&
           rule_split(wanted->rules[rule_count], &rules[rule_count]))
        rule_count++;
    while (type_count < wanted->type_count &&
           type_split(wanted->types[type_count], &types[type_count]))
        type_count++;
    given.rules = rules;
    given.rule_count = rule_count;
    given.types = types;
    given.type_count = type_count;
    bool whole = rule_count == wanted->rule_count && type_count == wanted->type_count;

    if (whole && root_fd >= 0)
        files = px_files_create_at(root_fd, wanted->root, &given, out_error);
    else if (whole)
        files = px_files_create(wanted->root, &given, out_error);
    else
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    while (rule_count > 0)
        free((char *)(uintptr_t)rules[--rule_count].pattern);
    while (type_count > 0)
        free((char *)(uintptr_t)types[--type_count].extension);
    return files;
}

px_err files_register(px_server *server, const struct options *options, int root_fd,
                      uint64_t memory_bytes_max, struct gateway *gateway, px_error *out_error)
{
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_files *files = files_create(options, root_fd, memory_bytes_max, gateway, out_error);

    if (!files)
        return out_error->code;
    route.release = px_files_destroy;
    px_err err = px_server_route_with(server, "/", &route, px_files_handle, files, out_error);

    return err != PX_OK || options->files.no_compress ? err
                                                      : px_server_compress(server, NULL, out_error);
}

/* Whether a line is about a file, as "404.html: there is no such file". */
static bool is_about(const px_error *error, const char *file)
{
    size_t len = file ? strlen(file) : 0;

    return len > 0 && strncmp(error->text, file, len) == 0 && error->text[len] == ':';
}

/* A file is called as the command line has it; which flag named it is said too. */
static void files_complain(const struct files_options *options, const px_error *error)
{
    for (uint32_t i = 0; i < options->page_count; i++) {
        if (is_about(error, options->pages[i].file)) {
            diagnostics_say("--error-page %u=%s", options->pages[i].status, error->text);
            return;
        }
    }
    diagnostics_say("%s%s", is_about(error, options->spa) ? "--spa " : "", error->text);
}

enum exit_code files_serve(const struct options *options)
{
    px_error error;
    px_files *files = files_create(options, -1, UINT64_MAX, NULL, &error);

    if (!files) {
        files_complain(&options->files, &error);
        return exit_code_of(error.code);
    }
    if (px_files_walks(files))
        diagnostics_say(
            "openat2 is refused here (Linux before 5.6, or a container's filter): paths "
            "are resolved a segment at a time, which is slower");
    px_files_destroy(files);
    return serve(options);
}
