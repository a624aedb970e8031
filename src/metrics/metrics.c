/*
 * The table of metrics as an object, and counting.
 *
 * Happy path: px_metrics_create, px_metric_define, px_metrics_use in each process, and then stores.
 * It can fail by memory and by a table that is full, while it is set up; counting cannot fail.
 */
#include "metrics/metrics.h"

#include <stddef.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/options.h"
#include "base/text.h"

static const char other[] = "_other";

/* --- Labels ----------------------------------------------------------------------------------- */

/* A value as both formats quote it; what neither can show is '?'. */
static void put_value(struct text *text, px_str value)
{
    while (value.len > 0) {
        uint32_t code;
        size_t len = text_utf8_len(value, &code);

        if (len == 0 || code < 0x20 || code == 0x7f) {
            text_put_byte(text, '?');
            len = 1;
        } else {
            if (code == '"' || code == '\\')
                text_put_byte(text, '\\');
            text_put(text, px_str_make(value.ptr, len));
        }
        value = px_str_make(value.ptr + len, value.len - len);
    }
}

static void put_pair(struct text *text, const char *name, px_str value)
{
    text_put_words(text, name);
    text_put_words(text, "=\"");
    put_value(text, value);
    text_put_byte(text, '"');
}

static void put_label(struct text *text, const char *name, px_str value)
{
    if (text->len > 0)
        text_put_byte(text, ',');
    put_pair(text, name, value);
}

/* The series whose values are all `_other` is the first of its row: false when it does not fit. */
static bool other_put(px_metrics *metrics, uint32_t row)
{
    char room[BLOCK_LABELS_BYTES_MAX];
    struct text text;

    text_init(&text, room, sizeof(room));
    for (const char *const *name = metrics->rows[row].label_names; *name; name++)
        if (row != METRIC_REQUEST_ROW || strcmp(*name, "error_type") != 0)
            put_label(&text, *name, px_str_of(other));
    return !text.cut && block_series(metrics->block, metrics->index, row, text_str(&text));
}

static uint64_t *series_other(px_metrics *metrics, uint32_t row)
{
    const struct metrics_block *block = metrics->block;
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++)
        if (block->series[i].row == row)
            return metrics->block->series_cells + block->series[i].cells_at;
    CHECK_RULE(false, "a metric with label_names has no series");
    return NULL;
}

/* Room is kept for series without what there may be many of. */
static bool is_crowded(const struct metrics_block *block)
{
    return atomic_load_explicit(&block->series_count, memory_order_relaxed) >=
               BLOCK_SERIES_MAX - BLOCK_SERIES_RESERVED ||
           block->text_bytes >
               BLOCK_TEXT_BYTES_MAX - BLOCK_SERIES_RESERVED * BLOCK_LABELS_BYTES_MAX / 2;
}

/* The series, which is made only where room is not kept for others; NULL: there is none. */
static uint64_t *series_take(px_metrics *metrics, uint32_t row, const struct text *labels)
{
    if (labels->cut)
        return NULL;
    return is_crowded(metrics->block)
               ? block_find(metrics->block, metrics->index, row, text_str(labels))
               : block_series(metrics->block, metrics->index, row, text_str(labels));
}

/* Which labels a request is counted by, the narrowest first. */
enum request_labels {
    LABELS_ALL,
    LABELS_ROUTE, /* its route has had its share: of what peers choose, the class of its status */
    LABELS_OTHER, /* there is no room: without what is many, the room that was kept */
    LABELS_COUNT
};

static void put_request(struct text *text, const struct metrics_request *request,
                        enum request_labels labels)
{
    char digits[TEXT_NUMBER_BYTES];
    size_t len = (size_t)(text_write_number(digits, request->status) - digits);
    const char class[] = {(char)('0' + request->status / 100), 'x', 'x'};
    const char *const *names = metrics_library[METRIC_REQUEST_ROW].label_names;
    bool is_route = labels == LABELS_ROUTE;
    px_str some = px_str_of(other);

