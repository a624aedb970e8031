/*
 * Heads and contents of a whole stream of requests: what comes of it must not depend on how the
 * bytes arrive or on the scan table.
 *
 * The first byte sets how the stream is cut, the rest is the stream.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "http/message/glimpse.h"
#include "unit/http/h1/h1_flow.h"

enum { TABLES_MAX = 8 };

/* What the log would show of it lies within. */
static void glimpse_run(const char *bytes, size_t len)
{
    struct http_glimpse glimpse;

    http_glimpse_read(px_str_make(bytes, len), &glimpse);
    const px_str slices[] = {glimpse.line, glimpse.method, glimpse.target, glimpse.host};

    for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++)
        CHECK(!slices[i].ptr || (slices[i].ptr >= bytes && slices[i].len <= GLIMPSE_BYTES_MAX &&
                                 slices[i].ptr + slices[i].len <= bytes + len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Small limits, so that they are met. */
static void flow_begin(struct h1_flow *flow, const struct scan_table *scan)
{
    h1_flow_begin(flow, scan);
    flow->limits = (struct http_limits){512, 64, 8};
    h1_parser_init(&flow->parser, H1_REQUEST, scan, &flow->limits, flow->fields);
}

/* Each arrival is a copy of its own, so that the sanitizer sees a byte read past it. */
static void flow_arrive(struct h1_flow *flow, const char *bytes, size_t len, size_t *taken)
{
    char *copy = malloc(len > *taken ? len - *taken : 1);

    CHECK(copy);
    memcpy(copy, bytes + *taken, len - *taken);
    *taken += h1_flow_feed(flow, px_str_make(copy, len - *taken));
    free(copy);
}

static void flow_run(struct h1_flow *flow, const struct scan_table *scan, const char *bytes,
                     size_t len, size_t step)
{
    size_t taken = 0;

    flow_begin(flow, scan);
    for (size_t arrived = 0; arrived < len;) {
        arrived = len - arrived > step ? arrived + step : len;
        flow_arrive(flow, bytes, arrived, &taken);
    }
    (void)h1_flow_end(flow);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct h1_flow first, other;
    const struct scan_table *tables[TABLES_MAX];
    size_t count = scan_tables(tables, TABLES_MAX);
    size_t step = len > 0 ? (size_t)data[0] % 64 + 1 : 1;
    const char *bytes = (const char *)data + 1;

    if (len < 1 || len > 8192)
        return 0;
    len--;
    glimpse_run(bytes, len);
    flow_run(&first, &scan_plain, bytes, len, len + 1);
    for (size_t i = 0; i < count; i++) {
        const size_t steps[] = {1, step, len + 1};

        for (size_t k = 0; k < sizeof(steps) / sizeof(steps[0]); k++) {
            flow_run(&other, tables[i], bytes, len, steps[k]);
            CHECK(strcmp(first.line.ptr, other.line.ptr) == 0);
            CHECK(first.started == other.started && first.reason == other.reason);
        }
    }
    return 0;
}
