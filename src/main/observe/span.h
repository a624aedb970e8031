/*
 * A span of OTLP/JSON: what became of one request, in the words of OpenTelemetry for HTTP servers.
 */
#ifndef PX_MAIN_SPAN_H
#define PX_MAIN_SPAN_H

#include "base/buf.h"
#include "pollux/server.h"

/* Appends what stands before all spans of one message: the resource and the scope.  PX_OK,
 * PX_ERR_LIMIT or PX_ERR_MEMORY, as are those below; then nothing was appended. */
PX_MUST_CHECK px_err span_put_begin(struct buf *out);

/* Appends a span of an exchange that is over, ended at `end_ns` (unix time, nanoseconds). */
PX_MUST_CHECK px_err span_put(struct buf *out, px_exchange *exchange, const px_summary *summary,
                              uint64_t end_ns, bool is_first);

/* Appends what stands behind them, for which span_put leaves room. */
PX_MUST_CHECK px_err span_put_end(struct buf *out);

#endif
