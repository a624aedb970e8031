/*
 * Any text as a configuration: read, checked, settled, laid out and printed.
 *
 * Besides not crashing: what is laid out does not change when it is laid out again, what is printed
 * of a configuration that holds is one that holds, and where there are errors the report has text.
 * What a configuration is made into is not built: that opens files.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "config/format.h"
#include "config/print.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { OUT_BYTES_MAX = 16 * 1024 * 1024 };

static void must(bool condition)
{
    if (!condition)
        abort();
}

static px_err text_read(void *context, const char *path, size_t bytes_max, struct arena *arena,
                        px_str *out_text, px_error *out_error)
{
    const px_str *text = context;

    if (strcmp(path, "a.conf") != 0)
        return error_set(out_error, PX_ERR_NOT_FOUND, 0, "no such file");
    if (text->len > bytes_max)
        return error_set(out_error, PX_ERR_LIMIT, 0, "too long");
    px_str copy = arena_copy(arena, *text);

    if (!copy.ptr)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    *out_text = copy;
    return PX_OK;
}

static px_err text_list(void *context, const char *pattern, struct arena *arena,
                        const char *const **out_names, uint32_t *out_count, px_error *out_error)
{
    static const char *const names[] = {"a.conf"};

    (void)context;
    (void)arena;
    (void)out_error;
    *out_names = names;
    *out_count = strchr(pattern, 'a') ? 1 : 0;
    return PX_OK;
}

static const char *text_variable(void *context, const char *name)
{
    (void)context;
    return strcmp(name, "A") == 0 ? "${B:-value with blanks}" : NULL;
}

static struct config_reader reader_of(px_str *text)
{
    return (struct config_reader){
        .read = text_read, .list = text_list, .variable = text_variable, .context = text};
}

/* Whether it holds; prints it where that is so. */
static bool settle(px_str text, struct buf *out)
{
    struct config_reader reader = reader_of(&text);
    struct config_load load;
    struct buf report;

    config_load_init(&load, &reader, &alloc_libc);
    buf_init(&report, &alloc_libc, OUT_BYTES_MAX);
    const struct config_settings *settings = NULL;

    px_err err = config_load_read(&load, "a.conf");

    must((err == PX_OK) == !report_has_errors(&load.report));
    must(!load.is_torn || err != PX_OK);
    if (!load.is_torn && !load.report.out_of_memory)
        settings = config_settings(&load, config_check(&load));
    bool is_good = !report_has_errors(&load.report);

    must(report_write(&load.report, &report) == PX_OK);
    must(settings || !is_good);
    must(is_good || report.len > 0);
    if (is_good && out)
        must(config_print(settings, out) == PX_OK);
    buf_deinit(&report);
    config_load_deinit(&load);
    return is_good;
}

/* Lays it out; false: it cannot be. */
static bool format(px_str text, struct buf *out)
{
    struct config_reader reader = reader_of(&text);
    struct config_load load;

    config_load_init(&load, &reader, &alloc_libc);
    const struct config_file *file = load_file(&load, "a.conf", NULL);
    bool is_good = file && config_format(file, &load.report, out) == PX_OK;

    config_load_deinit(&load);
    return is_good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str text = px_str_make((const char *)data, len);
    struct buf once, again;

    buf_init(&once, &alloc_libc, OUT_BYTES_MAX);
    buf_init(&again, &alloc_libc, OUT_BYTES_MAX);
    if (len <= 64 * 1024 && format(text, &once)) {
        must(format(buf_str(&once), &again));
        must(px_str_equal(buf_str(&once), buf_str(&again)));
    }
    buf_deinit(&once);
    buf_init(&once, &alloc_libc, OUT_BYTES_MAX);
    if (len <= 64 * 1024 && settle(text, &once))
        must(settle(buf_str(&once), NULL));
    buf_deinit(&once);
    buf_deinit(&again);
    return 0;
}
