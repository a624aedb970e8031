/*
 * Blocks: begun, looked up, added up.
 *
 * Happy path: block_begin and block_put_row once, block_series when labels are new, and from then
 * on stores into cells.  It can fail by being full, which the caller answers with `_other`, and a
 * reader by finding nonsense, which it leaves out.
 */
#include "metrics/block.h"

#include <string.h>

#include "base/check.h"
#include "base/siphash.h"
#include "base/text.h"

static const uint64_t BLOCK_MARK = 0x706f6c6c75783032; /* another layout has another one */

_Static_assert(LIBRARY_CELLS < BLOCK_CELLS_MAX / 2, "the library's metrics leave room for others");
_Static_assert(BLOCK_SERIES_MAX < UINT16_MAX, "a slot of the index holds a series");

void block_begin(struct metrics_block *block)
{
    block->text_bytes = 0;
    block->series_cells_count = 0;
    block->begun = 0;
    atomic_store(&block->series_count, 0);
    atomic_store(&block->row_count, 0);
    atomic_store(&block->sample_count, 0);
    memset(block->cells, 0, sizeof(block->cells));
    exemplars_clear(&block->exemplars);
    atomic_store(&block->mark, BLOCK_MARK);
}

/* --- Reading what another process has written ------------------------------------------------- */

/* A row as it is now: false when it is none. */
static bool row_read(const struct metrics_block *block, uint32_t at, struct block_row *out_row)
{
    memcpy(out_row, &block->rows[at], sizeof(*out_row));
    out_row->name[BLOCK_NAME_BYTES - 1] = '\0';
    return out_row->kind <= PX_METRIC_STATE && out_row->set_cells > 0 &&
           out_row->set_cells <= BLOCK_CELLS_MAX && out_row->cell_count <= BLOCK_CELLS_MAX &&
           out_row->cells_at <= BLOCK_CELLS_MAX - out_row->cell_count;
}

static bool series_read(const struct metrics_block *block, uint32_t at, uint32_t row_count,
                        struct block_series *out_series)
{
    memcpy(out_series, &block->series[at], sizeof(*out_series));
    return out_series->row < row_count && out_series->text_len <= BLOCK_LABELS_BYTES_MAX &&
           out_series->text_at <= BLOCK_TEXT_BYTES_MAX - out_series->text_len &&
           out_series->cells_at < BLOCK_SERIES_CELLS_MAX;
}

static uint32_t count_read(const _Atomic uint32_t *count, uint32_t max)
{
    uint32_t value = atomic_load_explicit(count, memory_order_acquire);

    return value <= max ? value : 0;
}

static bool is_begun(const struct metrics_block *block)
{
    return atomic_load_explicit(&block->mark, memory_order_acquire) == BLOCK_MARK;
}

bool block_is_sound(const struct metrics_block *block)
{
    uint32_t rows = atomic_load(&block->row_count), count = atomic_load(&block->series_count);
    struct block_row row;
    struct block_series series;

    if (!is_begun(block) || rows > BLOCK_ROWS_MAX || count > BLOCK_SERIES_MAX ||
        block->text_bytes > BLOCK_TEXT_BYTES_MAX ||
        block->series_cells_count > BLOCK_SERIES_CELLS_MAX)
        return false;
    for (uint32_t i = 0; i < rows; i++)
        if (!row_read(block, i, &row) || strcmp(row.name, block->rows[i].name) != 0)
            return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!series_read(block, i, rows, &series))
            return false;
        const struct block_row *its = &block->rows[series.row];

        if (series.text_at + series.text_len > block->text_bytes ||
            series.cells_at + its->set_cells > block->series_cells_count)
            return false;
    }
    return true;
}

/* --- Rows and series -------------------------------------------------------------------------- */

static bool row_is(const struct block_row *row, const struct block_row *other)
{
    return row->kind == other->kind && row->cell_count == other->cell_count &&
           row->set_cells == other->set_cells && strcmp(row->name, other->name) == 0;
}

bool block_put_row(struct metrics_block *block, const struct metric_row *row)
{
    uint32_t at = atomic_load(&block->row_count);
    struct block_row *made = &block->rows[at];

    if (at == BLOCK_ROWS_MAX || strlen(row->name) >= BLOCK_NAME_BYTES ||
        row->cells_at + row->cell_count > BLOCK_CELLS_MAX)
        return false;
    memset(made, 0, sizeof(*made));
    memcpy(made->name, row->name, strlen(row->name));
    made->kind = row->kind;
    made->cells_at = row->cells_at;
    made->cell_count = row->cell_count;
    made->set_cells = metric_set_cells(row);
    atomic_store_explicit(&block->row_count, at + 1, memory_order_release);
    return true;
}

/* No peer chooses labels but from what a server is configured with. */
static uint64_t hash_of(uint32_t row, px_str labels)
{
    struct siphash_key key = {row, 0};

    return siphash(&key, labels.ptr, labels.len);
}

static px_str series_text(const struct metrics_block *block, const struct block_series *series)
{
    return px_str_make(block->text + series->text_at, series->text_len);
}

