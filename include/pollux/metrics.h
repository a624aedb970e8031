/*
 * Metrics: what is counted, by one process or by several together, and how it is shown.
 *
 * A px_metrics is a table of metrics and a block of memory that is counted in.  The table begins
 * with the metrics of the library, which servers fill (px_server_options.metrics); your own are
 * defined beside them.  Counting is a few stores: no lock, no allocation, no system call.
 *
 *     px_metrics *metrics = px_metrics_create(NULL, &error);
 *     px_metric_options jobs = PX_METRIC_OPTIONS_DEFAULT;
 *     px_metric done;
 *
 *     jobs.name = "jobs_done";
 *     jobs.help = "Jobs that are done.";
 *     if (px_metric_define(metrics, &jobs, &done, &error) == PX_OK)
 *         px_metric_add(metrics, done, 0, 1);
 *
 * Several processes: the first makes the object and one block of shared memory for each of the
 * others, names them all (px_metrics_see), and forks; each of the others then counts in its own
 * (px_metrics_use).  A block is taken up where the process that had it before has left it, so what
 * is shown never goes backwards.  A process writes in its own block alone, and believes nothing
 * that it finds in another.
 *
 * One thread counts; any process that sees the blocks may show them at the same time.
 */
#ifndef PX_METRICS_H
#define PX_METRICS_H

#include "pollux/alloc.h"
#include "pollux/error.h"
#include "pollux/exchange.h"
#include "pollux/options.h"
#include "pollux/str.h"

