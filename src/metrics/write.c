/*
 * Text formats.
 *
 * Happy path: metrics_write_next until it says no.  It cannot fail: the room for a piece is
 * reckoned from the longest name and labels.
 */
#include "metrics/write.h"

#include "base/alloc.h"
#include "base/check.h"

static bool is_open(const struct metrics_writer *writer)
{
    return writer->format == PX_METRICS_OPENMETRICS;
}

void metrics_put_value(struct text *out, uint64_t value, uint32_t divisor)
{
    uint64_t rest = value % divisor;

    text_put_number(out, value / divisor);
    if (rest == 0)
        return;
    text_put_byte(out, '.');
    while (rest != 0) {
        rest *= 10; /* the divisor is a power of ten: the digits end */
        /* cppcheck-suppress zerodivcond ; no divisor is 0, or the line with % had failed */
        text_put_byte(out, (char)('0' + rest / divisor));
        rest %= divisor;
    }
}

static const char *type_name(uint32_t kind)
{
    switch ((px_metric_kind)kind) {
    case PX_METRIC_COUNTER:
        return "counter";
    case PX_METRIC_HISTOGRAM:
        return "histogram";
    case PX_METRIC_GAUGE:
    case PX_METRIC_MAX:
    case PX_METRIC_STATE:
        break;
    }
    return "gauge";
}

/* In 0.0.4 a counter's metadata has the name of its samples, in OpenMetrics that of its family. */
static void put_family(struct text *out, const struct metrics_writer *writer, const char *word,
                       const struct metric_row *row, const char *text)
{
    text_put_words(out, word);
    text_put_words(out, row->name);
    if (row->kind == PX_METRIC_COUNTER && !is_open(writer))
        text_put_words(out, "_total");
    text_put_byte(out, ' ');
    for (const char *at = text; *at; at++)
        if (*at == '\n')
            text_put_words(out, "\\n");
        else if (*at == '\\' || (*at == '"' && is_open(writer)))
            text_put(out, px_str_make((const char[]){'\\', *at}, 2));
        else
            text_put_byte(out, *at);
    text_put_byte(out, '\n');
}

static void put_head(struct text *out, const struct metrics_writer *writer,
                     const struct metric_row *row)
{
    put_family(out, writer, "# HELP ", row, row->help);
    put_family(out, writer, "# TYPE ", row, type_name(row->kind));
    if (row->unit[0] && is_open(writer))
        put_family(out, writer, "# UNIT ", row, row->unit);
}

/* name suffix {labels,le="bound"} value, without the end of the line */
static void put_sample(struct text *out, const struct metric_row *row, const char *suffix,
                       px_str labels, px_str bound, uint64_t value, uint32_t divisor)
{
    text_put_words(out, row->name);
    text_put_words(out, suffix);
    if (labels.len > 0 || bound.len > 0) {
        text_put_byte(out, '{');
        text_put(out, labels);
        if (bound.len > 0) {
            text_put_words(out, labels.len > 0 ? ",le=\"" : "le=\"");
            text_put(out, bound);
            text_put_byte(out, '"');
        }
        text_put_byte(out, '}');
    }
    text_put_byte(out, ' ');
    metrics_put_value(out, value, divisor);
}

/* What belongs to the bucket of a series whose last bound and bound are these, if it is shown. */
static void put_exemplar(struct text *out, const struct metrics_writer *writer,
                         const struct metric_row *row, const uint64_t *cell, uint64_t above,
                         uint64_t bound)
{
    const struct metrics_block *block = writer->sum->block;
    struct exemplar_seen seen;

    if (is_open(writer) && row->cell_count == 0 &&
        exemplar_find(&block->exemplars, (uint32_t)(cell - block->series_cells), &seen) &&
        seen.value >= above && seen.value <= bound)
        exemplar_write(out, &seen, row->divisor);
}

/* The same series in both formats but for ".0", which OpenMetrics wants of a whole bound. */
static px_str bound_text(const struct metrics_writer *writer, const struct metric_row *row,
                         uint32_t at, struct text *room)
{
    if (at == row->bounds->count)
        return px_str_of("+Inf");
    metrics_put_value(room, row->bounds->at[at], row->divisor);
    if (is_open(writer) && row->bounds->at[at] % row->divisor == 0)
        text_put_words(room, ".0");
    return text_str(room);
}