void block_index_fill(struct block_index *index, const struct metrics_block *block)
{
    uint32_t count = atomic_load(&block->series_count);

    memset(index, 0, sizeof(*index));
    for (uint32_t i = 0; i < count; i++) {
        const struct block_series *series = &block->series[i];
        uint32_t slot =
            (uint32_t)hash_of(series->row, series_text(block, series)) % BLOCK_INDEX_SLOTS;

        while (index->slots[slot] != 0)
            slot = (slot + 1) % BLOCK_INDEX_SLOTS;
        index->slots[slot] = (uint16_t)(i + 1);
    }
}

static bool series_make(struct metrics_block *block, uint32_t row, px_str labels)
{
    uint32_t at = atomic_load_explicit(&block->series_count, memory_order_relaxed);
    CHECK(block->rows);
    uint32_t cells = block->rows[row].set_cells;

    if (at == BLOCK_SERIES_MAX || labels.len > BLOCK_LABELS_BYTES_MAX ||
        labels.len > BLOCK_TEXT_BYTES_MAX - block->text_bytes ||
        cells > BLOCK_SERIES_CELLS_MAX - block->series_cells_count)
        return false;
    block->series[at] = (struct block_series){row, block->text_bytes, (uint32_t)labels.len,
                                              block->series_cells_count};
    if (labels.len > 0)
        memcpy(block->text + block->text_bytes, labels.ptr, labels.len);
    memset(block->series_cells + block->series_cells_count, 0, cells * sizeof(uint64_t));
    block->text_bytes += (uint32_t)labels.len;
    block->series_cells_count += cells;
    atomic_store_explicit(&block->series_count, at + 1, memory_order_release);
    return true;
}

/* The slot of a series, or the free one where it would be. */
static uint32_t slot_find(const struct metrics_block *block, const struct block_index *index,
                          uint32_t row, px_str labels)
{
    uint32_t slot = (uint32_t)hash_of(row, labels) % BLOCK_INDEX_SLOTS;
    uint16_t found;

    while ((found = index->slots[slot]) != 0) {
        const struct block_series *series = &block->series[found - 1];

        CHECK(series);
        if (series->row == row && px_str_equal(series_text(block, series), labels))
            break;
        slot = (slot + 1) % BLOCK_INDEX_SLOTS;
    }
    return slot;
}

uint64_t *block_find(struct metrics_block *block, const struct block_index *index, uint32_t row,
                     px_str labels)
{
    uint16_t found = index->slots[slot_find(block, index, row, labels)];

    return found != 0 ? block->series_cells + block->series[found - 1].cells_at : NULL;
}

uint64_t *block_series(struct metrics_block *block, struct block_index *index, uint32_t row,
                       px_str labels)
{
    uint32_t slot = slot_find(block, index, row, labels);

    CHECK(row < atomic_load_explicit(&block->row_count, memory_order_relaxed));
    if (index->slots[slot] == 0) {
        if (!series_make(block, row, labels))
            return NULL;
        index->slots[slot] =
            (uint16_t)atomic_load_explicit(&block->series_count, memory_order_relaxed);
    }
    uint16_t found = index->slots[slot];

    CHECK(found > 0 && found <= BLOCK_SERIES_MAX);
    return block->series_cells + block->series[found - 1].cells_at;
}

/* --- Sums ------------------------------------------------------------------------------------- */

static void cells_add(uint64_t *into, const uint64_t *from, uint32_t count, uint32_t kind)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = block_load(&from[i]);

        if (kind != PX_METRIC_MAX && kind != PX_METRIC_STATE)
            into[i] += value;
        else if (value > into[i])
            into[i] = value;
    }
}

/* Text that a line may hold: what a process that went wrong has written is left out. */
static bool is_showable(px_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
            return false;
    return true;
}

/* The first series of a row, which is the one of all that found no room. */
static uint64_t *series_first(struct metrics_block *block, uint32_t row)
{
    uint32_t count = atomic_load_explicit(&block->series_count, memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++)
        if (block->series[i].row == row)
            return block->series_cells + block->series[i].cells_at;
    return NULL;
}

/* The newer of two is kept. */
static void exemplars_add(struct exemplars *into, uint32_t into_cell, const struct exemplars *from,
                          uint32_t from_cell, uint32_t count)
{
    struct exemplar_seen seen, kept;

    for (uint32_t i = 0; i < count; i++)
        if (exemplar_find(from, from_cell + i, &seen) &&
            (!exemplar_find(into, into_cell + i, &kept) || seen.unix_time >= kept.unix_time))
            exemplar_put(into, into_cell + i, &seen);
}

