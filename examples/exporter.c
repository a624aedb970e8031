/*
 * An exporter for Prometheus: the load of the machine, read when it is asked for, beside the
 * server's own metrics.
 *
 *     exporter [ADDR]       curl http://127.0.0.1:8080/metrics
 */
#include <stdio.h>
#include <stdlib.h>

#include "pollux/pollux.h"

enum { HUNDREDTHS = 100 };

static px_metrics *metrics;
static px_metric load;

static void scrape(px_exchange *exchange, void *context)
{
    double minutes[3];
    int count = getloadavg(minutes, 3);

    (void)context;
    for (int index = 0; index < count; index++)
        px_metric_set(metrics, load, (uint32_t)index, (uint64_t)(minutes[index] * HUNDREDTHS));
    px_metrics_handle(exchange, metrics);
}

static px_err define(px_error *error)
{
    static const char *const over[] = {"minutes=\"1\"", "minutes=\"5\"", "minutes=\"15\"", NULL};
    px_metric_options options = PX_METRIC_OPTIONS_DEFAULT;

    options.name = "machine_load", options.help = "Processes that run or wait, on average.";
    options.kind = PX_METRIC_GAUGE, options.divisor = HUNDREDTHS, options.label_sets = over;
    metrics = px_metrics_create(NULL, error);
    return metrics ? px_metric_define(metrics, &options, &load, error) : error->code;
}

int main(int argc, char **argv)
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;
    px_error error = PX_ERROR_INIT;
    px_server *server = NULL;

    if (define(&error) == PX_OK) {
        options.metrics = metrics;
        server = px_server_create(&options, &error);
    }
    if (!server || px_server_route(server, "GET /metrics", scrape, NULL, &error) != PX_OK ||
        px_server_listen(server, argc > 1 ? argv[1] : "127.0.0.1:8080", &error) != PX_OK ||
        px_server_run(server, &error) != PX_OK)
        fprintf(stderr, "exporter: %s\n", error.text);
    px_server_destroy(server);
    px_metrics_destroy(metrics);
    return error.code == PX_OK ? 0 : 1;
}
