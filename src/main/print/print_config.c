/*
 * From the command line to a file.
 *
 * Happy path: each flag that was given is the directive of that name, what was not given is left to
 * its default, and what came out is read as `pollux check` reads it before it is printed.  So what
 * is printed loads, and a flag without a directive would be seen.
 */
#include "main/print/print_config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "config/config.h"
#include "main/diagnostics.h"
#include "main/listen/address.h"
#include "main/log/log_sink.h"
#include "main/print/print_site.h"
#include "main/run/run_numbers.h"
#include "main/run/run_options.h"
#include "main/run/run_reader.h"
#include "main/run/run_text.h"

enum { TEXT_BYTES_MAX = 1024 * 1024, OPTION_BYTES = 16 };

static const char file_name[] = "--print-config";

/* --- The process ------------------------------------------------------------------------------ */

static uint32_t place_of(const char *block)
{
    if (!block)
        return IN_TOP;
    if (strcmp(block, "limits") == 0)
        return IN_LIMITS;
    return strcmp(block, "timeouts") == 0 ? IN_TIMEOUTS : IN_RATES;
}

/* What was said of one block, or with NULL at the top. */
static void print_numbers(struct print *print, const struct options *options, const char *block)
{
    bool is_open = false;

    for (size_t i = 0; i < run_number_count; i++) {
        const struct run_number *row = &run_numbers[i];
        bool is_here = block ? row->block && strcmp(row->block, block) == 0 : !row->block;
        uint64_t number;
        bool is_off;

        if (!is_here || !run_number_load(row, options, &is_off, &number))
            continue;
        const struct config_directive *directive =
            schema_find(px_str_of(row->name), place_of(row->block));

        CHECK(directive);
        if (block && !is_open) {
            print_begin(print, block);
            print_open(print);
        }
        is_open = true;
        print_begin(print, row->name);
        print_number(print, NULL, directive->uses[0].type, is_off, number);
        print_end(print);
    }
    if (block && is_open)
        print_close(print);
}

static void print_log(struct print *print, const struct options *options)
{
    static const char *const names[] = {[PX_LOG_OFF] = "off",
                                        [PX_LOG_COMBINED] = "combined",
                                        [PX_LOG_JSON] = "json",
                                        [PX_LOG_REQUEST] = "request",
                                        [PX_LOG_ECS] = "json"};

    CHECK(options->server.log_format < ARRAY_COUNT(names) && names[options->server.log_format]);
    print_begin(print, "log");
    print_word(print, names[options->server.log_format]);
    if (options->log_file && log_sink_is(options->log_file))
        print_value(print, px_str_of(options->log_file));
    else if (options->log_file)
        print_path(print, options->log_file);
    if (options->server.log_format == PX_LOG_ECS)
        print_word(print, "ecs");
    print_end(print);
}

static void print_text(struct print *print, const char *name, const char *text)
{
    if (!text)
        return;
    print_begin(print, name);
    print_value(print, px_str_of(text));
    print_end(print);
}

static void print_process(struct print *print, const struct options *options)
{
    static const char *const modes[] = {
        [SANDBOX_ON] = "on", [SANDBOX_OFF] = "off", [SANDBOX_REQUIRE] = "require"};
    const struct process_options *process = &options->process;

    CHECK(process->sandbox < ARRAY_COUNT(modes));
    print_text(print, "user", process->user);
    if (process->workers_given) {
        print_begin(print, "workers");
        print_number(print, NULL, TYPE_COUNT, false, process->workers);
        print_end(print);
    }
    if (process->max_workers != 0) {
        print_begin(print, "max_workers");
        print_number(print, NULL, TYPE_COUNT, false, process->max_workers);
        print_end(print);
    }
    if (process->accept_shared)
        print_line(print, "accept", "shared");
    if (process->sandbox != sandbox_mode_default)
        print_line(print, "sandbox", modes[process->sandbox]);
    if (process->pid_file) {
        print_begin(print, "pid_file");
        print_path(print, process->pid_file);
        print_end(print);
    }
    print_log(print, options);
    print_text(print, "health", options->health);
    if (options->secure.tls.http2 == PX_OFF)
        print_line(print, "http2", "off");
    else if (options->server.http2_clear == PX_OFF)
        print_line(print, "http2", "tls");
    print_numbers(print, options, NULL);
    print_numbers(print, options, "limits");
    print_numbers(print, options, "timeouts");
    print_numbers(print, options, "minimum_rate");
}

