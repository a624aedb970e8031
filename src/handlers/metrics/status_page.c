/*
 * The status as a page of HTML: one file, whole without a script, nothing from elsewhere.
 *
 * Happy path: put after put, and the first that finds no memory is remembered.
 */
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "handlers/metrics/status.h"
#include "pollux/pollux.h"

struct html {
    struct buf *out;
    const struct status *status;
    px_err err;
};

static void put_str(struct html *html, px_str text)
{
    if (html->err == PX_OK)
        html->err = buf_append(html->out, text);
}

static void put(struct html *html, const char *words)
{
    put_str(html, px_str_of(words));
}

/* Text of a label: its quotes go, and what HTML would read is written for it. */
static void put_text(struct html *html, px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char byte = text.ptr[i];

        if (byte == '\\' && i + 1 < text.len)
            byte = text.ptr[++i];
        if (byte == '<')
            put(html, "&lt;");
        else if (byte == '&')
            put(html, "&amp;");
        else if (byte == '"')
            put(html, "&quot;");
        else
            put_str(html, px_str_make(&byte, 1));
    }
}

static void put_digits(struct html *html, uint64_t number)
{
    char digits[TEXT_NUMBER_BYTES];

    put_str(html, px_str_make(digits, (size_t)(text_write_number(digits, number) - digits)));
}

/* 1 234 567, with thin spaces that do not break. */
static void put_number(struct html *html, uint64_t number)
{
    char digits[TEXT_NUMBER_BYTES];
    size_t len = (size_t)(text_write_number(digits, number) - digits);

    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            put(html, "\xe2\x80\xaf");
        put_str(html, px_str_make(digits + i, 1));
    }
}

/* Of thousandths: one digit behind the point. */
static void put_milli(struct html *html, uint64_t milli)
{
    put_number(html, milli / 1000);
    put(html, ".");
    put_digits(html, milli / 100 % 10);
}

static void put_duration(struct html *html, uint64_t us)
{
    if (us < 1000) {
        put_digits(html, us);
        put(html, " \xc2\xb5s");
    } else if (us < 1000000) {
        put_milli(html, us);
        put(html, " ms");
    } else {
        put_milli(html, us / 1000);
        put(html, " s");
    }
}

static void put_bytes(struct html *html, uint64_t bytes)
{
    if (bytes < 1024 * 1024) {
        put_milli(html, bytes * 1000 / 1024);
        put(html, " KiB");
    } else {
        put_milli(html, bytes * 1000 / (1024 * 1024));
        put(html, " MiB");
    }
}

static void put_age(struct html *html, uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        const char *unit;
    } units[] = {{86400, " d"}, {3600, " h"}, {60, " min"}, {1, " s"}};
    size_t i = 0;

    while (i < 3 && seconds < 2 * units[i].seconds)
        i++;
    put_digits(html, seconds / units[i].seconds);
    put(html, units[i].unit);
}

/* --- Cards ------------------------------------------------------------------------------------ */

enum { SPARK_WIDTH = 240, SPARK_HEIGHT = 36 };

static uint64_t rate_milli(const struct status *status, uint32_t at, bool is_errors)
{
    return is_errors ? status->rates[at].errors_milli : status->rates[at].requests_milli;
}

static void put_spark(struct html *html, bool is_errors)
{
    const struct status *status = html->status;
    uint64_t most = 1;

    CHECK(status->rate_count <= BLOCK_SAMPLES);
    for (uint32_t i = 0; i < status->rate_count; i++)
        if (rate_milli(status, i, is_errors) > most)
            most = rate_milli(status, i, is_errors);
    put(html, "<svg viewBox=\"0 0 240 36\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
              "<polyline points=\"");
    for (uint32_t i = 0; i < status->rate_count; i++) {
        uint32_t behind = BLOCK_SAMPLES - status->rate_count; /* the last is at the right */

        put_digits(html, (uint64_t)(behind + i) * SPARK_WIDTH / (BLOCK_SAMPLES - 1));
        put(html, ",");
        put_digits(html,
                   SPARK_HEIGHT - 1 - rate_milli(status, i, is_errors) * (SPARK_HEIGHT - 3) / most);
        put(html, " ");
    }
    put(html, "\"/></svg>");
}

