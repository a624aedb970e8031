/*
 * A line of a log as it grows.  Peers' bytes go through put_escaped, targets through put_target.
 *
 * The room was made before, so nothing here can fail.
 */
#ifndef PX_SERVER_LOG_LINE_H
#define PX_SERVER_LOG_LINE_H

#include "base/text.h"
#include "pollux/str.h"

struct log_line {
    char *at;
};

static inline void put(struct log_line *line, px_str text)
{
    line->at = text_write_short(line->at, text.ptr, text.len);
}

static inline void put_text(struct log_line *line, const char *text)
{
    put(line, px_str_of(text));
}

static inline void put_number(struct log_line *line, uint64_t number)
{
    line->at = text_write_number(line->at, number);
}

static inline void put_escaped(struct log_line *line, px_str text, enum text_escape escape)
{
    line->at = text_write_escaped(line->at, text, escape);
}

/* A path and a query are encoded again, so that whatever reads the line can take them apart; other
 * forms are escaped as they came. */
void put_target(struct log_line *line, px_str target, enum text_escape escape);

#endif
