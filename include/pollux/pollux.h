/*
 * pollux: an event-driven HTTP server for Linux, as a library.  This header includes all others.
 */
#ifndef PX_POLLUX_H
#define PX_POLLUX_H

#include "pollux/access.h"
#include "pollux/alloc.h"
#include "pollux/basic_auth.h"
#include "pollux/client.h"
#include "pollux/compress.h"
#include "pollux/connection_limit.h"
#include "pollux/error.h"
#include "pollux/events.h"
#include "pollux/exchange.h"
#include "pollux/fatal.h"
#include "pollux/field.h"
#include "pollux/files.h"
#include "pollux/filter.h"
#include "pollux/forward_auth.h"
#include "pollux/headers.h"
#include "pollux/hub.h"
#include "pollux/loop.h"
#include "pollux/matcher.h"
#include "pollux/metrics.h"
#include "pollux/options.h"
#include "pollux/proxy.h"
#include "pollux/rate_limit.h"
#include "pollux/request.h"
#include "pollux/reshape.h"
#include "pollux/response.h"
#include "pollux/server.h"
#include "pollux/site.h"
#include "pollux/str.h"
#include "pollux/stream.h"
#include "pollux/syscalls.h"
#include "pollux/template.h"
#include "pollux/text.h"
#include "pollux/tls.h"
#include "pollux/topic.h"
#include "pollux/version.h"
#include "pollux/websocket.h"

#endif
