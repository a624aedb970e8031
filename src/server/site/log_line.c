/*
 * Targets in a line of a log.
 */
#include "server/site/log_line.h"

#include "http/message/uri.h"

void put_target(struct log_line *line, px_str target, enum text_escape escape)
{
    if (target.len > 0 && target.ptr[0] == '/')
        line->at = uri_target_write(line->at, target, URI_QUERY);
    else
        put_escaped(line, target, escape);
}