static void card_begin(struct html *html, const char *name, bool is_bad)
{
    put(html, is_bad ? "<div class=\"card bad\"><span>" : "<div class=\"card\"><span>");
    put(html, name);
    put(html, "</span><b>");
}

static void put_cards(struct html *html)
{
    const struct status *status = html->status;
    uint32_t count = status->rate_count;
    bool has_errors = count > 0 && status->rates[count - 1].errors_milli > 0;

    put(html, "<div class=\"cards\">");
    card_begin(html, "Requests a second", false);
    put_milli(html, count > 0 ? status->rates[count - 1].requests_milli : 0);
    put(html, "</b>");
    put_spark(html, false);
    put(html, "</div>");
    card_begin(html, "Errors a second", has_errors);
    put_milli(html, count > 0 ? status->rates[count - 1].errors_milli : 0);
    put(html, "</b>");
    put_spark(html, true);
    put(html, "</div>");
    card_begin(html, "Requests", false);
    put_number(html, status_value(status, "pollux_requests"));
    put(html, "</b></div>");
    card_begin(html, "Connections", false);
    put_number(html, status_value(status, "pollux_connections"));
    put(html, "</b></div>");
    card_begin(html, "p99", false);
    put_duration(html, status_quantile_us(status->all.cells, 99));
    put(html, "</b></div>");
    card_begin(html, "Memory", false);
    put_bytes(html, status_value(status, "process_resident_memory_bytes"));
    put(html, "</b></div></div>\n");
}

/* --- Tables ----------------------------------------------------------------------------------- */

static void table_begin(struct html *html, const char *title, const char *head)
{
    put(html, "<h2>");
    put(html, title);
    put(html, "</h2><div class=\"table\"><table><thead><tr>");
    put(html, head);
    put(html, "</tr></thead><tbody>\n");
}

static void table_end(struct html *html)
{
    put(html, "</tbody></table></div>\n");
}

static void put_routes(struct html *html)
{
    const struct status *status = html->status;

    table_begin(html, "Routes",
                "<th>Route</th><th class=\"t wide\">Host</th><th>Requests</th><th>Errors</th>"
                "<th class=\"wide\">p50</th><th class=\"wide\">p90</th><th>p99</th>");
    for (uint32_t i = 0; i < status->route_count; i++) {
        const struct status_route *route = &status->routes[i];

        put(html, "<tr><td>");
        if (route->route.len > 0)
            put_text(html, route->route);
        else
            put(html, "<span class=\"no\">no route</span>");
        put(html, "</td><td class=\"t wide\">");
        put_text(html, route->host);
        put(html, "</td><td>");
        put_number(html, route->count);
        put(html, route->errors > 0 ? "</td><td class=\"bad\">" : "</td><td>");
        put_number(html, route->errors);
        put(html, "</td><td class=\"wide\">");
        put_duration(html, status_quantile_us(route->cells, 50));
        put(html, "</td><td class=\"wide\">");
        put_duration(html, status_quantile_us(route->cells, 90));
        put(html, "</td><td>");
        put_duration(html, status_quantile_us(route->cells, 99));
        put(html, "</td></tr>\n");
    }
    table_end(html);
}

static void put_workers(struct html *html)
{
    const struct status *status = html->status;

    table_begin(html, "Workers",
                "<th>Age</th><th>Requests</th><th>Connections</th><th class=\"wide\">Ticks</th>"
                "<th>Longest tick</th><th>Memory</th>");
    for (uint32_t i = 0; i < status->worker_count; i++) {
        const struct status_worker *worker = &status->workers[i];

        put(html, "<tr><td>");
        put_age(html, status->now > worker->begun ? (uint64_t)(status->now - worker->begun) : 0);
        put(html, "</td><td>");
        put_number(html, worker->requests);
        put(html, "</td><td>");
        put_number(html, worker->connections);
        put(html, "</td><td class=\"wide\">");
        put_number(html, worker->ticks);
        put(html, "</td><td>");
        put_duration(html, worker->longest_us);
        put(html, "</td><td>");
        put_bytes(html, worker->resident_bytes);
        put(html, "</td></tr>\n");
    }
    table_end(html);
}

