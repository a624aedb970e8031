/*
 * `pollux files`, the ordinary way: px_files_create and a route.
 *
 * The folder is opened once before anything listens, so that a name that is wrong ends the program
 * with one line, and once a generation by the master, whose workers are given it.
 */
#include "main/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "main/diagnostics.h"
#include "main/serve.h"
#include "pollux/compress.h"

/* "PATTERN=VALUE" in two; the pattern is owned by the caller.  flags_files.c has seen the "=". */
static bool rule_split(const char *text, px_files_rule *out_rule)
{
    const char *equals = strchr(text, '=');

    out_rule->pattern = strndup(text, (size_t)(equals - text));
    out_rule->value = equals + 1;
    return out_rule->pattern != NULL;
}

static px_files *files_create(const struct files_options *options, int root_fd, px_error *out_error)
{
    px_files_options given = PX_FILES_OPTIONS_DEFAULT;
    px_files_rule rules[RULE_COUNT_MAX];
    px_files *files = NULL;
    uint32_t count = 0;

    while (count < options->rule_count && rule_split(options->rules[count], &rules[count]))
        count++;
    if (options->index_count > 0) {
        given.indexes = options->indexes;
        given.index_count = options->index_count;
    }
    given.rules = rules;
    given.rule_count = count;
    given.pages = options->pages;
    given.page_count = options->page_count;
    given.spa = options->spa;
    given.listing = options->listing;
    given.follow_symlinks = options->follow_symlinks;
    given.no_sidecars = options->no_compress;
    if (count == options->rule_count && root_fd >= 0)
        files = px_files_create_at(root_fd, options->root, &given, out_error);
    else if (count == options->rule_count)
        files = px_files_create(options->root, &given, out_error);
    else
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    while (count > 0)
        free((char *)(uintptr_t)rules[--count].pattern);
    return files;
}

px_err files_register(px_server *server, const struct options *options, int root_fd,
                      px_error *out_error)
{
    px_route_options route = PX_ROUTE_OPTIONS_DEFAULT;
    px_files *files = files_create(&options->files, root_fd, out_error);

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
    px_files *files = files_create(&options->files, -1, &error);

    if (!files) {
        files_complain(&options->files, &error);
        return exit_code_of(error.code);
    }
    px_files_destroy(files);
    return serve(options);
}
