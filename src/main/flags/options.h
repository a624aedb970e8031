/*
 * The command line, as a struct.  Flags win over the environment (PORT), that over defaults.
 */
#ifndef PX_MAIN_OPTIONS_H
#define PX_MAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "main/listen/listen_options.h"
#include "main/program.h"
#include "pollux/field.h"
#include "pollux/files.h"
#include "pollux/proxy.h"
#include "pollux/server.h"
#include "process/sandbox.h"

enum {
    LISTEN_COUNT_MAX = 64,       /* addresses of one program */
    HEADER_COUNT_MAX = 64,       /* fields given with -H */
    CERTIFICATE_COUNT_MAX = 256, /* pairs of --tls-cert and --tls-key, or of a file */
    PORT_ADDRESS_BYTES = 16,     /* "0.0.0.0:65535" */
    INDEX_COUNT_MAX = 16,        /* names given with --index */
    NAME_SERVER_COUNT_MAX = 3,
    TRUSTED_COUNT_MAX = 256,  /* blocks given with --trust-proxy */
    RULE_COUNT_MAX = 64,      /* patterns given with --cache-control */
    TYPE_COUNT_MAX = 64,      /* extensions given with --type */
    PAGE_COUNT_MAX = 32,      /* codes given with --error-page */
    REDIRECT_BYTES_MAX = 512, /* an address given with --https-redirect */
    UPSTREAM_COUNT_MAX = 64,  /* URLs of `pollux proxy` */
};

enum command {
    COMMAND_RESPOND,
    COMMAND_FILES,
    COMMAND_PROXY,
    COMMAND_HEALTHCHECK,
    COMMAND_RUN,
    COMMAND_CHECK,
    COMMAND_CONFIG,
    COMMAND_FMT,
    COMMAND_RELOAD,
    COMMAND_HELP,
    COMMAND_VERSION
};

/* What `pollux respond` answers; its fields are those of `pollux files` as well. */
struct respond_options {
    px_str text;
    bool has_text; /* it was given */
    px_str type;
    uint32_t status;
    uint32_t header_count;
    px_field headers[HEADER_COUNT_MAX];
};

/* What `pollux files` serves. */
struct files_options {
    const char *root;
    const char *spa; /* NULL: none */
    bool listing;
    bool no_compress;
    bool follow_symlinks;
    const char *charset; /* NULL: utf-8; "": none */
    uint32_t type_count;
    uint32_t index_count; /* 0: index.html */
    uint32_t rule_count;
    uint32_t page_count;
    const char *indexes[INDEX_COUNT_MAX];
    const char *rules[RULE_COUNT_MAX]; /* PATTERN=VALUE */
    const char *types[TYPE_COUNT_MAX]; /* EXT=TYPE */
    px_files_page pages[PAGE_COUNT_MAX];
};

/* What `pollux proxy` asks. */
struct gateway_options {
    const char *urls[UPSTREAM_COUNT_MAX];
    uint32_t url_count;
    const char *hash_key; /* the template of a balance by key, or NULL */
    px_tls_trust_options trust;
    px_upstream_check check; /* its path is NULL: servers are not checked */
    px_upstream_options upstream;
    px_proxy_options proxy;
};

/* How the processes are made and ended. */
struct process_options {
    uint32_t workers; /* 0: one process */
    bool workers_given;
    uint32_t drain_timeout_ms; /* 0: 30 s */
    uint32_t drain_spread_ms;  /* 0: half of it, at most 15 s */
    uint32_t drain_delay_ms;   /* 0: none */
    uint32_t max_workers;      /* slots that are made; 0: as many as workers */
    uint32_t hung_timeout_ms;  /* 0: 10 s; PX_OFF */
    uint32_t start_timeout_ms; /* 0: 60 s */
    bool accept_shared;        /* one socket for all workers */
    const char *pid_file;      /* NULL: none */
    const char *user;          /* the user of workers; NULL: none was named */
    enum sandbox_mode sandbox;
    struct program_file program;
};

/* Proxies in front. */
struct proxy_options {
    bool protocol; /* their connections begin with a PROXY header */
    uint32_t trusted_count;
    const char *trusted[TRUSTED_COUNT_MAX]; /* blocks of addresses */
};

