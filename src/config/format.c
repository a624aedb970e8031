/*
 * fmt: from tokens straight to text, so that nothing of the file is lost on the way.
 */
#include "config/format.h"

#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "config/lexer.h"
#include "config/load.h"

enum { INDENT = 4 };

struct formatter {
    struct config_lexer lexer;
    struct config_token token;
    struct buf *out;
    px_err err;
    uint32_t depth;
    uint32_t blank_lines; /* read since the last line that was written */
    bool in_statement;    /* a line is begun */
    bool is_fresh;        /* nothing stands in this block yet */
    struct config_place open[CONFIG_DEPTH_MAX + 1];
};

static void put(struct formatter *formatter, px_str text)
{
    if (formatter->err == PX_OK)
        formatter->err = buf_append(formatter->out, text);
}

static void put_text(struct formatter *formatter, const char *text)
{
    put(formatter, px_str_of(text));
}

static void begin_line(struct formatter *formatter)
{
    if (formatter->blank_lines > 1 && !formatter->is_fresh)
        put_text(formatter, "\n");
    formatter->blank_lines = 0;
    formatter->is_fresh = false;
    for (uint32_t blank = 0; blank < formatter->depth * INDENT; blank++)
        put_text(formatter, " ");
}

static void end_line(struct formatter *formatter)
{
    if (formatter->in_statement)
        put_text(formatter, "\n");
    formatter->in_statement = false;
}

/* A bare value that was joined over lines is written in one piece. */
static void put_value(struct formatter *formatter, const struct config_token *token)
{
    const char *at = token->spelling.ptr, *end = at + token->spelling.len;

    if (token->quote == QUOTE_RAW) {
        put(formatter, token->spelling);
        return;
    }
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        const char *stop = slash ? slash : end;
        size_t line_end = 0;

        put(formatter, px_str_make(at, (size_t)(stop - at)));
        if (!slash)
            return;
        if (slash + 1 < end && slash[1] == '\n')
            line_end = 1;
        else if (slash + 2 < end && slash[1] == '\r' && slash[2] == '\n')
            line_end = 2;
        if (line_end == 0) {
            /* An escape of two bytes, of which the second may be a backslash too. */
            size_t bytes = token->quote == QUOTE_DOUBLE && slash + 1 < end ? 2 : 1;

            put(formatter, px_str_make(slash, bytes));
            at = slash + bytes;
        } else {
            at = slash + 1 + line_end;
        }
    }
}

static void value(struct formatter *formatter)
{
    if (formatter->in_statement)
        put_text(formatter, " ");
    else
        begin_line(formatter);
    formatter->in_statement = true;
    put_value(formatter, &formatter->token);
}

static void open(struct formatter *formatter, struct config_report *report)
{
    if (!formatter->in_statement)
        report_add(report, REPORT_SYNTAX, formatter->token.place,
                   "\"{\" stands behind a directive, on the same line");
    if (formatter->depth == CONFIG_DEPTH_MAX) {
        report_add(report, REPORT_SYNTAX, formatter->token.place, "blocks stand at most 16 deep");
        return;
    }
    CHECK(formatter->depth < CONFIG_DEPTH_MAX);
    put_text(formatter, " {");
    formatter->depth++;
    formatter->open[formatter->depth] = formatter->token.place;
    formatter->is_fresh = true;
    formatter->blank_lines = 0;
    /* A comment may follow on the line; the line's end is written by whatever comes next. */
    formatter->in_statement = true;
}

static void close(struct formatter *formatter, struct config_report *report)
{
    end_line(formatter);
    if (formatter->depth == 0) {
        report_add(report, REPORT_SYNTAX, formatter->token.place, "\"}\" closes nothing");
        return;
    }
    formatter->depth--;
    formatter->blank_lines = 0;
    begin_line(formatter);
    put_text(formatter, "}");
    formatter->in_statement = true;
}

/* A comment stays on the line of its statement, or has one of its own. */
static void comment(struct formatter *formatter, bool is_own_line)
{
    px_str text = formatter->token.spelling;

    CHECK(text.len > 0 && text.ptr[0] == '#');
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    if (is_own_line) {
        end_line(formatter);
        begin_line(formatter);
    } else {
        put_text(formatter, " ");
    }
    put(formatter, text);
    put_text(formatter, "\n");
    formatter->in_statement = false;
}

