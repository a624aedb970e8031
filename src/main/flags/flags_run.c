/*
 * Flags of the commands about a configuration file.
 */
#include "base/error.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"

static px_err set_header(struct options *options, const struct flag *flag, const char *value,
                         px_error *out_error)
{
    struct respond_options *request = &options->respond;
    px_field *field = &request->headers[request->header_count];

    if (request->header_count == HEADER_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s: at most %d of them", flag->name,
                         HEADER_COUNT_MAX);
    if (!value_field(value, &field->name, &field->value))
        return error_set(out_error, PX_ERR_INVALID, 0, "--%s %s: it is written 'Name: value'",
                         flag->name, value);
    request->header_count++;
    return PX_OK;
}

const struct flag flags_run[] = {
    {"config", 'c', "FILE", FOR_FILE, flag_set_path, FLAG_AT(run.file),
     "the configuration (default: ./pollux.conf, else\n"
     "                              /etc/pollux/pollux.conf)"},
    {"config", 'c', "FILE", FOR_RELOAD, flag_set_path, FLAG_AT(run.file),
     "the configuration that the process reads, whose pid_file\n"
     "                              names it (default: ./pollux.conf, else\n"
     "                              /etc/pollux/pollux.conf)"},
    {"pid-file", 0, "PATH", FOR_RELOAD, flag_set_path, FLAG_AT(run.pid_file),
     "which process (default: as pid_file of the configuration)"},
    {"explain", 0, NULL, FOR_CHECK, flag_set_switch, FLAG_AT(run.explain),
     "say what a request would meet: check --explain METHOD URL"},
    {"header", 'H', "'N: V'", FOR_CHECK, set_header, 0, "... with that field; repeat"},
    {"from", 0, "ADDR", FOR_CHECK, flag_set_path, FLAG_AT(run.from),
     "... of a client at that address (default 127.0.0.1)"},
    {"write", 'w', NULL, FOR_FMT, flag_set_switch, FLAG_AT(run.write),
     "in place of the file, not on stdout"},
    {0},
};