static void put_servers(struct html *html)
{
    const struct status *status = html->status;

    if (status->server_count == 0)
        return;
    table_begin(html, "Servers behind",
                "<th>Server</th><th class=\"t wide\">Upstream</th><th>State</th><th>Active</th>"
                "<th class=\"wide\">Requests</th><th>Failures</th><th>p99</th>");
    for (uint32_t i = 0; i < status->server_count; i++) {
        const struct status_server *server = &status->servers[i];
        bool is_up = server->state == 2;

        put(html, "<tr><td>");
        put_text(html, server->name);
        put(html, "</td><td class=\"t wide\">");
        put_text(html, server->upstream);
        put(html, is_up ? "</td><td>up" : "</td><td class=\"bad\">down");
        put(html, "</td><td>");
        put_number(html, server->active);
        put(html, "</td><td class=\"wide\">");
        put_number(html, server->requests);
        put(html, server->failures > 0 ? "</td><td class=\"bad\">" : "</td><td>");
        put_number(html, server->failures);
        put(html, "</td><td>");
        put_duration(html, server->first_byte ? status_quantile_us(server->first_byte, 99) : 0);
        put(html, "</td></tr>\n");
    }
    table_end(html);
}

/* The sets of a metric with a closed list, each a line: the value of its one label. */
static void put_sets(struct html *html, const char *name)
{
    const struct metric_row *row = status_row(html->status, name);

    for (uint32_t i = 0; row && row->labels && i < row->cell_count; i++) {
        const char *quote = strchr(row->labels[i], '"');
        px_str value = px_str_make(quote ? quote + 1 : "", quote ? strcspn(quote + 1, "\"") : 0);

        put(html, "<tr><td>");
        put_text(html, value);
        put(html, "</td><td>");
        put_number(html, html->status->sum.block->cells[row->cells_at + i]);
        put(html, "</td></tr>\n");
    }
}

static void certificate_put(px_str labels, uint64_t value, void *context)
{
    struct html *html = context;
    int64_t left_s = (int64_t)value - html->status->now;

    if (value == 0)
        return;
    put(html, "<tr><td>");
    put_text(html, status_label(labels, "name"));
    put(html, left_s < (int64_t)7 * 86400 ? "</td><td class=\"bad\">" : "</td><td>");
    put_number(html, left_s > 0 ? (uint64_t)left_s / 86400 : 0);
    put(html, "</td></tr>\n");
}

static void put_certificates(struct html *html)
{
    const struct metric_row *row =
        status_row(html->status, "pollux_tls_certificate_expiry_timestamp_seconds");

    if (!row || status_value(html->status, "pollux_tls_handshakes") == 0)
        return;
    table_begin(html, "Certificates", "<th>File</th><th>Days left</th>");
    status_each_series(html->status, row, certificate_put, html);
    table_end(html);
}

static void put_reload(struct html *html)
{
    const struct status *status = html->status;
    uint64_t when = status_value(status, "pollux_reload_timestamp_seconds");

    if (!status_row(status, "pollux_reload_success"))
        return;
    put(html, "<footer>Generation ");
    put_number(html, status_value(status, "pollux_generation"));
    if (when > 0) {
        put(html, ", reloaded ");
        put_age(html, status->now > (int64_t)when ? (uint64_t)status->now - when : 0);
        put(html, " ago");
    }
    if (status_value(status, "pollux_reload_success") == 0)
        put(html, ", <b class=\"bad\">the last reload failed</b>: its error is in the log");
    put(html, ". <a href=\"/metrics\">metrics</a> <a href=\"/status.json\">json</a></footer>\n");
}

px_err status_write_page(const struct status *status, struct buf *out)
{
    struct html html = {out, status, PX_OK};

    put(&html, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
               "<title>pollux</title><style>\n");
    put(&html, status_style);
    put(&html, "</style></head><body><header><h1><b>pollux</b> status</h1><span>" PX_VERSION_STRING
               "</span></header><main>\n");
    put_cards(&html);
    put_routes(&html);
    put_servers(&html);
    put_workers(&html);
    table_begin(&html, "Connections", "<th>State</th><th>Now</th>");
    put_sets(&html, "pollux_connections");
    table_end(&html);
    table_begin(&html, "Refused", "<th>Reason</th><th>Count</th>");
    put_sets(&html, "pollux_refused");
    table_end(&html);
    put_certificates(&html);
    put_reload(&html);
    put(&html, "</main><script>\n");
    put(&html, status_script);
    put(&html, "</script></body></html>\n");
    return html.err;
}
