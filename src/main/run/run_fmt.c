/*
 * `pollux fmt`: a file in its one layout, on stdout or in its place.
 */
#include <string.h>

#include "base/alloc.h"
#include "config/format.h"
#include "config/load.h"
#include "main/diagnostics.h"
#include "main/run/run.h"
#include "main/run/run_reader.h"
#include "main/run/run_text.h"

static enum exit_code file_store(const struct options *options, const struct config_file *file,
                                 const struct buf *text)
{
    if (!options->run.write)
        return run_text_print(text);
    if (px_str_equal(buf_str(text), file->text))
        return CODE_OK;
    return run_text_store(file->name, text);
}

static enum exit_code file_format(const struct options *options, struct config_load *load,
                                  const struct config_file *file)
{
    struct buf text;
    enum exit_code code = CODE_CONFIG;

    buf_init(&text, &alloc_libc, RUN_TEXT_BYTES_MAX);
    px_err err = config_format(file, &load->report, &text);

    run_text_report(&load->report, NULL);
    if (err == PX_OK) {
        code = file_store(options, file, &text);
    } else if (err != PX_ERR_MALFORMED) {
        diagnostics_say("out of memory");
        code = CODE_SYSTEM;
    }
    buf_deinit(&text);
    return code;
}

enum exit_code run_fmt(const struct options *options)
{
    struct config_load load;

    const char *path = run_file_find(options);
    bool is_input = strcmp(path, "-") == 0;

    if (is_input && options->run.write) {
        diagnostics_say("-w writes in the place of a file, and - is standard input");
        return CODE_USAGE;
    }
    config_load_init(&load, &run_reader, &alloc_libc);
    const struct config_file *file = load_file(&load, is_input ? "/dev/stdin" : path, NULL);
    enum exit_code code = CODE_CONFIG;

    if (file)
        code = file_format(options, &load, file);
    else
        run_text_report(&load.report, NULL);
    config_load_deinit(&load);
    return code;
}
