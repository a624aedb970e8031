/*
 * From tokens to statements.
 *
 *   file      = { statement } ;
 *   statement = name { value } ( end | "{" { statement } "}" ) ;
 *   end       = newline | ";" | before "}" ;
 */
#include <string.h>

#include "base/check.h"
#include "config/lexer.h"
#include "config/load.h"

enum { VALUE_COUNT_FIRST = 4, VALUE_COUNT_MAX = 4096 };

struct parser {
    struct config_load *load;
    struct config_lexer lexer;
    struct config_token token;  /* the one at hand */
    bool gave_up;               /* what braces are missing cannot be told any more */
    struct config_place closed; /* the last brace that closed a block */
    struct config_place astray; /* a brace whose other one stands further out than its line */
};

static void next(struct parser *parser)
{
    parser->token = lexer_next(&parser->lexer);
    if (parser->token.kind != TOKEN_WRONG)
        return;
    /* A value that is not closed at all has all of the file in it. */
    if (parser->lexer.is_torn || parser->lexer.at == parser->lexer.end)
        parser->gave_up = parser->load->is_torn = true;
}

static void skip_statement(struct parser *parser)
{
    while (parser->token.kind == TOKEN_VALUE || parser->token.kind == TOKEN_COMMENT)
        next(parser);
}

static void note(struct parser *parser, struct config_place place, const char *what)
{
    report_add(&parser->load->report, REPORT_SYNTAX, place, "%s", what);
}

/* A brace is missing, or is one too many; not where that was said already. */
static void note_brace(struct parser *parser, struct config_place place, const char *what)
{
    if (!parser->gave_up)
        note(parser, place, what);
    parser->load->is_torn = true;
}

/* The value at hand, read; false when it is wrong or there is no memory: noted. */
static bool take_value(struct parser *parser, struct config_value *out_value)
{
    struct config_value value = {.spelling = parser->token.spelling,
                                 .place = parser->token.place,
                                 .quote = parser->token.quote};
    CHECK(parser->token.kind == TOKEN_VALUE);
    bool is_good = config_value_read(parser->load, &value);

    next(parser);
    if (!is_good)
        value.text = px_str_make("", 0);
    *out_value = value;
    return is_good;
}

/* Room for one more value, which doubles. */
static bool grow(struct parser *parser, struct config_statement *statement, uint32_t *room)
{
    uint32_t wanted = *room == 0 ? VALUE_COUNT_FIRST : *room * 2;

    CHECK(statement->value_count <= *room && *room <= VALUE_COUNT_MAX);
    if (statement->value_count < *room)
        return true;
    if (wanted > VALUE_COUNT_MAX) {
        note(parser, statement->name.place, "more than 4,096 values");
        return false;
    }
    struct config_value *values = load_take(parser->load, wanted * sizeof(values[0]));

    if (!values)
        return false;
    if (statement->value_count > 0)
        memcpy(values, statement->values, statement->value_count * sizeof(values[0]));
    statement->values = values;
    *room = wanted;
    return true;
}

static void parse_block(struct parser *parser, struct config_statement ***tail, uint32_t depth,
                        const struct config_place *open);

/* The block of a statement: the token at hand is its brace. */
static void parse_children(struct parser *parser, struct config_statement *statement,
                           uint32_t depth)
{
    struct config_statement **tail = &statement->children;

    CHECK(parser->token.kind == TOKEN_OPEN && !statement->children);
    statement->has_block = true;
    statement->open = parser->token.place;
    next(parser);
    if (depth == CONFIG_DEPTH_MAX)
        note(parser, statement->open, "blocks stand at most 16 deep");
    parse_block(parser, &tail, depth + 1, &statement->open);
    /* As its indentation has it, that one closes a block around this. */
    if (parser->astray.line == 0 && parser->closed.line > statement->open.line &&
        parser->closed.column < statement->name.place.column)
        parser->astray = statement->open;
}

