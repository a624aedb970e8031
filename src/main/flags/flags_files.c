/*
 * Flags of `pollux files`: which file answers what, and what is said of it.
 */
#include <string.h>

#include "base/error.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"

enum { ERROR_LEAST = 400, ERROR_MOST = 599, ERROR_DIGITS = 3, CHARSET_MOST = 40 };

static const char charset_bytes[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:+";

/* A name with control bytes is a slip of the shell. */
static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

static px_err set_index(struct options *options, const struct flag *flag, const char *text,
                        px_error *out_error)
{
    struct files_options *files = &options->files;

    (void)flag;
    if (*text == '\0' || *text == '.' || strchr(text, '/') || has_control(text))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--index %s: it is the name of a file, without a slash", text);
    if (files->index_count == INDEX_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--index %s: that is one name too many",
                         text);
    files->indexes[files->index_count++] = text;
    return PX_OK;
}

static px_err set_cache_control(struct options *options, const struct flag *flag, const char *text,
                                px_error *out_error)
{
    struct files_options *files = &options->files;
    const char *equals = strchr(text, '=');
    bool is_good =
        equals && equals != text && equals[1] != '\0' && equals[1] != ' ' && !has_control(text);

    (void)flag;
    if (!is_good)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--cache-control %s: write it as '*.css=max-age=3600'", text);
    if (files->rule_count == RULE_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--cache-control %s: that is one pattern too many", text);
    files->rules[files->rule_count++] = text;
    return PX_OK;
}

static px_err set_error_page(struct options *options, const struct flag *flag, const char *text,
                             px_error *out_error)
{
    struct files_options *files = &options->files;
    char digits[ERROR_DIGITS + 1] = "";
    uint64_t status = 0;

    (void)flag;
    if (strlen(text) > ERROR_DIGITS + 1 && text[ERROR_DIGITS] == '=' && !has_control(text))
        memcpy(digits, text, ERROR_DIGITS);
    if (!value_count(digits, ERROR_LEAST, ERROR_MOST, &status))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--error-page %s: write it as 404=404.html, with a code from 400 to 599",
                         text);
    for (uint32_t i = 0; i < files->page_count; i++)
        if (files->pages[i].status == status)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "--error-page %s: there is a page for that code already", text);
    if (files->page_count == PAGE_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--error-page %s: that is one page too many",
                         text);
    files->pages[files->page_count++] =
        (px_files_page){sizeof(px_files_page), (unsigned)status, text + ERROR_DIGITS + 1};
    return PX_OK;
}

/* A name is a token (RFC 9110 section 8.3.2). */
static px_err set_charset(struct options *options, const struct flag *flag, const char *text,
                          px_error *out_error)
{
    bool is_off = strcmp(text, "off") == 0;

    (void)flag;
    if (*text == '\0' || strlen(text) > CHARSET_MOST || text[strspn(text, charset_bytes)] != '\0')
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--charset %s: it is the name of one, like iso-8859-1, or off", text);
    options->files.charset = is_off ? "" : text;
    return PX_OK;
}

static px_err set_type_of(struct options *options, const struct flag *flag, const char *text,
                          px_error *out_error)
{
    struct files_options *files = &options->files;
    const char *equals = strchr(text, '=');
    size_t len = equals ? (size_t)(equals - text) : 0;
    bool is_good = len > 0 && !memchr(text, '.', len) && strchr(equals, '/') && equals[1] != '/' &&
                   equals[1] != ' ' && !memchr(text, '/', len);

    (void)flag;
    for (const char *at = text; *at; at++)
        is_good = is_good && (unsigned char)*at >= 0x20 && (unsigned char)*at < 0x7f;
    if (!is_good)
        return error_set(out_error, PX_ERR_INVALID, 0, "--type %s: write it as md=text/markdown",
                         text);
    if (files->type_count == TYPE_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--type %s: that is one type too many",
                         text);
    files->types[files->type_count++] = text;
    return PX_OK;
}

const struct flag flags_files[] = {
    {"type", 0, "EXT=TYPE", FOR_FILES, set_type_of, 0,
     "Content-Type of files with that extension; repeat"},
    {"charset", 0, "NAME", FOR_FILES, set_charset, 0,
     "charset of text files (default utf-8), or off"},
    {"index", 0, "NAME", FOR_FILES, set_index, 0,
     "what a directory is answered with (default index.html); repeat"},
    {"listing", 0, NULL, FOR_FILES, flag_set_switch, FLAG_AT(files.listing),
     "a page that lists a directory without an index (default: 403)"},
    {"spa", 0, "FILE", FOR_FILES, flag_set_path, FLAG_AT(files.spa),
     "answer with it where there is no file"},
    {"cache-control", 0, "PATTERN=VALUE", FOR_FILES, set_cache_control, 0,
     "their Cache-Control: '*.css=max-age=60'; repeat"},
    {"error-page", 0, "CODE=FILE", FOR_FILES, set_error_page, 0,
     "content of that error, like 404=404.html; repeat"},
    {"no-compress", 0, NULL, FOR_FILES, flag_set_switch, FLAG_AT(files.no_compress),
     "send content as it is, whatever the client accepts"},
    {"follow-symlinks", 0, NULL, FOR_FILES, flag_set_switch, FLAG_AT(files.follow_symlinks),
     "also where they lead out of the directory (default: 404)"},
    {0},
};