    put_label(text, names[0], is_route ? some : request->method);
    put_label(text, names[1],
              is_route ? px_str_make(class, sizeof(class)) : px_str_make(digits, len));
    put_label(text, names[2], labels == LABELS_OTHER ? some : request->route);
    put_label(text, names[3], labels == LABELS_OTHER ? some : request->host);
    put_label(text, names[4], is_route ? some : px_str_of(request->version));
    put_label(text, names[5], is_route ? some : px_str_of(request->scheme));
    if (request->error.ptr && !is_route)
        put_label(text, names[6], request->error);
}

/* How many series there are of a route of a host: looked for when one more is to be made. */
static uint32_t route_series(const px_metrics *metrics, const struct metrics_request *request)
{
    const struct metrics_block *block = metrics->block;
    uint32_t all = atomic_load_explicit(&block->series_count, memory_order_relaxed), count = 0;
    char room[BLOCK_LABELS_BYTES_MAX];
    struct text text;

    const char *const *names = metrics_library[METRIC_REQUEST_ROW].label_names;

    CHECK(all <= BLOCK_SERIES_MAX);
    text_init(&text, room, sizeof(room));
    text_put_byte(&text, ',');
    put_pair(&text, names[2], request->route);
    text_put_byte(&text, ',');
    put_pair(&text, names[3], request->host);
    text_put_byte(&text, ',');
    for (uint32_t i = 0; i < all && !text.cut; i++) {
        const struct block_series *series = &block->series[i];

        /* A quote within a value has a backslash in front of it, so this is found nowhere else. */
        count += series->row == METRIC_REQUEST_ROW &&
                 memmem(block->text + series->text_at, series->text_len, text.ptr, text.len);
    }
    return count;
}

/* Whether a route may have one more series. */
static bool route_has_share(const px_metrics *metrics, const struct metrics_request *request)
{
    uint32_t room = BLOCK_SERIES_MAX - BLOCK_SERIES_RESERVED, classes = 5;
    uint32_t all = atomic_load_explicit(&metrics->block->series_count, memory_order_relaxed);
    uint32_t share = room / 2 / (request->routes > 0 ? request->routes : 1);

    share = share > classes + BLOCK_SERIES_ROUTE_LEAST ? share - classes : BLOCK_SERIES_ROUTE_LEAST;
    if (all < room / 2 || share > BLOCK_SERIES_ROUTE)
        share = BLOCK_SERIES_ROUTE;
    return route_series(metrics, request) < share;
}

/* The series with these labels; NULL: there is no room for it. */
static uint64_t *request_series(px_metrics *metrics, const struct metrics_request *request,
                                enum request_labels labels)
{
    char room[BLOCK_LABELS_BYTES_MAX];
    struct text text;

    CHECK(labels < LABELS_COUNT && request->is_full);
    text_init(&text, room, sizeof(room));
    put_request(&text, request, labels);
    if (text.cut)
        return NULL;
    uint64_t *cells =
        block_find(metrics->block, metrics->index, METRIC_REQUEST_ROW, text_str(&text));

    if (cells)
        return cells;
    /* First, for to count a route's series is slow, and here it would change nothing. */
    if (labels != LABELS_OTHER && is_crowded(metrics->block))
        return NULL;
    if (labels == LABELS_ALL) {
        if (!*request->is_full && !route_has_share(metrics, request))
            *request->is_full = true;
        if (*request->is_full)
            return NULL;
    }
    return block_series(metrics->block, metrics->index, METRIC_REQUEST_ROW, text_str(&text));
}

uint64_t *metrics_request_cells(px_metrics *metrics, const struct metrics_request *request)
{
    uint64_t *cells = NULL;

    CHECK(request->status < 1000 && request->version && request->scheme);
    for (int labels = LABELS_ALL; labels < LABELS_COUNT && !cells; labels++)
        cells = request_series(metrics, request, (enum request_labels)labels);
    return cells ? cells : series_other(metrics, METRIC_REQUEST_ROW);
}