/* How TLS is spoken on addresses that begin with https://. */
struct secure_options {
    const char *certificates[CERTIFICATE_COUNT_MAX]; /* NULL: one that is made, self-signed */
    const char
        *made_names[CERTIFICATE_COUNT_MAX]; /* its names; NULL: localhost and its addresses */
    uint32_t certificate_count;
    uint32_t made_count;                     /* of those, self-signed ones */
    const char *keys[CERTIFICATE_COUNT_MAX]; /* one for each certificate, or none at all */
    uint32_t key_count;
    const char *staples[CERTIFICATE_COUNT_MAX];
    uint32_t staple_count;
    const char *redirect;   /* an address that sends every client to https; in `listen` too */
    uint32_t redirect_port; /* ... on this port; 0: that of the first https:// address */
    char redirect_address[REDIRECT_BYTES_MAX]; /* redirect points here */
    const char *given;                         /* the first flag of TLS; NULL: none was given */
    bool client_given;                         /* --tls-client was */
    bool profile_given;                        /* --tls-profile or --tls-modern was */
    bool strict;        /* dates that do not hold, and one bad certificate of several, are errors */
    bool hsts;          /* tell browsers to come back with https alone */
    uint64_t hsts_s;    /* ... for so many seconds */
    px_tls_options tls; /* profile, client certificates, ticket keys, handshakes */
};

/* What is told of, and where. */
struct error_log_options {
    const char *path; /* NULL: stderr */
    uint32_t level;   /* an enum diagnostics_level; 0: all */
};

/* Which name servers are asked. */
struct resolver_options {
    const char *servers[NAME_SERVER_COUNT_MAX];
    uint32_t count; /* 0: those of the system */
};

/* Where spans of requests go. */
struct trace_options {
    const char *url; /* of a collector; NULL: nowhere */
    uint32_t sample; /* of traces that begin here one in so many; 0: none */
    bool restart;    /* traces go on from trusted proxies alone */
    px_field header; /* borrowed: of each message; an absent name: none */
};

struct healthcheck_options {
    const char *url;
    const char *ca_file; /* NULL: what the system trusts */
    bool insecure;       /* any server that answers is believed */
    uint32_t timeout_ms;
};

struct config;
struct config_shared;
struct options;
struct run_file;

/* Of `pollux run` and the commands about its file. */
struct run_options {
    const char *file;   /* NULL: ./pollux.conf, else the system's */
    bool write;         /* fmt: in place of the file */
    bool explain;       /* check: say what a request would meet */
    const char *method; /* ... of this request */
    const char *url;
    const char *from;     /* ... of a client at this address; NULL: 127.0.0.1 */
    const char *pid_file; /* reload: names the process it tells; NULL: as the configuration says */
    struct config_shared *shared; /* borrowed: what one configuration leaves to the next */
    struct config *config;   /* borrowed: what was read; NULL: the command line is all there is */
    struct run_file *opened; /* borrowed, with a config: what it was read into */
    const struct options *command_line; /* borrowed, likewise: what it is read anew by */
};

/* Strings are slices of argv and of the environment, or static. */
struct options {
    enum command command;
    enum command help_command; /* COMMAND_HELP: whose flags */
    const char *name;          /* of the command as given; NULL: none was */

    const char *listen[LISTEN_COUNT_MAX]; /* at least one for a command that serves */
    uint32_t listen_count;
    struct listen_options listen_options[LISTEN_COUNT_MAX]; /* of each; listen[i] may point there */
    char port_address[PORT_ADDRESS_BYTES]; /* what PORT means; listen[0] may point here */
    bool quiet;
    bool print_config;    /* of a command that serves: print the file that says the same, and end */
    const char *log_file; /* NULL: stdout */
    const char *health;   /* a path; NULL: none */
    const char *metrics;  /* an address for an operator, the last of `listen`; NULL: none */
    px_server_options server; /* limits, deadlines, log format; may point into `proxy` */
    const char *http2_rule;   /* of --http2, NULL: not given; settled in `server` and `secure` */
    const char *h2c_rule;     /* likewise of --h2c */
    uint32_t backlog;         /* of each socket that listens; 0: 1024 */
    uint64_t inbox_bytes_max; /* 0: the library's default */

    struct process_options process;
    struct respond_options respond;
    struct files_options files;
    struct secure_options secure;
    struct proxy_options proxy;
    struct trace_options trace;
    struct resolver_options resolver;
    struct error_log_options error_log;
    struct gateway_options gateway;
    struct healthcheck_options healthcheck;
    struct run_options run;
};

/* Adds an address with its options; for the flag, whose name is given.  PX_OK, or PX_ERR_INVALID
 * with the line to print. */
PX_MUST_CHECK px_err options_listen(struct options *options, const char *flag, const char *address,
                                    px_error *out_error);

/* Adds the address of `metrics`, where there is one, behind those that are served: PX_OK, or
 * PX_ERR_INVALID with the line to print. */
PX_MUST_CHECK px_err options_listen_metrics(struct options *options, px_error *out_error);

/* States what holds of options that were read: counts within their arrays. */
void options_check(const struct options *options);

/* Reads the command line; argv[0] is the program.  `port` is the environment's PORT, or NULL.
 * Takes hold of nothing.  getopt_long sorts `argv`.  PX_OK, or PX_ERR_INVALID with the line to
 * print. */
PX_MUST_CHECK px_err options_parse(struct options *out_options, int argc, char **argv,
                                   const char *port, px_error *out_error);

#endif