static void put_set(struct text *out, const struct metrics_writer *writer,
                    const struct metric_row *row, px_str labels, const uint64_t *cells)
{
    static const px_str absent = {NULL, 0};
    uint64_t count = 0;

    if (!row->bounds) {
        put_sample(out, row, row->kind == PX_METRIC_COUNTER ? "_total" : "", labels, absent,
                   cells[0] - (row->kind == PX_METRIC_STATE), row->divisor);
        text_put_byte(out, '\n');
        return;
    }
    for (uint32_t i = 0; i <= row->bounds->count; i++) {
        char digits[2 * TEXT_NUMBER_BYTES];
        struct text room;

        text_init(&room, digits, sizeof(digits));
        count += cells[i];
        put_sample(out, row, "_bucket", labels, bound_text(writer, row, i, &room), count, 1);
        put_exemplar(out, writer, row, &cells[i], i > 0 ? row->bounds->at[i - 1] + 1 : 0,
                     i < row->bounds->count ? row->bounds->at[i] : UINT64_MAX);
        text_put_byte(out, '\n');
    }
    put_sample(out, row, "_sum", labels, absent, cells[row->bounds->count + 1], row->divisor);
    text_put_byte(out, '\n');
    put_sample(out, row, "_count", labels, absent, count, 1);
    text_put_byte(out, '\n');
}

static void row_next(struct metrics_writer *writer)
{
    writer->row++;
    writer->set = 0;
    writer->series = 0;
}

/* The next series of the row.  The one that stands for all without room is shown once it is used.
 */
static bool put_series(struct metrics_writer *writer, const struct metric_row *row,
                       struct text *out)
{
    const struct metrics_block *block = writer->sum->block;
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);
    bool is_first = writer->series == 0;
    bool hides_zero = writer->sum->metrics->hides_zero[writer->row] || row->kind == PX_METRIC_STATE;

    for (; writer->series < count; writer->series++) {
        const struct block_series *series = &block->series[writer->series];
        const uint64_t *cells = block->series_cells + series->cells_at;

        if (series->row != writer->row)
            continue;
        if ((is_first || hides_zero) && cells_total(cells, metric_set_cells(row)) == 0) {
            is_first = false;
            continue;
        }
        put_set(out, writer, row, px_str_make(block->text + series->text_at, series->text_len),
                cells);
        writer->series++;
        return true;
    }
    return false;
}

static bool put_closed(struct metrics_writer *writer, const struct metric_row *row,
                       struct text *out)
{
    uint32_t cells = metric_set_cells(row), at = writer->set - 1;

    while (row->kind == PX_METRIC_STATE && at < row->cell_count &&
           writer->sum->block->cells[row->cells_at + at] == 0)
        at++;
    writer->set = at + 1;
    if (at >= row->cell_count / cells)
        return false;
    put_set(out, writer, row, px_str_of(row->labels ? row->labels[at] : ""),
            writer->sum->block->cells + row->cells_at + (size_t)at * cells);
    writer->set++;
    return true;
}

bool metrics_write_next(struct metrics_writer *writer, struct text *out)
{
    const px_metrics *metrics = writer->sum->metrics;

    while (writer->row < metrics->row_count) {
        const struct metric_row *row = &metrics->rows[writer->row];

        if (writer->set == 0) {
            writer->set = 1;
            put_head(out, writer, row);
            return true;
        }
        if (row->cell_count > 0 ? put_closed(writer, row, out) : put_series(writer, row, out))
            return true;
        row_next(writer);
    }
    if (!is_open(writer) || writer->is_ended)
        return false;
    writer->is_ended = true;
    text_put_words(out, "# EOF\n");
    return true;
}

px_err px_metrics_write(const px_metrics *metrics, px_metrics_format format,
                        void (*put)(px_str text, void *context), void *context)
{
    struct metrics_sum sum;
    struct metrics_writer writer = {.sum = &sum, .format = format};
    char *room = alloc_take(&metrics->allocator, WRITE_PIECE_BYTES);
    px_err err = room ? metrics_sum_init(&sum, metrics) : PX_ERR_MEMORY;
    struct text text;

    if (err == PX_OK) {
        text_init(&text, room, WRITE_PIECE_BYTES);
        while (metrics_write_next(&writer, &text)) {
            CHECK(!text.cut);
            put(text_str(&text), context);
            text_init(&text, room, WRITE_PIECE_BYTES);
        }
        metrics_sum_deinit(&sum);
    }
    alloc_put(&metrics->allocator, room);
    return err;
}