static void print_proxies(struct print *print, const struct options *options)
{
    static const char *const fields[] = {[PX_FORWARDED_EITHER] = NULL,
                                         [PX_FORWARDED_RFC7239] = "field=forwarded",
                                         [PX_FORWARDED_PLAIN] = "field=x-forwarded-for",
                                         [PX_FORWARDED_NONE] = "field=off"};

    if (options->proxy.trusted_count == 0)
        return;
    CHECK(options->server.forwarded < ARRAY_COUNT(fields));
    print_begin(print, "trusted_proxies");
    for (uint32_t i = 0; i < options->proxy.trusted_count; i++)
        print_value(print, px_str_of(options->proxy.trusted[i]));
    if (fields[options->server.forwarded])
        print_word(print, fields[options->server.forwarded]);
    print_end(print);
}

/* --- Listeners -------------------------------------------------------------------------------- */

static void print_id(struct print *print, const char *name, uint32_t id)
{
    if (id != LISTEN_ID_KEPT)
        print_number(print, name, TYPE_COUNT, false, id);
}

static void print_listen(struct print *print, const struct options *options, uint32_t index)
{
    CHECK(index < options->listen_count);
    const struct listen_options *listen = &options->listen_options[index];
    const char *address = options->listen[index];
    uint32_t backlog = listen->backlog != 0 ? listen->backlog : options->backlog;
    bool is_inherited = strncmp(address_bare(address), "fd:", 3) == 0;
    char mode[OPTION_BYTES];

    print_begin(print, "listen");
    print_value(print, px_str_of(address_bare(address)));
    if (address_is_secure(address))
        print_word(print, "tls");
    if (listen->proxy || options->proxy.protocol)
        print_word(print, "proxy");
    if (backlog != 0 && !is_inherited)
        print_number(print, "backlog", TYPE_COUNT, false, backlog);
    if (listen->mode != 0) {
        snprintf(mode, sizeof(mode), "mode=%04o", (unsigned)listen->mode);
        print_word(print, mode);
    }
    print_id(print, "owner", listen->owner);
    print_id(print, "group", listen->group);
    print_end(print);
}

