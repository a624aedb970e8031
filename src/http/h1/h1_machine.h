/*
 * What the two halves of the head machine share: its states, the bytes at hand, a refusal.
 * h1_start.c reads the start line, h1_parse.c the field lines.
 */
#ifndef PX_HTTP_H1_MACHINE_H
#define PX_HTTP_H1_MACHINE_H

#include "http/h1/h1_field.h"
#include "http/h1/h1_parse.h"

enum h1_state {
    STATE_START,     /* before the first line: empty lines are skipped */
    STATE_START_LF,  /* behind the CR of one */
    STATE_METHOD,    /* request line */
    STATE_TARGET,    /* its first byte */
    STATE_SCHEME,    /* "http://" or "https://" */
    STATE_AUTHORITY, /* of an absolute target, up to "/", "?" or the blank */
    STATE_CONNECT,   /* authority-form */
    STATE_ASTERISK,  /* behind the "*" */
    STATE_PATH,
    STATE_QUERY,
    STATE_VERSION,
    STATE_STATUS,   /* status line: its version and code */
    STATE_REASON,   /* its reason phrase */
    STATE_LINE_LF,  /* behind the CR of the status line */
    STATE_FIELD,    /* first byte of a field line, or the CR of the empty one */
    STATE_NAME,     /* field name */
    STATE_BLANKS,   /* between the colon and the value */
    STATE_VALUE,    /* field value */
    STATE_VALUE_LF, /* behind its CR */
    STATE_END_LF,   /* behind the CR of the empty line */
    STATE_DONE,
    STATE_REFUSED
};

/* The bytes at hand; `end` does not pass the limit of the head. */
struct h1_cursor {
    const char *head;
    size_t at;
    size_t end;
};

/* What a reader says: go on with parser->state, wait for bytes, the head is done or refused. */
enum h1_step { STEP_ON, STEP_MORE, STEP_DONE, STEP_REFUSED };

static inline enum h1_step h1_refuse(struct h1_parser *parser, uint16_t status, const char *reason)
{
    (void)h1_field_refuse(parser, status, reason);
    parser->state = STATE_REFUSED;
    return STEP_REFUSED;
}

static inline bool h1_is_class(const struct h1_cursor *c, uint8_t class)
{
    return char_class[(uint8_t)c->head[c->at]] & class;
}

/* Reads the start line on, through its line end (STEP_ON: the state is STATE_FIELD). */
enum h1_step h1_start_read(struct h1_parser *parser, struct h1_cursor *c);

#endif