#ifdef __cplusplus
extern "C" {
#endif

struct px_counters;

typedef struct px_metrics px_metrics; /**< A table of metrics, and where they are counted. */
typedef uint32_t px_metric;           /**< A metric that was defined; of one px_metrics. */

/** What a metric is, and so how those of several processes become one. */
typedef enum px_metric_kind {
    PX_METRIC_COUNTER,   /**< Only grows; the sum. */
    PX_METRIC_GAUGE,     /**< Comes and goes, and with the process; the sum. */
    PX_METRIC_MAX,       /**< A gauge of which the largest counts. */
    PX_METRIC_HISTOGRAM, /**< How many values there were up to each bound; the sum. */
    /** A gauge that all processes have alike, as whether a server is up: the largest counts, and a
     *  set of labels is not shown that no process has set. */
    PX_METRIC_STATE,
} px_metric_kind;

/** Options of px_metrics_create.  Zero is the default everywhere. */
typedef struct px_metrics_options {
    size_t struct_size;            /**< sizeof(px_metrics_options). */
    const px_allocator *allocator; /**< Copied; NULL: malloc. */
} px_metrics_options;

/** The defaults, as a value.  Any thread. */
static inline px_metrics_options px_metrics_options_default(void)
{
    px_metrics_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_metrics_options, as a value. */
#define PX_METRICS_OPTIONS_DEFAULT px_metrics_options_default()
/** The same as an initialiser of a static. */
#define PX_METRICS_OPTIONS_INIT PX_INIT_OF(px_metrics_options)

/** Makes one that holds the metrics of the library and counts in memory of its own.
 *  @param options borrowed for the call; NULL: the defaults.
 *  @return owned by the caller (px_metrics_destroy), or NULL: PX_ERR_MEMORY, PX_ERR_INVALID. */
px_metrics *px_metrics_create(const px_metrics_options *options, px_error *out_error);

/** Ends it; blocks that it was given stay.  After every server that counts there, and every site
 *  that they have served.  NULL is fine. */
void px_metrics_destroy(px_metrics *metrics);

/** A metric of your own. */
typedef struct px_metric_options {
    size_t struct_size; /**< sizeof(px_metric_options). */
    /** As Prometheus wants it ([a-zA-Z_][a-zA-Z0-9_]*, at most 63 bytes), with its unit and without
     *  `_total`, which counters get where they are shown.  Borrowed: outlives the px_metrics. */
    const char *name;
    const char *help; /**< One line; borrowed as `name`. */
    const char *unit; /**< "seconds", "bytes"; NULL: none; borrowed as `name`. */
    uint32_t kind;    /**< A px_metric_kind. */
    uint32_t divisor; /**< Values divided by it are in the unit; 0: 1. */
    /** Sets of labels, each as it is shown (`queue="mail"`), ends in NULL: all exist from the
     * start. Borrowed as `name`.  NULL: one without labels, or label_names. */
    const char *const *label_sets;
    /** Names of labels whose values come as they come (px_metric_labels), ends in NULL.  Borrowed
     *  as `name`. */
    const char *const *label_names;
    const uint64_t *bounds; /**< Of a histogram, ascending; borrowed as `name`. */
    uint32_t bound_count;   /**< At most 32. */
    uint32_t hides_zero;    /**< 1: what has come by label_names is not shown while it is 0. */
} px_metric_options;

/** The defaults, as a value.  Any thread. */
static inline px_metric_options px_metric_options_default(void)
{
    px_metric_options options;

    memset(&options, 0, sizeof(options));
    options.struct_size = sizeof(options);
    return options;
}

/** The defaults of a px_metric_options, as a value. */
#define PX_METRIC_OPTIONS_DEFAULT px_metric_options_default()
/** The same as an initialiser of a static. */
#define PX_METRIC_OPTIONS_INIT PX_INIT_OF(px_metric_options)

/** Adds a metric to the table.  Several processes define the same ones in the same order: before
 *  the fork, say.
 *  @param options borrowed for the call; what it points at is not.
 *  @return PX_OK, PX_ERR_INVALID (a name that is taken or not valid), PX_ERR_LIMIT (the table or
 * the block is full). */
PX_MUST_CHECK px_err px_metric_define(px_metrics *metrics, const px_metric_options *options,
                                      px_metric *out_metric, px_error *out_error);

/** Adds to a counter or gauge.  @param set of its labels: an index of label_sets, or what
 *  px_metric_labels has said; 0 where there are none. */
void px_metric_add(px_metrics *metrics, px_metric metric, uint32_t set, uint64_t value);

/** Sets a gauge.  @param set as px_metric_add. */
void px_metric_set(px_metrics *metrics, px_metric metric, uint32_t set, uint64_t value);

/** Of a PX_METRIC_STATE: this process does not know it any more.  @param set as px_metric_add. */
void px_metric_forget(px_metrics *metrics, px_metric metric, uint32_t set);

/** Sets all that has come by label_names of a gauge to 0: what of it is there is set again. */
void px_metric_clear(px_metrics *metrics, px_metric metric);

/** Puts a value into a histogram.  @param set as px_metric_add. */
void px_metric_observe(px_metrics *metrics, px_metric metric, uint32_t set, uint64_t value);

/** The set of these values, of a metric with label_names; it is made when it is new.  There is room
 *  for some thousand sets of all metrics together: without it, it is the one whose values are all
 *  `_other`.  Keep the number where the values last: to look it up is slow.
 *  @param values one for each name, copied; control bytes and bytes that are no UTF-8 become '?'.
 */
uint32_t px_metric_labels(px_metrics *metrics, px_metric metric, const px_str *values);

/* --- Several processes ------------------------------------------------------------------------ */

/** Bytes of a block. */
size_t px_metrics_block_bytes(void);

/** Counts in this block from now on: memory that is zeroed, or that another process with the same
 *  table has counted in and left.  What is not such a block is begun anew.
 *  @param block borrowed: outlives the px_metrics; aligned as malloc does.
 *  @return PX_OK, or PX_ERR_MEMORY, and it counts where it did. */
PX_MUST_CHECK px_err px_metrics_use(px_metrics *metrics, void *block, px_error *out_error);

/** Shows what is counted in this block too.
 *  @param block borrowed: outlives the px_metrics; only read; may be one that is used.
 *  @return PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_metrics_see(px_metrics *metrics, const void *block, px_error *out_error);

/** Shows what another program, that this one takes over from, has counted in this block: all but
 *  gauges, which are its own.
 *  @param block as px_metrics_see.
 *  @return PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_metrics_see_past(px_metrics *metrics, const void *block,
                                         px_error *out_error);

/** The process that counted in this block has ended: its gauges are zero, the rest stays. */
void px_metrics_vacate(void *block);

/** Writes the sum of the counters and histograms that were seen by px_metrics_see_past into another
 *  block, so that a third program need see only that one: each number there only grows.
 *  @return PX_OK or PX_ERR_MEMORY. */
PX_MUST_CHECK px_err px_metrics_hand_over(const px_metrics *metrics, void *block,
                                          px_error *out_error);

/** Notes the sum as it is now, for the sparklines of the status page: every
 *  PX_METRICS_SAMPLE_S seconds, by one of the processes, in its own block.
 *  @param unix_time seconds. */
void px_metrics_sample(px_metrics *metrics, int64_t unix_time);

enum { PX_METRICS_SAMPLE_S = 5 }; /**< Seconds between two samples. */

/** Whether this process can do what it serves: an upstream that one of its proxies uses has a
 * server that is up, as px_upstream_options.metrics has it.
 *  @return 1, or 0: one has none. */
int px_metrics_is_ready(const px_metrics *metrics);

/* --- Showing ---------------------------------------------------------------------------------- */

/** Forms that metrics are written in. */
typedef enum px_metrics_format {
    PX_METRICS_PROMETHEUS, /**< Text format 0.0.4. */
    PX_METRICS_OPENMETRICS /**< OpenMetrics 1.0. */
} px_metrics_format;

/** Writes all metrics, the sum over every block.
 *  @param put takes whole lines; `text` is borrowed.
 *  @return PX_OK, or PX_ERR_MEMORY: nothing was written. */
PX_MUST_CHECK px_err px_metrics_write(const px_metrics *metrics, px_metrics_format format,
                                      void (*put)(px_str text, void *context), void *context);

/** The sum over every block, as px_server_counters has it for one server.
 *  @param out_counters its struct_size says how much is written.
 *  @return PX_OK: it takes no memory. */
PX_MUST_CHECK px_err px_metrics_counters(const px_metrics *metrics,
                                         struct px_counters *out_counters);

/** A handler (px_host_route, px_server_route) that answers with all metrics, in the format that
 *  Accept asks for; the sum is made by a helper thread.  The content is never stored by caches.
 *  @param metrics a px_metrics, as the route's context: outlives the server. */
void px_metrics_handle(px_exchange *exchange, void *metrics);

/** A handler that answers with a page for the eye: HTML, one file that needs nothing from elsewhere
 *  and no script; or JSON where Accept likes it better than HTML.
 *  @param metrics as px_metrics_handle. */
void px_status_handle(px_exchange *exchange, void *metrics);

/** The same, always as JSON. */
void px_status_json_handle(px_exchange *exchange, void *metrics);

#ifdef __cplusplus
}
#endif

#endif