void metrics_exemplify(px_metrics *metrics, uint64_t *series, uint64_t duration_ms,
                       int64_t unix_time, px_str trace_id)
{
    struct metrics_block *block = metrics->block;
    const struct exemplar_seen seen = exemplar_make(duration_ms, unix_time, trace_id);
    uint32_t i = 0;

    CHECK(series >= block->series_cells && series < block->series_cells + BLOCK_SERIES_CELLS_MAX);
    while (i < metric_bounds_duration.count && duration_ms > metric_bounds_duration.at[i])
        i++;
    exemplar_put(&block->exemplars, (uint32_t)(series - block->series_cells) + i, &seen);
}

uint32_t px_metric_labels(px_metrics *metrics, px_metric metric, const px_str *values)
{
    char room[BLOCK_LABELS_BYTES_MAX];
    struct text text;

    CHECK_RULE(metric < metrics->row_count && metrics->rows[metric].label_names,
               "px_metric_labels needs a metric with label_names");
    text_init(&text, room, sizeof(room));
    for (uint32_t i = 0; metrics->rows[metric].label_names[i]; i++)
        put_label(&text, metrics->rows[metric].label_names[i], values[i]);
    const uint64_t *cells = series_take(metrics, metric, &text);

    if (!cells)
        cells = series_other(metrics, metric);
    return (uint32_t)(cells - metrics->block->series_cells);
}

/* --- The table -------------------------------------------------------------------------------- */

/* Rows that were not there yet, in the block that is counted in. */
static bool rows_put(px_metrics *metrics, uint32_t from)
{
    for (uint32_t i = from; i < metrics->row_count; i++)
        if (!block_put_row(metrics->block, &metrics->rows[i]) ||
            (metrics->rows[i].label_names && !other_put(metrics, i)))
            return false;
    return true;
}