static void print_listens(struct print *print, const struct options *options)
{
    for (uint32_t i = 0; i < options->listen_count; i++)
        if (options->listen[i] != options->secure.redirect &&
            options->listen[i] != options->metrics)
            print_listen(print, options, i);
    print_text(print, "metrics", options->metrics);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static void print_tls_file(struct print *print, const char *name, const char *path)
{
    if (!path)
        return;
    print_begin(print, name);
    print_path(print, path);
    print_end(print);
}

/* How TLS is spoken, which all certificates have alike. */
static void print_policy(struct print *print, const struct secure_options *secure,
                         const char *staple)
{
    print_open(print);
    print_tls_file(print, "client_ca", secure->tls.client_ca_file);
    if (secure->tls.client == PX_TLS_CLIENT_OPTIONAL)
        print_line(print, "client", "optional");
    if (secure->tls.profile == PX_TLS_MODERN)
        print_line(print, "profile", "modern");
    print_tls_file(print, "tickets", secure->tls.ticket_keys_file);
    if (secure->strict)
        print_line(print, "strict", "on");
    print_tls_file(print, "ocsp", staple);
    print_close(print);
}

static void print_tls(struct print *print, const struct secure_options *secure)
{
    for (uint32_t i = 0; i < secure->certificate_count; i++) {
        print_begin(print, "tls");
        if (!secure->certificates[i]) {
            print_word(print, "self_signed");
            if (secure->made_names[i])
                print_value(print, px_str_of(secure->made_names[i]));
            print_policy(print, secure, NULL);
            continue;
        }
        print_path(print, secure->certificates[i]);
        if (secure->key_count > 0)
            print_path(print, secure->keys[i]);
        print_policy(print, secure, i < secure->staple_count ? secure->staples[i] : NULL);
    }
}

/* --- Hosts ------------------------------------------------------------------------------------ */

/* An address that only sends clients to https is a host of its own beside the other one. */
static void print_redirect(struct print *print, const struct options *options)
{
    print_begin(print, "host *");
    print_open(print);
    for (uint32_t i = 0; i < options->listen_count; i++)
        if (options->listen[i] == options->secure.redirect)
            print_listen(print, options, i);
    print_begin(print, "redirect https");
    if (options->secure.redirect_port != 0)
        print_number(print, "port", TYPE_COUNT, false, options->secure.redirect_port);
    print_end(print);
    print_begin(print, "respond 404");
    print_end(print);
    print_close(print);
}

static void print_all(struct print *print, const struct options *options)
{
    print_process(print, options);
    print_proxies(print, options);
    print_listens(print, options);
    print_tls(print, &options->secure);
    print_upstream(print, options);
    if (!options->secure.redirect) {
        print_site(print, options);
        return;
    }
    print_redirect(print, options);
    print_begin(print, "host *");
    print_open(print);
    print_site(print, options);
    print_close(print);
}

/* --- Reading it again ------------------------------------------------------------------------- */

static px_err read_text(void *context, const char *path, size_t bytes_max, struct arena *arena,
                        px_str *out_text, px_error *out_error)
{
    const struct buf *text = context;

    if (strcmp(path, file_name) != 0)
        return run_reader.read(run_reader.context, path, bytes_max, arena, out_text, out_error);
    *out_text = arena_copy(arena, buf_str(text));
    return out_text->ptr ? error_clear(out_error)
                         : error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
}

/* Whether it would be served, and would be what the command line says. */
static bool is_good(const struct options *options, struct buf *text)
{
    const struct config_reader reader = {.read = read_text,
                                         .list = run_reader.list,
                                         .variable = run_reader.variable,
                                         .context = text};
    struct config *config = config_open(&reader, file_name, &alloc_libc, options->run.shared);
    struct options again = *options;

    again.proxy.trusted_count = 0;
    again.secure.certificate_count = again.secure.made_count = again.secure.key_count =
        again.secure.staple_count = 0;
    bool good = config && config_is_good(config) && run_options_fill(config, &again);

    if (!config)
        diagnostics_say("out of memory");
    else
        run_text_report(&config->load.report, NULL);
    config_close(config);
    return good;
}

/* Pages lie in the folder, or anywhere; error_page asks for the path of one at its own host, which
 * has what is in the folder alone. */
static bool pages_are_served(const struct files_options *files)
{
    char path[2 * PATH_MAX];

    for (uint32_t i = 0; i < files->page_count; i++) {
        snprintf(path, sizeof(path), "%s/%s", files->root, files->pages[i].file);
        if (access(path, F_OK) == 0)
            continue;
        diagnostics_say("a configuration cannot say it: error_page names a path of the site, and "
                        "%s is not in %s; move it there",
                        files->pages[i].file, files->root);
        return false;
    }
    return true;
}

enum exit_code print_config(const struct options *options)
{
    char folder[PATH_MAX];
    struct buf text;
    enum exit_code code = CODE_SYSTEM;

    if (options->command == COMMAND_FILES && !pages_are_served(&options->files))
        return CODE_CONFIG;
    if (!getcwd(folder, sizeof(folder))) {
        diagnostics_say("cannot tell which folder this is: %s", strerror(errno));
        return CODE_SYSTEM;
    }
    buf_init(&text, &alloc_libc, TEXT_BYTES_MAX);
    struct print print = {.out = &text, .folder = folder};

    print_all(&print, options);
    if (print.err != PX_OK)
        diagnostics_say("out of memory");
    else if (!is_good(options, &text))
        code = CODE_CONFIG;
    else
        code = run_text_print(&text);
    buf_deinit(&text);
    return code;
}
