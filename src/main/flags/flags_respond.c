/*
 * Flags of `pollux respond`: what the answer is.
 */
#include "base/error.h"
#include "main/flags/flag.h"
#include "main/flags/values.h"

enum { STATUS_LEAST = 200, STATUS_MOST = 599 };

/* What a file's own answer says of its content (px_files_options.fields refuses them, too). */
static bool is_of_files(px_str name)
{
    static const char *const own[] = {"Content-Range", "Content-Encoding", "ETag",
                                      "Last-Modified", "Accept-Ranges",    "Location"};

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (value_is_name(name, own[i]))
            return true;
    return false;
}

static px_err set_header(struct options *options, const struct flag *flag, const char *text,
                         px_error *out_error)
{
    px_field field;

    (void)flag;
    if (!value_field(text, &field.name, &field.value))
        return error_set(out_error, PX_ERR_INVALID, 0, "--header %s: write it as 'Name: value'",
                         text);
    if (value_is_framing(field.name))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--header %s: pollux frames messages itself; leave it out", text);
    /* One answer has one type: the last one given. */
    if (value_is_name(field.name, "Content-Type") && options->command == COMMAND_FILES)
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--header %s: files have types of their own; see --type and --charset",
                         text);
    if (options->command == COMMAND_FILES && is_of_files(field.name))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--header %s: files say that of themselves; leave it out", text);
    if (value_is_name(field.name, "Content-Type")) {
        options->respond.type = field.value;
        return PX_OK;
    }
    if (options->respond.header_count == HEADER_COUNT_MAX)
        return error_set(out_error, PX_ERR_INVALID, 0, "--header %s: that is one field too many",
                         text);
    options->respond.headers[options->respond.header_count++] = field;
    return PX_OK;
}

/* A value may go into a field of the answer. */
static px_err set_type(struct options *options, const struct flag *flag, const char *text,
                       px_error *out_error)
{
    px_str type = px_str_of(text);

    (void)flag;
    for (size_t i = 0; i < type.len; i++)
        if ((unsigned char)text[i] < 0x20 || (unsigned char)text[i] >= 0x7f)
            type.len = 0;
    if (type.len == 0)
        return error_set(out_error, PX_ERR_INVALID, 0, "--type %s: write it as text/plain", text);
    options->respond.type = type;
    return PX_OK;
}

static px_err set_status(struct options *options, const struct flag *flag, const char *text,
                         px_error *out_error)
{
    uint64_t status;

    (void)flag;
    if (!value_count(text, STATUS_LEAST, STATUS_MOST, &status))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "--status %s: it is a number from 200 to 599", text);
    options->respond.status = (uint32_t)status;
    return PX_OK;
}

const struct flag flags_respond[] = {
    {"status", 0, "N", FOR_RESPOND, set_status, 0,
     "status of the answer, 200 to 599 (default 200)"},
    {"type", 0, "TYPE", FOR_RESPOND, set_type, 0, "its Content-Type (default text/plain)"},
    {"header", 'H', "'Name: value'", FOR_RESPOND | FOR_FILES, set_header, 0,
     "a further field of every answer; repeat"},
    {0},
};
