/*
 * Tokens of a configuration file.
 *
 *   value = bare | "quoted with \n \t \" \\ \xHH" | `raw, may span lines`
 *
 * A bare value ends at a blank, ';', '{' or '}'; a {placeholder} and a ${variable} inside of one
 * belong to it.  '#' begins a comment where a value could begin.  A backslash before the end of a
 * line joins it with the next.
 */
#ifndef PX_CONFIG_LEXER_H
#define PX_CONFIG_LEXER_H

#include "config/report.h"
#include "config/tree.h"

enum config_token_kind {
    TOKEN_VALUE,   /* bare or quoted: `quote` says how */
    TOKEN_OPEN,    /* { */
    TOKEN_CLOSE,   /* } */
    TOKEN_END,     /* the end of a line, or ';' */
    TOKEN_COMMENT, /* from # to before the end of the line */
    TOKEN_EOF,
    TOKEN_WRONG /* reported already */
};

struct config_token {
    enum config_token_kind kind;
    enum config_quote quote;
    struct config_place place;
    px_str spelling; /* as it stands: with quotes */
    bool is_line;    /* TOKEN_END: by the end of a line, not by ';' */
};

struct config_lexer {
    const struct config_file *file; /* borrowed */
    struct config_report *report;   /* borrowed */
    const char *at;
    const char *end;
    uint32_t line;
    uint32_t column;
    bool is_torn; /* a brace was lost with what is wrong */
};

void lexer_init(struct config_lexer *lexer, const struct config_file *file,
                struct config_report *report);

/* The next token.  After TOKEN_WRONG the lexer goes on at the next line. */
struct config_token lexer_next(struct config_lexer *lexer);

/* How many bytes a {placeholder} takes at the start of `text`; 0: there is none. */
size_t lexer_placeholder(px_str text);

/* Whether a text may be a configuration: UTF-8 without control bytes but tab and line ends.
 * Reports the first byte that is wrong. */
bool lexer_text_valid(const struct config_file *file, struct config_report *report);

#endif
