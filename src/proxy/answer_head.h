/*
 * The fields of an answer on their way to the client.
 *
 * Happy path: answer_head_set passes on what answer_field_passes of each field, answer_inform those
 * of an informational one.  It can fail by a Connection field that names too much.
 */
#ifndef PX_PROXY_ANSWER_HEAD_H
#define PX_PROXY_ANSWER_HEAD_H

#include "pollux/exchange.h"
#include "proxy/request_head.h"

/* Whether a field goes on; what frames the message is written anew. */
bool answer_field_passes(const struct connection_names *names, px_str name);

/* Sets the fields of the answer: PX_OK, or PX_ERR_MALFORMED when they cannot be sent on, and then
 * none was set. */
PX_MUST_CHECK px_err answer_head_set(px_exchange *exchange, const px_field *fields, size_t count);

/* Passes an informational answer on, with the fields that may go; or not at all, where they name
 * too much. */
void answer_inform(px_exchange *exchange, unsigned status, const px_field *fields, size_t count);

#endif
