/*
 * The status as JSON.
 *
 * Happy path: put after put, and the first that finds no memory is remembered.
 */
#include "base/text.h"
#include "handlers/metrics/status.h"
#include "metrics/write.h"

struct json {
    struct buf *out;
    px_err err;
    const struct metric_row *row; /* borrowed: whose series are put */
};

static void put(struct json *json, px_str text)
{
    if (json->err == PX_OK)
        json->err = buf_append(json->out, text);
}

static void put_words(struct json *json, const char *words)
{
    put(json, px_str_of(words));
}

static void put_number(struct json *json, const char *name, uint64_t number)
{
    char digits[TEXT_NUMBER_BYTES];

    put_words(json, "\"");
    put_words(json, name);
    put_words(json, "\":");
    put(json, px_str_make(digits, (size_t)(text_write_number(digits, number) - digits)));
}

/* Labels are quoted as JSON has it already: they hold no control bytes. */
static void put_text(struct json *json, const char *name, px_str text)
{
    put_words(json, "\"");
    put_words(json, name);
    if (!text.ptr) {
        put_words(json, "\":null");
        return;
    }
    put_words(json, "\":\"");
    put(json, text);
    put_words(json, "\"");
}

static void put_latency(struct json *json, const struct status_route *route)
{
    static const struct {
        const char *name;
        unsigned percent;
    } shown[] = {{"p50_us", 50}, {"p90_us", 90}, {"p99_us", 99}};

    put_number(json, "requests", route->count);
    put_words(json, ",");
    put_number(json, "errors", route->errors);
    for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
        put_words(json, ",");
        put_number(json, shown[i].name, status_quantile_us(route->cells, shown[i].percent));
    }
}

static void put_routes(struct json *json, const struct status *status)
{
    put_words(json, ",\n\"total\":{");
    put_latency(json, &status->all);
    put_words(json, "},\n\"routes\":[");
    for (uint32_t i = 0; i < status->route_count; i++) {
        const struct status_route *route = &status->routes[i];

        put_words(json, i > 0 ? ",\n{" : "\n{");
        put_text(json, "host", route->host);
        put_words(json, ",");
        put_text(json, "route", route->route);
        put_words(json, ",");
        put_latency(json, route);
        put_words(json, "}");
    }
    put_words(json, "]");
}

static void put_workers(struct json *json, const struct status *status)
{
    put_words(json, ",\n\"workers\":[");
    for (uint32_t i = 0; i < status->worker_count; i++) {
        const struct status_worker *worker = &status->workers[i];
        int64_t age = status->now > worker->begun ? status->now - worker->begun : 0;
        const struct {
            const char *name;
            uint64_t value;
        } members[] = {
            {"age_s", (uint64_t)age},
            {"requests", worker->requests},
            {"connections", worker->connections},
            {"ticks", worker->ticks},
            {"longest_tick_us", worker->longest_us},
            {"resident_bytes", worker->resident_bytes},
        };

        put_words(json, i > 0 ? ",\n{" : "\n{");
        for (size_t at = 0; at < sizeof(members) / sizeof(members[0]); at++) {
            put_words(json, at > 0 ? "," : "");
            put_number(json, members[at].name, members[at].value);
        }
        put_words(json, "}");
    }
    put_words(json, "]");
}

static void put_servers(struct json *json, const struct status *status)
{
    put_words(json, ",\n\"servers\":[");
    for (uint32_t i = 0; i < status->server_count; i++) {
        const struct status_server *server = &status->servers[i];
        const struct {
            const char *name;
            uint64_t value;
        } members[] = {
            {"active", server->active},
            {"requests", server->requests},
            {"failures", server->failures},
            {"first_byte_p99_us",
             server->first_byte ? status_quantile_us(server->first_byte, 99) : 0},
        };

        put_words(json, i > 0 ? ",\n{" : "\n{");
        put_text(json, "upstream", server->upstream);
        put_words(json, ",");
        put_text(json, "server", server->name);
        put_words(json, server->state == 2 ? ",\"up\":true" : ",\"up\":false");
        for (size_t at = 0; at < sizeof(members) / sizeof(members[0]); at++) {
            put_words(json, ",");
            put_number(json, members[at].name, members[at].value);
        }
        put_words(json, "}");
    }
    put_words(json, "]");
}

static void put_rates(struct json *json, const struct status *status)
{
    put_words(json, ",\n\"rates\":[");
    for (uint32_t i = 0; i < status->rate_count; i++) {
        put_words(json, i > 0 ? ",\n{" : "\n{");
        put_number(json, "time", (uint64_t)status->rates[i].unix_time);
        put_words(json, ",");
        put_number(json, "requests_milli", status->rates[i].requests_milli);
        put_words(json, ",");
        put_number(json, "errors_milli", status->rates[i].errors_milli);
        put_words(json, "}");
    }
    put_words(json, "]");
}

/* A cell as /metrics has it: in the unit of its name, and of a state what it is. */
static void series_put(px_str labels, uint64_t value, void *context)
{
    struct json *json = context;
    const struct metric_row *row = json->row;
    struct text text;

    CHECK(row);
    if (value == 0 || json->err != PX_OK)
        return;
    put_words(json, json->out->ptr[json->out->len - 1] == '{' ? "\"" : ",\"");
    for (size_t i = 0; i < labels.len; i++)
        put(json, labels.ptr[i] == '"'    ? px_str_of("\\\"")
                  : labels.ptr[i] == '\\' ? px_str_of("\\\\")
                                          : px_str_make(labels.ptr + i, 1));
    char digits[2 * TEXT_NUMBER_BYTES];

    put_words(json, "\":");
    text_init(&text, digits, sizeof(digits));
    metrics_put_value(&text, value - (row->kind == PX_METRIC_STATE), row->divisor);
    put(json, text_str(&text));
}

/* Every row that is no histogram, by its name. */
static void put_metrics(struct json *json, const struct status *status)
{
    const px_metrics *metrics = status->sum.metrics;
    bool is_first = true;

    put_words(json, ",\n\"metrics\":{");
    for (uint32_t i = 0; i < metrics->row_count; i++) {
        const struct metric_row *row = &metrics->rows[i];

        if (row->bounds)
            continue;
        json->row = row;
        put_words(json, is_first ? "\n\"" : ",\n\"");
        is_first = false;
        put_words(json, row->name);
        put_words(json, "\":{");
        if (row->cell_count == 0)
            status_each_series(status, row, series_put, json);
        for (uint32_t set = 0; set < row->cell_count; set++)
            series_put(px_str_of(row->labels ? row->labels[set] : ""),
                       status->sum.block->cells[row->cells_at + set], json);
        put_words(json, "}");
    }
    put_words(json, "}");
}

px_err status_write_json(const struct status *status, struct buf *out)
{
    struct json json = {.out = out, .err = PX_OK};

    put_words(&json, "{");
    put_number(&json, "time", status->now > 0 ? (uint64_t)status->now : 0);
    put_routes(&json, status);
    put_servers(&json, status);
    put_workers(&json, status);
    put_rates(&json, status);
    put_metrics(&json, status);
    put_words(&json, "}\n");
    return json.err;
}