/* Whether a statement ended before the token at hand: by a brace, where the next one may follow on
 * the same line. */
static void step(struct formatter *formatter, struct config_report *report, bool *after_brace,
                 bool *line_begins)
{
    switch (formatter->token.kind) {
    case TOKEN_VALUE:
        if (*after_brace)
            end_line(formatter);
        value(formatter);
        *after_brace = false;
        break;
    case TOKEN_OPEN:
        if (*after_brace)
            end_line(formatter);
        open(formatter, report);
        *after_brace = true;
        break;
    case TOKEN_CLOSE:
        close(formatter, report);
        *after_brace = true;
        break;
    case TOKEN_END:
        /* Behind a ';' a comment may follow on the line, as behind a brace. */
        *after_brace = !formatter->token.is_line;
        if (!formatter->token.is_line)
            break;
        formatter->blank_lines++;
        end_line(formatter);
        break;
    case TOKEN_COMMENT:
        comment(formatter, *line_begins || !formatter->in_statement);
        *after_brace = false;
        break;
    case TOKEN_EOF:
    case TOKEN_WRONG:
        break;
    }
    *line_begins = formatter->token.kind == TOKEN_END && formatter->token.is_line;
}

px_err config_format(const struct config_file *file, struct config_report *report, struct buf *out)
{
    struct formatter formatter = {.out = out, .err = PX_OK, .is_fresh = true};
    bool after_brace = false, line_begins = true;

    lexer_init(&formatter.lexer, file, report);
    for (;;) {
        formatter.token = lexer_next(&formatter.lexer);
        if (formatter.token.kind == TOKEN_EOF)
            break;
        step(&formatter, report, &after_brace, &line_begins);
    }
    end_line(&formatter);
    if (formatter.depth > 0)
        report_add(report, REPORT_SYNTAX, formatter.open[formatter.depth], "\"{\" is not closed");
    if (report_has_errors(report))
        return PX_ERR_MALFORMED;
    return formatter.err;
}

/* --- Values ----------------------------------------------------------------------------------- */

static bool is_bare(px_str text)
{
    size_t at = 0;

    if (text.len == 0 || text.ptr[0] == '#')
        return false;
    while (at < text.len) {
        unsigned char byte = (unsigned char)text.ptr[at];
        size_t placeholder = lexer_placeholder(px_str_make(text.ptr + at, text.len - at));

        if (placeholder > 0) {
            at += placeholder;
            continue;
        }
        if (byte <= 0x20 || byte >= 0x7f || strchr(";{}\"`\\$", byte))
            return false;
        at++;
    }
    return true;
}

/* A byte of a text in quotes as it is read again: escaped where it would be another one, or where
 * the file would not be UTF-8. */
static px_err write_byte(struct buf *out, px_str rest, size_t *out_used)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char byte = (unsigned char)rest.ptr[0];
    char escape[4] = {'\\', (char)byte, 0, 0};
    uint32_t code;
    size_t used = byte >= 0x80 ? text_utf8_len(rest, &code) : 1, bytes = 2;

    CHECK(rest.len > 0 && used <= rest.len);
    *out_used = used > 0 ? used : 1;
    if (used > 1)
        return buf_append(out, px_str_make(rest.ptr, used));
    if (byte == '\n') {
        escape[1] = 'n';
    } else if (byte == '\t') {
        escape[1] = 't';
    } else if (byte < 0x20 || byte >= 0x7f || byte == '$') {
        /* A dollar sign could begin a variable. */
        escape[1] = 'x';
        escape[2] = digits[byte >> 4];
        escape[3] = digits[byte & 15];
        bytes = 4;
    } else if (byte != '"' && byte != '\\') {
        escape[0] = (char)byte;
        bytes = 1;
    }
    return buf_append(out, px_str_make(escape, bytes));
}

px_err config_write_value(struct buf *out, px_str text)
{
    return is_bare(text) ? buf_append(out, text) : config_write_quoted(out, text);
}

px_err config_write_quoted(struct buf *out, px_str text)
{
    px_err err = buf_append(out, px_str_of("\""));

    for (size_t at = 0, used; at < text.len && err == PX_OK; at += used)
        err = write_byte(out, px_str_make(text.ptr + at, text.len - at), &used);
    return err == PX_OK ? buf_append(out, px_str_of("\"")) : err;
}
