/*
 * From the name of a file to what is served.
 *
 * The happy path: find the file, read it, take what is about the process, serve.  What is wrong in
 * the file is said at its places, all of it, and the exit code is 78.
 */
#include "main/run/run.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "config/config.h"
#include "config/print.h"
#include "main/diagnostics.h"
#include "main/run/run_attach.h"
#include "main/run/run_explain.h"
#include "main/run/run_judge.h"
#include "main/run/run_options.h"
#include "main/run/run_places.h"
#include "main/run/run_reader.h"
#include "main/run/run_roots.h"
#include "main/run/run_text.h"
#include "main/secure.h"
#include "main/serve.h"

static const char here[] = "pollux.conf", there[] = "/etc/pollux/pollux.conf";

/* The one that is named, else the one that is there; which one that is, is said. */
const char *run_file_find(const struct options *options)
{
    const char *path = options->run.file;

    if (path)
        return path;
    path = access(here, F_OK) == 0 ? here : there;
    if (path == there && access(there, F_OK) != 0)
        diagnostics_say("there is no %s here, and no %s; name the file with -c FILE", here, there);
    if (!options->quiet && (options->command == COMMAND_RUN || options->command == COMMAND_CHECK))
        diagnostics_tell(LEVEL_INFO, "the configuration is %s", path);
    return path;
}

struct run_file *run_file_read(const struct options *options, const char *path)
{
    struct run_file *file = calloc(1, sizeof(*file));

    if (file)
        file->config = config_open(&run_reader, path, &alloc_libc, options->run.shared);
    if (!file || !file->config) {
        free(file);
        diagnostics_say("out of memory");
        return NULL;
    }
    file->path = path;
    file->options = *options;
    file->options.run.command_line = options;
    file->options.run.opened = file;
    file->options.run.config = file->config;
    CHECK(!config_is_good(file->config) || file->config->site);
    if (file->config->site)
        (void)run_options_fill(file->config, &file->options);
    options_check(&file->options);
    if (config_is_good(file->config)) {
        file->roots = run_roots_look(file->config);
        run_judge(file->config);
    }
    return file;
}

enum exit_code run_file_open(const struct options *options, struct run_file **out_file)
{
    struct run_file *file = run_file_read(options, run_file_find(options));

    if (!file)
        return CODE_SYSTEM;
    if (options->command == COMMAND_CHECK && config_is_good(file->config)) {
        run_names_check(file->config, &file->options.resolver);
        run_places_check(file->config);
    }
    run_text_report(&file->config->load.report, NULL);
    if (config_is_good(file->config)) {
        *out_file = file;
        return CODE_OK;
    }
    run_file_close(file);
    return CODE_CONFIG;
}

void run_file_close(struct run_file *file)
{
    if (!file)
        return;
    config_close(file->config);
    free(file);
}

enum exit_code run_serve(const struct options *options)
{
    struct run_file *file;
    enum exit_code code = run_file_open(options, &file);

    if (code != CODE_OK)
        return code;
    CHECK(file->options.run.opened == file && file->options.run.config == file->config);
    return serve(&file->options); /* which takes the file */
}

/* Dates, and what a start would warn of; certificates that it would make are not told. */
static enum exit_code certificates_check(const struct options *options)
{
    struct secure_dates dates = {0};
    struct options quiet = *options;
    px_tls *tls;

    quiet.quiet = true;
    enum exit_code code = secure_open(&quiet, &dates, NULL, &tls);

    px_tls_destroy(tls);
    return code;
}

enum exit_code run_check(const struct options *options)
{
    struct run_file *file = NULL;
    enum exit_code code = run_file_open(options, &file);

    if (code == CODE_OK && !options->run.explain)
        code = certificates_check(&file->options);
    else if (code == CODE_OK)
        code = run_explain(options, file->config);
    run_file_close(file);
    return code;
}

enum exit_code run_config(const struct options *options)
{
    struct run_file *file;
    struct buf text;
    enum exit_code code = run_file_open(options, &file);

    if (code != CODE_OK)
        return code;
    buf_init(&text, &alloc_libc, RUN_TEXT_BYTES_MAX);
    if (config_print(file->config->settings, &text) != PX_OK) {
        diagnostics_say("out of memory");
        code = CODE_SYSTEM;
    } else {
        code = run_text_print(&text);
    }
    buf_deinit(&text);
    run_file_close(file);
    return code;
}