/* More than there may be is not read. */
static bool count_statement(struct parser *parser)
{
    if (++parser->load->statement_count <= CONFIG_STATEMENT_COUNT_MAX)
        return true;
    note(parser, parser->token.place, "more than 4 million statements");
    parser->lexer.at = parser->lexer.end;
    parser->gave_up = parser->load->is_torn = true;
    return false;
}

static void parse_statement(struct parser *parser, struct config_statement ***tail, uint32_t depth)
{
    struct config_statement *statement = load_take(parser->load, sizeof(*statement));
    uint32_t room = 0;

    if (!statement || !count_statement(parser)) {
        skip_statement(parser);
        return;
    }
    if (parser->token.quote != QUOTE_NONE)
        note(parser, parser->token.place, "a directive's name stands without quotes");
    statement->is_wrong = parser->token.quote != QUOTE_NONE;
    statement->is_wrong |= !take_value(parser, &statement->name);
    statement_append(tail, statement);
    while (parser->token.kind == TOKEN_VALUE && grow(parser, statement, &room)) {
        statement->is_wrong |= !take_value(parser, &statement->values[statement->value_count]);
        statement->value_count++;
    }
    statement->is_wrong |= parser->token.kind == TOKEN_VALUE || parser->token.kind == TOKEN_WRONG;
    skip_statement(parser);
    if (parser->token.kind == TOKEN_OPEN)
        parse_children(parser, statement, depth);
    else if (parser->token.kind == TOKEN_END || parser->token.kind == TOKEN_WRONG)
        next(parser);
}

/* A brace without a directive in front of it: what is inside is read, so that the rest is. */
static void parse_nameless(struct parser *parser, uint32_t depth)
{
    struct config_statement *unused = NULL, **tail = &unused;
    struct config_place open = parser->token.place;

    note(parser, open, "\"{\" stands behind a directive, on the same line");
    parser->load->is_torn = true;
    next(parser);
    parse_block(parser, &tail, depth + 1, &open);
}

/* Reads statements up to the brace that closes `open`, or to the end of the file. */
static void parse_block(struct parser *parser, struct config_statement ***tail, uint32_t depth,
                        const struct config_place *open)
{
    CHECK(depth <= CONFIG_DEPTH_MAX + 2 && !**tail);
    /* Deeper than that is not looked at: it was noted. */
    if (depth > CONFIG_DEPTH_MAX + 1) {
        parser->lexer.at = parser->lexer.end;
        parser->gave_up = parser->load->is_torn = true;
        next(parser);
        return;
    }
    while (!parser->load->report.out_of_memory) {
        switch (parser->token.kind) {
        case TOKEN_VALUE:
            parse_statement(parser, tail, depth);
            break;
        case TOKEN_OPEN:
            parse_nameless(parser, depth);
            break;
        case TOKEN_CLOSE:
            if (!open)
                note_brace(parser, parser->token.place, "\"}\" closes nothing");
            parser->closed = parser->token.place;
            next(parser);
            if (open)
                return;
            break;
        case TOKEN_WRONG:
            parser->load->is_partial = true; /* which directive it was is not known */
            next(parser);
            break;
        case TOKEN_END:
        case TOKEN_COMMENT:
            next(parser);
            break;
        case TOKEN_EOF:
            if (open && parser->astray.line > 0)
                note_brace(parser, parser->astray, "\"{\" is not closed where its line begins");
            else if (open)
                note_brace(parser, *open, "\"{\" is not closed");
            parser->gave_up = parser->gave_up || parser->astray.line > 0;
            return;
        }
    }
}

void config_parse(struct config_load *load, const struct config_file *file,
                  struct config_statement ***tail)
{
    struct parser parser = {.load = load};

    lexer_init(&parser.lexer, file, &load->report);
    next(&parser);
    parse_block(&parser, tail, 0, NULL);
}