px_metrics *px_metrics_create(const px_metrics_options *given, px_error *out_error)
{
    px_metrics_options options;

    error_clear(out_error);
    if (options_read(&options, sizeof(options), given) != PX_OK) {
        error_set(out_error, PX_ERR_INVALID, 0, "metrics: unknown or missing struct_size");
        return NULL;
    }
    const px_allocator *allocator = options.allocator ? options.allocator : &alloc_libc;
    px_metrics *metrics = alloc_take_zeroed(allocator, sizeof(*metrics));

    if (metrics) {
        metrics->allocator = *allocator;
        metrics->own = alloc_take_zeroed(allocator, sizeof(*metrics->own));
        metrics->index = alloc_take_zeroed(allocator, sizeof(*metrics->index));
    }
    if (!metrics || !metrics->own || !metrics->index) {
        px_metrics_destroy(metrics);
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    metrics->block = metrics->own;
    block_begin(metrics->block);
    memcpy(metrics->rows, metrics_library, metrics_library_count * sizeof(metrics->rows[0]));
    metrics->row_count = metrics_library_count;
    metrics->cells_used = LIBRARY_CELLS;
    bool has_room = rows_put(metrics, 0);

    CHECK(has_room); /* the library's rows are few */
    return metrics;
}

void px_metrics_destroy(px_metrics *metrics)
{
    if (!metrics)
        return;
    px_allocator allocator = metrics->allocator;

    alloc_put(&allocator, metrics->own);
    alloc_put(&allocator, metrics->index);
    alloc_put(&allocator, metrics->seen);
    alloc_put(&allocator, metrics);
}

static bool name_is_valid(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len == 0 || len >= BLOCK_NAME_BYTES || (name[0] >= '0' && name[0] <= '9'))
        return false;
    for (size_t i = 0; i < len; i++) {
        char byte = (char)(name[i] | 0x20);

        if (!(byte >= 'a' && byte <= 'z') && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_')
            return false;
    }
    return true;
}

static bool name_is_taken(const px_metrics *metrics, const char *name)
{
    for (uint32_t i = 0; i < metrics->row_count; i++)
        if (strcmp(metrics->rows[i].name, name) == 0)
            return true;
    return false;
}

static bool define_is_valid(const px_metrics *metrics, const px_metric_options *options)
{
    bool is_histogram = options->kind == PX_METRIC_HISTOGRAM;

    if (!name_is_valid(options->name) || name_is_taken(metrics, options->name) || !options->help ||
        options->kind > PX_METRIC_STATE || is_histogram != (options->bounds != NULL) ||
        (options->label_sets && options->label_names) || options->bound_count > METRIC_BOUNDS_MAX ||
        (is_histogram && options->bound_count == 0))
        return false;
    for (uint32_t i = 1; is_histogram && i < options->bound_count; i++)
        if (options->bounds[i] <= options->bounds[i - 1])
            return false;
    return !options->label_names || options->label_names[0];
}

px_err px_metric_define(px_metrics *metrics, const px_metric_options *given, px_metric *out_metric,
                        px_error *out_error)
{
    px_metric_options options;
    uint32_t sets = 0, at = metrics->row_count;

    error_clear(out_error);
    if (options_take(&options, sizeof(options), given, "metric options", out_error) != PX_OK)
        return PX_ERR_INVALID;
    if (!define_is_valid(metrics, &options))
        return error_set(out_error, PX_ERR_INVALID, 0, "metric '%s': invalid options",
                         given && given->name ? given->name : "");
    if (at == BLOCK_ROWS_MAX)
        return error_set(out_error, PX_ERR_LIMIT, 0, "at most %d metrics", BLOCK_ROWS_MAX);
    while (options.label_sets && options.label_sets[sets])
        sets++;
    metrics->bounds[at] = (struct metric_bounds){options.bounds, options.bound_count};
    metrics->hides_zero[at] = options.hides_zero > 0;
    struct metric_row row = {.name = options.name,
                             .unit = options.unit ? options.unit : "",
                             .help = options.help,
                             .labels = options.label_sets,
                             .bounds = options.bounds ? &metrics->bounds[at] : NULL,
                             .kind = options.kind,
                             .divisor = options.divisor ? options.divisor : 1,
                             .cells_at = metrics->cells_used,
                             .label_names = options.label_names};

    if (!options.label_names)
        row.cell_count = (options.label_sets ? sets : 1) * metric_set_cells(&row);
    metrics->rows[at] = row;
    metrics->row_count++;
    if (!rows_put(metrics, at)) {
        metrics->row_count--;
        return error_set(out_error, PX_ERR_LIMIT, 0, "metric '%s': the block is full", row.name);
    }
    metrics->cells_used += row.cell_count;
    *out_metric = at;
    return PX_OK;
}

/* --- Counting --------------------------------------------------------------------------------- */

static uint64_t *cells_find(px_metrics *metrics, px_metric metric, uint32_t set)
{
    CHECK_RULE(metric < metrics->row_count, "no such metric");
    const struct metric_row *row = &metrics->rows[metric];
    uint32_t count = metric_set_cells(row);

    if (row->cell_count == 0) {
        CHECK_RULE(set <= BLOCK_SERIES_CELLS_MAX - count, "no such set of labels");
        return metrics->block->series_cells + set;
    }
    CHECK_RULE(set < row->cell_count / count, "no such set of labels");
    return metrics->block->cells + row->cells_at + (size_t)set * count;
}

void px_metric_add(px_metrics *metrics, px_metric metric, uint32_t set, uint64_t value)
{
    *cells_find(metrics, metric, set) += value;
}

void px_metric_set(px_metrics *metrics, px_metric metric, uint32_t set, uint64_t value)
{
    bool is_state = metrics->rows[metric].kind == PX_METRIC_STATE;

    *cells_find(metrics, metric, set) = is_state ? METRIC_STATE_OF(value) : value;
}

void px_metric_clear(px_metrics *metrics, px_metric metric)
{
    struct metrics_block *block = metrics->block;
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    CHECK_RULE(metric < metrics->row_count && (metrics->rows[metric].kind == PX_METRIC_GAUGE ||
                                               metrics->rows[metric].kind == PX_METRIC_STATE),
               "px_metric_clear needs a gauge");
    for (uint32_t i = 0; i < count; i++)
        if (block->series[i].row == metric)
            block->series_cells[block->series[i].cells_at] = 0;
}

void px_metric_forget(px_metrics *metrics, px_metric metric, uint32_t set)
{
    CHECK_RULE(metric < metrics->row_count && metrics->rows[metric].kind == PX_METRIC_STATE,
               "px_metric_forget needs a state");
    *cells_find(metrics, metric, set) = 0;
}

int px_metrics_is_ready(const px_metrics *metrics)
{
    const struct metrics_block *block = metrics->block;
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    CHECK(count <= BLOCK_SERIES_MAX);
    for (uint32_t i = 0; i < count; i++)
        if (block->series[i].row == METRIC_UPSTREAM_AVAILABLE &&
            block->series_cells[block->series[i].cells_at] == METRIC_STATE_OF(0))
            return 0;
    return 1;
}

void px_metric_observe(px_metrics *metrics, px_metric metric, uint32_t set, uint64_t value)
{
    uint64_t *cells = cells_find(metrics, metric, set);

    CHECK_RULE(metrics->rows[metric].bounds, "px_metric_observe needs a histogram");
    metric_observe(cells, metrics->rows[metric].bounds, value);
}

/* --- Blocks ----------------------------------------------------------------------------------- */

size_t px_metrics_block_bytes(void)
{
    return sizeof(struct metrics_block);
}

/* Whether it was counted in with the same table. */
static bool has_rows(const px_metrics *metrics, const struct metrics_block *block)
{
    if (!block_is_sound(block) || atomic_load(&block->row_count) != metrics->row_count)
        return false;
    for (uint32_t i = 0; i < metrics->row_count; i++) {
        const struct metric_row *row = &metrics->rows[i];
        const struct block_row *its = &block->rows[i];

        if (strcmp(its->name, row->name) != 0 || its->kind != row->kind ||
            its->cells_at != row->cells_at || its->cell_count != row->cell_count ||
            its->set_cells != metric_set_cells(row))
            return false;
    }
    return true;
}

px_err px_metrics_use(px_metrics *metrics, void *given, px_error *out_error)
{
    struct metrics_block *block = given;
    bool is_taken_up = has_rows(metrics, block);

    error_clear(out_error);
    if (is_taken_up)
        block_vacate(block);
    else
        block_begin(block);
    metrics->block = block;
    block_index_fill(metrics->index, block);
    if (!is_taken_up) {
        bool has_room = rows_put(metrics, 0);

        CHECK(has_room); /* as where they were defined */
    }
    alloc_put(&metrics->allocator, metrics->own);
    metrics->own = NULL;
    return PX_OK;
}

static px_err see(px_metrics *metrics, const void *block, bool is_past, px_error *out_error)
{
    error_clear(out_error);
    CHECK(metrics->seen_count <= metrics->seen_room);
    if (metrics->seen_count == metrics->seen_room) {
        uint32_t room = metrics->seen_room > 0 ? 2 * metrics->seen_room : 8;
        struct metrics_seen *seen =
            alloc_resize(&metrics->allocator, metrics->seen, room * sizeof(seen[0]));

        if (!seen)
            return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        metrics->seen = seen;
        metrics->seen_room = room;
    }
    metrics->seen[metrics->seen_count++] = (struct metrics_seen){block, is_past};
    return PX_OK;
}

px_err px_metrics_see(px_metrics *metrics, const void *block, px_error *out_error)
{
    return see(metrics, block, false, out_error);
}

px_err px_metrics_see_past(px_metrics *metrics, const void *block, px_error *out_error)
{
    return see(metrics, block, true, out_error);
}

void px_metrics_vacate(void *block)
{
    block_vacate(block);
}
