/*
 * The command line, as a struct.  Flags win over the environment (PORT), that over defaults.
 */
#ifndef PX_MAIN_OPTIONS_H
#define PX_MAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/field.h"
#include "pollux/server.h"

enum {
    LISTEN_COUNT_MAX = 64,   /* addresses of one program */
    HEADER_COUNT_MAX = 64,   /* fields given with -H */
    PORT_ADDRESS_BYTES = 16, /* "0.0.0.0:65535" */
};

enum command { COMMAND_RESPOND, COMMAND_HEALTHCHECK, COMMAND_HELP, COMMAND_VERSION };

/* Strings are slices of argv and of the environment, or static. */
struct options {
    enum command command;

    const char *listen[LISTEN_COUNT_MAX]; /* at least one for COMMAND_RESPOND */
    uint32_t listen_count;
    char port_address[PORT_ADDRESS_BYTES]; /* what PORT means; listen[0] may point here */
    uint32_t workers;                      /* 0: as many as there are CPUs to use */
    bool workers_given;
    bool quiet;
    const char *log_file;      /* NULL: stdout */
    const char *pid_file;      /* NULL: none */
    px_server_options server;  /* limits, deadlines, log format */
    uint64_t inbox_bytes_max;  /* 0: the library's default */
    uint32_t drain_timeout_ms; /* 0: 30 s */

    px_str text;
    px_str type;
    uint32_t status;
    px_field headers[HEADER_COUNT_MAX];
    uint32_t header_count;

    const char *url;
    uint32_t check_timeout_ms;
};

/* Reads the command line; argv[0] is the program.  `port` is the environment's PORT, or NULL.
 * Takes hold of nothing.  getopt_long sorts `argv`.  PX_OK, or PX_ERR_INVALID with the line to
 * print. */
PX_MUST_CHECK px_err options_parse(struct options *out_options, int argc, char **argv,
                                   const char *port, px_error *out_error);

#endif
