/*
 * Flags of the commands about a configuration file.
 */
#include "main/flag.h"

const struct flag flags_run[] = {
    {"config", 'c', "FILE", FOR_FILE | FOR_RELOAD, flag_set_path, FLAG_AT(run.file),
     "the configuration (default: ./pollux.conf, else\n"
     "                              /etc/pollux/pollux.conf)"},
    {"pid-file", 0, "PATH", FOR_RELOAD, flag_set_path, FLAG_AT(run.pid_file),
     "which process (default: as pid_file of the configuration)"},
    {"write", 'w', NULL, FOR_FMT, flag_set_switch, FLAG_AT(run.write),
     "in place of the file, not on stdout"},
    {0},
};
