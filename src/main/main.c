/*
 * The program: reads the command line, does what it says, ends with a code of sysexits(3).
 */
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "main/answers/files.h"
#include "main/diagnostics.h"
#include "main/exit_code.h"
#include "main/flags/help.h"
#include "main/flags/options.h"
#include "main/health/healthcheck.h"
#include "main/listen/inherited.h"
#include "main/print/print_config.h"
#include "main/run/run.h"
#include "main/serve.h"
#include "process/descriptors.h"

static enum exit_code run(const struct options *options)
{
    if (options->print_config)
        return print_config(options);
    switch (options->command) {
    case COMMAND_RESPOND:
    case COMMAND_PROXY:
        return serve(options);
    case COMMAND_FILES:
        return files_serve(options);
    case COMMAND_HEALTHCHECK:
        return healthcheck(options);
    case COMMAND_RUN:
        return run_serve(options);
    case COMMAND_CHECK:
        return run_check(options);
    case COMMAND_CONFIG:
        return run_config(options);
    case COMMAND_FMT:
        return run_fmt(options);
    case COMMAND_RELOAD:
        return run_reload(options);
    case COMMAND_HELP:
        if (options->name)
            return help_print_command(options->help_command) == 0 ? CODE_OK : CODE_SYSTEM;
        return help_print() == 0 ? CODE_OK : CODE_SYSTEM;
    case COMMAND_VERSION:
        return help_print_version() == 0 ? CODE_OK : CODE_SYSTEM;
    }
    return CODE_SOFTWARE;
}

static enum exit_code start(int argc, char **argv, char **words)
{
    struct config_shared shared = {0};
    struct options options;
    px_error error;

    if (descriptors_fill_standard() != 0)
        return CODE_SYSTEM;
    inherited_close_foreign(words);
    if (options_parse(&options, argc, argv, getenv("PORT"), &error) != PX_OK) {
        diagnostics_say("%s", error.text);
        return exit_code_of(error.code);
    }
    program_file_init(&options.process.program, words);
    options.run.shared = &shared;
    if (options.command == COMMAND_PROXY || options.command == COMMAND_RUN) {
        shared.board = px_upstream_board_create(NULL, &error);
        if (!shared.board) {
            diagnostics_say("%s", error.text);
            return exit_code_of(error.code);
        }
    }
    enum exit_code code = run(&options);

    config_shared_deinit(&shared);
    return code;
}

int main(int argc, char **argv)
{
    /* A program that takes over is started with the same words, before getopt_long sorts them. */
    char **words = calloc((size_t)argc + 1, sizeof(words[0]));

    if (!words)
        return CODE_SYSTEM;
    memcpy(words, argv, (size_t)argc * sizeof(words[0]));
    enum exit_code code = start(argc, argv, words);

    free(words);
    return (int)code;
}