static void series_add(struct metrics_block *into, struct block_index *index,
                       const struct metrics_block *from, const struct block_series *series,
                       uint32_t row)
{
    char text[BLOCK_LABELS_BYTES_MAX];
    uint32_t cells = into->rows[row].set_cells;

    if (series->cells_at > BLOCK_SERIES_CELLS_MAX - cells)
        return;
    memcpy(text, from->text + series->text_at, series->text_len);
    px_str labels = px_str_make(text, series->text_len);

    if (!is_showable(labels))
        return;
    uint64_t *found = block_series(into, index, row, labels);

    if (!found)
        found = series_first(into, row);
    if (!found)
        return;
    cells_add(found, from->series_cells + series->cells_at, cells, into->rows[row].kind);
    if (into->rows[row].kind == PX_METRIC_HISTOGRAM)
        exemplars_add(&into->exemplars, (uint32_t)(found - into->series_cells), &from->exemplars,
                      series->cells_at, cells);
}

static bool is_gone_with_process(uint32_t kind)
{
    return kind == PX_METRIC_GAUGE || kind == PX_METRIC_STATE;
}

/* Which row of `into` each row of `from` is; BLOCK_ROWS_MAX: none. */
static void rows_match(const struct metrics_block *into, const struct metrics_block *from,
                       uint32_t count, bool with_gauges, uint32_t *out_rows)
{
    uint32_t known = atomic_load_explicit(&into->row_count, memory_order_relaxed);

    for (uint32_t i = 0; i < count; i++) {
        struct block_row row;
        uint32_t at = BLOCK_ROWS_MAX;

        if (row_read(from, i, &row) && (with_gauges || !is_gone_with_process(row.kind)))
            for (uint32_t step = 0; step < known && at == BLOCK_ROWS_MAX; step++)
                if (row_is(&into->rows[(i + step) % known], &row))
                    at = (i + step) % known;
        out_rows[i] = at;
    }
}

/* Adds the cells of `row_count` rows without labels that are among the first `count` of `table`. */
static void rows_add(uint64_t *cells, uint32_t count, const struct metrics_block *table,
                     const struct metrics_block *from, uint32_t row_count, const uint32_t *rows)
{
    for (uint32_t i = 0; i < row_count; i++) {
        struct block_row row;

        if (rows[i] == BLOCK_ROWS_MAX || !row_read(from, i, &row))
            continue;
        const struct block_row *own = &table->rows[rows[i]];

        if (row.cell_count == own->cell_count && own->cells_at + own->cell_count <= count)
            cells_add(cells + own->cells_at, from->cells + row.cells_at, own->cell_count,
                      own->kind);
    }
}

void block_add_cells(uint64_t *cells, uint32_t count, const struct metrics_block *table,
                     const struct metrics_block *from, bool with_gauges)
{
    uint32_t rows[BLOCK_ROWS_MAX];

    if (!is_begun(from))
        return;
    uint32_t row_count = count_read(&from->row_count, BLOCK_ROWS_MAX);

    rows_match(table, from, row_count, with_gauges, rows);
    rows_add(cells, count, table, from, row_count, rows);
}

void block_add(struct metrics_block *into, struct block_index *index,
               const struct metrics_block *from, bool with_gauges)
{
    uint32_t rows[BLOCK_ROWS_MAX];
    struct block_series series;

    if (!is_begun(from))
        return;
    uint32_t row_count = count_read(&from->row_count, BLOCK_ROWS_MAX);
    uint32_t series_count = count_read(&from->series_count, BLOCK_SERIES_MAX);

    rows_match(into, from, row_count, with_gauges, rows);
    rows_add(into->cells, BLOCK_CELLS_MAX, into, from, row_count, rows);
    for (uint32_t i = 0; i < series_count; i++)
        if (series_read(from, i, row_count, &series) && rows[series.row] != BLOCK_ROWS_MAX)
            series_add(into, index, from, &series, rows[series.row]);
}

static void cells_raise(uint64_t *into, const uint64_t *from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (from[i] > into[i])
            __atomic_store_n(&into[i], from[i], __ATOMIC_RELAXED);
}

void block_raise(struct metrics_block *into, struct block_index *index,
                 const struct metrics_block *from)
{
    uint32_t count = atomic_load_explicit(&from->series_count, memory_order_relaxed);

    cells_raise(into->cells, from->cells, BLOCK_CELLS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        const struct block_series *series = &from->series[i];
        uint64_t *cells = block_series(into, index, series->row, series_text(from, series));

        if (cells)
            cells_raise(cells, from->series_cells + series->cells_at,
                        from->rows[series->row].set_cells);
    }
}

void block_vacate(struct metrics_block *block)
{
    uint32_t row_count = count_read(&block->row_count, BLOCK_ROWS_MAX);
    uint32_t series_count = count_read(&block->series_count, BLOCK_SERIES_MAX);
    struct block_series series;
    struct block_row row;

    if (!is_begun(block))
        return;
    block->begun = 0;
    for (uint32_t i = 0; i < row_count; i++)
        if (row_read(block, i, &row) && is_gone_with_process(row.kind))
            memset(block->cells + row.cells_at, 0, row.cell_count * sizeof(uint64_t));
    for (uint32_t i = 0; i < series_count; i++)
        if (series_read(block, i, row_count, &series) && row_read(block, series.row, &row) &&
            is_gone_with_process(row.kind))
            block->series_cells[series.cells_at] = 0;
}
