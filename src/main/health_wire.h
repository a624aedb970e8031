/*
 * What healthcheck says and understands: a URL, a request, a status line.
 */
#ifndef PX_MAIN_HEALTH_WIRE_H
#define PX_MAIN_HEALTH_WIRE_H

#include <stdbool.h>
#include <stddef.h>

#include "pollux/error.h"
#include "pollux/str.h"

enum {
    HEALTH_URL_BYTES_MAX = 2048,
    HEALTH_ANSWER_BYTES_MAX = 32 * 1024, /* informational answers before the one that counts */
};

struct health_target {
    bool is_secure;                  /* https */
    char host[HEALTH_URL_BYTES_MAX]; /* without its port and brackets: whom a certificate is for */
    char address[HEALTH_URL_BYTES_MAX]; /* for px_dial */
    char request[2 * HEALTH_URL_BYTES_MAX];
};

/* "http://host[:port][/path][?query]", the same with "https://", or "unix:/path" which is asked for
 * "/". */
bool health_target_parse(const char *url, struct health_target *out_target);

/* The status of the first final answer in `bytes` (RFC 9112 section 4; informational ones are
 * skipped, RFC 9110 section 15.2).  PX_OK, PX_AGAIN (more bytes are needed), PX_ERR_MALFORMED. */
px_err health_read_status(px_str bytes, unsigned *out_status);

#endif
