/*
 * Tokens, one after the other, with their places.
 */
#include "config/lexer.h"

#include <string.h>

#include "base/check.h"
#include "base/text.h"

/* A byte order mark says nothing in UTF-8. */
static size_t bom_bytes(px_str text)
{
    return text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

void lexer_init(struct config_lexer *lexer, const struct config_file *file,
                struct config_report *report)
{
    lexer->file = file;
    lexer->report = report;
    lexer->at = file->text.ptr;
    lexer->end = file->text.ptr + file->text.len;
    lexer->line = 1;
    lexer->column = 1;
    lexer->is_torn = false;
    lexer->at += bom_bytes(file->text);
}

/* --- The text as a whole ---------------------------------------------------------------------- */

bool lexer_text_valid(const struct config_file *file, struct config_report *report)
{
    const unsigned char *at = (const unsigned char *)file->text.ptr, *end = at + file->text.len;
    struct config_place place = {.file = file, .line = 1, .column = 1, .length = 1};

    at += bom_bytes(file->text);
    while (at < end) {
        uint32_t code;
        size_t bytes = text_utf8_len(px_str_make((const char *)at, (size_t)(end - at)), &code);
        bool is_line_end = at[0] == '\r' && at + 1 < end && at[1] == '\n';

        if (bytes == 0) {
            report_add(report, REPORT_SYNTAX, place, "byte 0x%02x is not UTF-8", at[0]);
            return false;
        }
        if ((at[0] < 0x20 && at[0] != '\t' && at[0] != '\n' && !is_line_end) || at[0] == 0x7f) {
            report_add(report, REPORT_SYNTAX, place,
                       "control byte 0x%02x; write it as \"\\x%02x\" in quotes", at[0], at[0]);
            return false;
        }
        if (at[0] == '\n') {
            place.line++;
            place.column = 0;
        }
        place.column++;
        at += bytes;
    }
    return true;
}

static void lexer_check(const struct config_lexer *lexer)
{
    CHECK(lexer->file && lexer->report);
    CHECK(lexer->at >= lexer->file->text.ptr && lexer->at <= lexer->end);
    CHECK(lexer->end == lexer->file->text.ptr + lexer->file->text.len);
    CHECK(lexer->line > 0);
}

/* --- Moving on -------------------------------------------------------------------------------- */

static bool is_at_end(const struct config_lexer *lexer)
{
    return lexer->at >= lexer->end;
}

static char peek(const struct config_lexer *lexer, size_t ahead)
{
    return (size_t)(lexer->end - lexer->at) > ahead ? lexer->at[ahead] : '\0';
}

static void step(struct config_lexer *lexer)
{
    ASSERT(!is_at_end(lexer));
    if (lexer->at[0] == '\n') {
        lexer->line++;
        lexer->column = 0;
    }
    lexer->at++;
    if (is_at_end(lexer) || ((unsigned char)lexer->at[0] & 0xc0) != 0x80)
        lexer->column++;
}

static void skip(struct config_lexer *lexer, size_t bytes)
{
    while (bytes-- > 0 && !is_at_end(lexer))
        step(lexer);
}

/* Bytes of the end of a line at `ahead`: LF or CR LF; 0: there is none. */
static size_t line_end_bytes(const struct config_lexer *lexer, size_t ahead)
{
    if (peek(lexer, ahead) == '\n')
        return 1;
    return peek(lexer, ahead) == '\r' && peek(lexer, ahead + 1) == '\n' ? 2 : 0;
}

/* Bytes of a backslash and the end of the line that it joins with the next; 0: there is none. */
static size_t join_bytes(const struct config_lexer *lexer)
{
    size_t end = peek(lexer, 0) == '\\' ? line_end_bytes(lexer, 1) : 0;

    return end > 0 ? 1 + end : 0;
}

static void skip_blanks(struct config_lexer *lexer)
{
    for (;;) {
        size_t joined = join_bytes(lexer);

        if (joined > 0)
            skip(lexer, joined);
        else if (peek(lexer, 0) == ' ' || peek(lexer, 0) == '\t')
            step(lexer);
        else
            return;
    }
}

static struct config_place place_here(const struct config_lexer *lexer, uint32_t length)
{
    return (struct config_place){
        .file = lexer->file, .line = lexer->line, .column = lexer->column, .length = length};
}

/* --- Tokens ----------------------------------------------------------------------------------- */

static bool is_name_byte(char byte)
{
    char lower = (char)(byte | 0x20);

    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') || byte == '_' ||
           byte == '.' || byte == '-';
}

size_t lexer_placeholder(px_str text)
{
    size_t at = 1;

    if (text.len < 3 || text.ptr[0] != '{')
        return 0;
    if (text.ptr[1] == '$')
        return text.ptr[2] == '}' ? 3 : 0;
    while (at < text.len && is_name_byte(text.ptr[at]))
        at++;
    return at > 1 && at < text.len && text.ptr[at] == '}' ? at + 1 : 0;
}

/* Ends a token that began at `start`: its spelling and how many characters of its first line it
 * covers. */
static struct config_token token_end(const struct config_lexer *lexer, struct config_token token,
                                     const char *start)
{
    CHECK(start >= lexer->file->text.ptr && start < lexer->at); /* no token but the end is empty */
    token.spelling = px_str_make(start, (size_t)(lexer->at - start));
    token.place.length = 0;
    for (size_t at = 0; at < token.spelling.len && start[at] != '\n' && start[at] != '\r'; at++)
        if (((unsigned char)start[at] & 0xc0) != 0x80)
            token.place.length++;
    return token;
}

static void skip_line(struct config_lexer *lexer)
{
    while (!is_at_end(lexer) && line_end_bytes(lexer, 0) == 0)
        step(lexer);
}

/* Whether a line that is left out most likely began or ended a block: it ends with a brace, and its
 * braces are not pairs. */
static bool is_uneven(const char *at, const char *end)
{
    int64_t depth = 0;
    char last = ' ';

    for (; at < end; at++) {
        depth += *at == '{' ? 1 : *at == '}' ? -1 : 0;
        last = *at == ' ' || *at == '\t' ? last : *at;
    }
    return depth != 0 && (last == '{' || last == '}');
}

/* `token` began at its spelling. */
static struct config_token wrong(struct config_lexer *lexer, struct config_token token)
{
    skip_line(lexer);
    lexer->is_torn |= is_uneven(token.spelling.ptr, lexer->at);
    token.kind = TOKEN_WRONG;
    return token;
}

/* The byte behind the closing brace of a ${variable}, which may hold others; NULL: not closed on
 * its line. */
static const char *variable_end(const struct config_lexer *lexer)
{
    uint32_t depth = 0;

    for (const char *at = lexer->at; at < lexer->end && *at != '\n'; at++) {
        if (*at == '$' && at + 1 < lexer->end && at[1] == '{') {
            depth++;
            at++;
        } else if (*at == '}' && --depth == 0) {
            return at + 1;
        }
    }
    return NULL;
}

static bool ends_bare(const struct config_lexer *lexer)
{
    char byte = peek(lexer, 0);

    return byte == ' ' || byte == '\t' || byte == ';' || byte == '{' || byte == '}' ||
           line_end_bytes(lexer, 0) > 0;
}

static struct config_token bare(struct config_lexer *lexer, struct config_token token)
{
    const char *start = lexer->at;

    while (!is_at_end(lexer)) {
        px_str rest = px_str_make(lexer->at, (size_t)(lexer->end - lexer->at));
        size_t placeholder = lexer_placeholder(rest);

        if (placeholder > 0) {
            skip(lexer, placeholder);
        } else if (join_bytes(lexer) > 0) {
            skip(lexer, join_bytes(lexer));
        } else if (peek(lexer, 0) == '$' && peek(lexer, 1) == '{') {
            const char *end = variable_end(lexer);

            if (!end) {
                report_add(lexer->report, REPORT_SYNTAX, place_here(lexer, 2),
                           "\"${\" is not closed");
                return wrong(lexer, token);
            }
            skip(lexer, (size_t)(end - lexer->at));
        } else if (ends_bare(lexer)) {
            break;
        } else {
            step(lexer);
        }
    }
    return token_end(lexer, token, start);
}

static struct config_token quoted(struct config_lexer *lexer, struct config_token token)
{
    const char *start = lexer->at;

    CHECK(peek(lexer, 0) == '"');
    step(lexer);
    while (!is_at_end(lexer) && peek(lexer, 0) != '"' && line_end_bytes(lexer, 0) == 0) {
        if (peek(lexer, 0) == '\\')
            skip(lexer, join_bytes(lexer) > 0 ? join_bytes(lexer) : 2);
        else
            step(lexer);
    }
    if (is_at_end(lexer) || peek(lexer, 0) != '"') {
        token.place.length = 1;
        report_add(lexer->report, REPORT_SYNTAX, token.place,
                   "the quote is not closed on its line");
        return wrong(lexer, token);
    }
    step(lexer);
    return token_end(lexer, token, start);
}

static struct config_token raw(struct config_lexer *lexer, struct config_token token)
{
    const char *start = lexer->at;

    CHECK(peek(lexer, 0) == '`');
    step(lexer);
    while (!is_at_end(lexer) && peek(lexer, 0) != '`')
        step(lexer);
    if (is_at_end(lexer)) {
        token.place.length = 1;
        report_add(lexer->report, REPORT_SYNTAX, token.place, "the backtick is not closed");
        return wrong(lexer, token);
    }
    step(lexer);
    return token_end(lexer, token, start);
}

/* A value that follows another one without a blank would be two for one reader and one for
 * another. */
static struct config_token value(struct config_lexer *lexer, struct config_token token)
{
    bool is_closed;

    if (token.quote == QUOTE_NONE)
        return bare(lexer, token);
    token = token.quote == QUOTE_DOUBLE ? quoted(lexer, token) : raw(lexer, token);
    is_closed = is_at_end(lexer) || ends_bare(lexer) || join_bytes(lexer) > 0;
    if (token.kind == TOKEN_WRONG || is_closed)
        return token;
    report_add(lexer->report, REPORT_SYNTAX, place_here(lexer, 1),
               "a blank is missing behind the closing quote");
    return wrong(lexer, token);
}

static struct config_token punctuation(struct config_lexer *lexer, struct config_token token,
                                       enum config_token_kind kind, size_t bytes)
{
    const char *start = lexer->at;

    token.kind = kind;
    skip(lexer, bytes);
    return token_end(lexer, token, start);
}

struct config_token lexer_next(struct config_lexer *lexer)
{
    struct config_token token = {.kind = TOKEN_VALUE};

    lexer_check(lexer);
    skip_blanks(lexer);
    token.place = place_here(lexer, 0);
    token.spelling = px_str_make(lexer->at, 0);
    if (is_at_end(lexer)) {
        token.kind = TOKEN_EOF;
        return token;
    }
    if (line_end_bytes(lexer, 0) > 0) {
        token.is_line = true;
        return punctuation(lexer, token, TOKEN_END, line_end_bytes(lexer, 0));
    }
    switch (peek(lexer, 0)) {
    case ';':
        return punctuation(lexer, token, TOKEN_END, 1);
    case '}':
        return punctuation(lexer, token, TOKEN_CLOSE, 1);
    case '{':
        if (lexer_placeholder(px_str_make(lexer->at, (size_t)(lexer->end - lexer->at))) > 0)
            return value(lexer, token);
        return punctuation(lexer, token, TOKEN_OPEN, 1);
    case '#': {
        const char *start = lexer->at;

        token.kind = TOKEN_COMMENT;
        skip_line(lexer);
        return token_end(lexer, token, start);
    }
    case '"':
        token.quote = QUOTE_DOUBLE;
        return value(lexer, token);
    case '`':
        token.quote = QUOTE_RAW;
        return value(lexer, token);
    }
    return value(lexer, token);
}
