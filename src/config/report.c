/*
 * Errors at their places.
 */
#include "config/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum { NEAREST_WORD_MAX = 40, EXCERPT_BYTES_MAX = 160 };

void report_init(struct config_report *report, struct arena *arena)
{
    memset(report, 0, sizeof(*report));
    report->arena = arena;
}

void report_out_of_memory(struct config_report *report)
{
    report->out_of_memory = true;
}

/* Whether `one` is to be told before `other`. */
static bool is_before(const struct report_entry *one, const struct report_entry *other)
{
    if (one->rank != other->rank)
        return one->rank < other->rank;
    if (one->place.file == other->place.file && one->place.file) {
        if (one->place.line != other->place.line)
            return one->place.line < other->place.line;
        if (one->place.column != other->place.column)
            return one->place.column < other->place.column;
    }
    return one->order < other->order;
}

/* What is told is in order, and counted. */
static void report_check(const struct config_report *report)
{
    CHECK(report->entry_count <= REPORT_ENTRIES_MAX);
    CHECK(report->entry_count <= report->error_count + report->warning_count);
    for (uint32_t i = 0; i < report->entry_count; i++) {
        CHECK(report->entries[i].text && report->entries[i].rank <= REPORT_WARNING);
        ASSERT(i == 0 || !is_before(&report->entries[i], &report->entries[i - 1]));
    }
}

/* The same words at the same place are said once. */
static bool is_known(const struct config_report *report, struct config_place place,
                     const char *text)
{
    for (uint32_t i = 0; i < report->entry_count; i++) {
        const struct report_entry *entry = &report->entries[i];

        if (entry->place.file == place.file && entry->place.line == place.line &&
            entry->place.column == place.column && strcmp(entry->text, text) == 0)
            return true;
    }
    return false;
}

bool report_wants(const struct config_report *report, enum report_rank rank,
                  struct config_place place)
{
    struct report_entry entry = {.place = place, .rank = rank, .order = UINT32_MAX};

    return report->entry_count < REPORT_ENTRIES_MAX ||
           is_before(&entry, &report->entries[REPORT_ENTRIES_MAX - 1]);
}

void report_add(struct config_report *report, enum report_rank rank, struct config_place place,
                const char *format, ...)
{
    char text[REPORT_TEXT_MAX];
    va_list arguments;

    if (!report_wants(report, rank, place)) {
        report->warning_count += rank == REPORT_WARNING;
        report->error_count += rank != REPORT_WARNING;
        return;
    }

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (is_known(report, place, text))
        return;

    px_str copy = arena_copy(report->arena, px_str_make(text, strlen(text)));
    uint32_t order = report->error_count + report->warning_count;
    struct report_entry entry = {.place = place, .rank = rank, .order = order, .text = copy.ptr};

    if (rank == REPORT_WARNING)
        report->warning_count++;
    else
        report->error_count++;
    if (!copy.ptr) {
        report_out_of_memory(report);
        return;
    }
    uint32_t at = report->entry_count;

    if (at == REPORT_ENTRIES_MAX)
        at--;
    else
        report->entry_count++;
    for (; at > 0 && is_before(&entry, &report->entries[at - 1]); at--)
        report->entries[at] = report->entries[at - 1];
    report->entries[at] = entry;
    report_check(report);
}

/* --- Printing --------------------------------------------------------------------------------- */

static px_err put(struct buf *out, const char *format, ...) PX_PRINTF(2, 3);

static px_err put(struct buf *out, const char *format, ...)
{
    char text[REPORT_TEXT_MAX + 128];
    va_list arguments;

    va_start(arguments, format);
    int len = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (len < 0)
        return PX_ERR_INVALID;
    size_t bytes = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;

    return buf_append(out, px_str_make(text, bytes));
}

/* The line of a place, without its end. */
static px_str line_of(struct config_place place)
{
    CHECK(place.file && place.line > 0);
    const char *at = place.file->text.ptr, *end = at + place.file->text.len;

    /* A byte order mark has no column. */
    if (place.file->text.len >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;

    for (uint32_t line = 1; line < place.line && at < end; line++) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));

        at = feed ? feed + 1 : end;
    }
    const char *feed = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    size_t len = (size_t)((feed ? feed : end) - at);

    if (len > 0 && at[len - 1] == '\r')
        len--;
    return px_str_make(at, len);
}

/* A byte that a terminal would obey is shown as a question mark; a tab stays. */
static px_err put_line(struct buf *out, px_str line)
{
    size_t len = line.len < EXCERPT_BYTES_MAX ? line.len : EXCERPT_BYTES_MAX;

    while (len < line.len && len > 0 && ((unsigned char)line.ptr[len] & 0xc0) == 0x80)
        len--;
    for (size_t at = 0; at < len; at++) {
        unsigned char byte = (unsigned char)line.ptr[at];
        char shown = (byte < 0x20 && byte != '\t') || byte == 0x7f ? '?' : (char)byte;
        px_err err = buf_append(out, px_str_make(&shown, 1));

        if (err != PX_OK)
            return err;
    }
    return buf_append(out, px_str_make("\n", 1));
}

/* Blanks up to the place, tabs where the line has tabs, then the marks. */
static px_err put_marks(struct buf *out, px_str line, struct config_place place)
{
    uint32_t column = 1, marks = place.length > 0 ? place.length : 1;
    size_t at = 0;
    px_err err = PX_OK;

    for (; column < place.column && err == PX_OK; column++) {
        char blank = at < line.len && line.ptr[at] == '\t' ? '\t' : ' ';

        err = buf_append(out, px_str_make(&blank, 1));
        for (at++; at < line.len && ((unsigned char)line.ptr[at] & 0xc0) == 0x80; at++)
            ;
    }
    if (marks > EXCERPT_BYTES_MAX)
        marks = EXCERPT_BYTES_MAX;
    for (; marks > 0 && err == PX_OK; marks--)
        err = buf_append(out, px_str_make("^", 1));
    return err == PX_OK ? buf_append(out, px_str_make("\n", 1)) : err;
}

static px_err put_excerpt(struct buf *out, struct config_place place)
{
    px_str line = line_of(place);
    px_err err = put(out, "%5u | ", place.line);

    if (err == PX_OK)
        err = put_line(out, line);
    if (err == PX_OK)
        err = buf_append(out, px_str_make("      | ", 8));
    return err == PX_OK ? put_marks(out, line, place) : err;
}

/* Where it is and what: without an end. */
static px_err put_what(struct buf *out, const struct report_entry *entry, const char *kind)
{
    const struct config_place place = entry->place;
    px_err err;

    CHECK(entry->text);
    if (!place.file)
        return put(out, "%s%s", kind, entry->text);
    if (place.line == 0)
        return put(out, "%s: %s%s", place.file->name, kind, entry->text);
    err = put(out, "%s:%u:%u", place.file->name, place.line, place.column);
    if (err == PX_OK && place.file->from)
        err = put(out, " (from %s:%u)", place.file->from->name, place.file->from_line);
    return err == PX_OK ? put(out, ": %s%s", kind, entry->text) : err;
}

static px_err put_entry(struct buf *out, const struct report_entry *entry)
{
    const struct config_place place = entry->place;
    px_err err = place.file ? PX_OK : put(out, "pollux: ");

    if (err == PX_OK)
        err = put_what(out, entry, entry->rank == REPORT_WARNING ? "warning: " : "");
    if (err == PX_OK)
        err = put(out, "\n");
    return err == PX_OK && place.file && place.line > 0 ? put_excerpt(out, place) : err;
}

/* What there is beside the entries, without an end; or nothing. */
static px_err put_rest(const struct config_report *report, struct buf *out)
{
    uint32_t total = report->error_count + report->warning_count;

    if (report->out_of_memory)
        return put(out, "the configuration does not fit into memory");
    return total > report->entry_count ? put(out, "and %u more", total - report->entry_count)
                                       : PX_OK;
}

px_err report_write(const struct config_report *report, struct buf *out)
{
    px_err err = PX_OK;

    for (uint32_t i = 0; i < report->entry_count && err == PX_OK; i++)
        err = put_entry(out, &report->entries[i]);
    size_t before = out->len;

    if (err == PX_OK)
        err = put_rest(report, out);
    return err == PX_OK && out->len > before ? put(out, "\n") : err;
}

px_err report_write_line(const struct config_report *report, uint32_t index, struct buf *out,
                         bool *out_is_error)
{
    CHECK(index <= report->entry_count);
    if (index == report->entry_count) {
        *out_is_error = report_has_errors(report);
        return put_rest(report, out);
    }
    *out_is_error = report->entries[index].rank != REPORT_WARNING;
    return put_what(out, &report->entries[index], "");
}

/* --- What was meant --------------------------------------------------------------------------- */

uint32_t report_distance(px_str one, px_str other, uint32_t most)
{
    uint32_t rows[3][NEAREST_WORD_MAX + 1];
    uint32_t *before = rows[0], *last = rows[1], *row = rows[2];

    if (one.len > NEAREST_WORD_MAX || other.len > NEAREST_WORD_MAX)
        return most + 1;
    for (uint32_t column = 0; column <= other.len; column++)
        last[column] = column;
    for (uint32_t line = 1; line <= one.len; line++) {
        row[0] = line;
        for (uint32_t column = 1; column <= other.len; column++) {
            bool same = one.ptr[line - 1] == other.ptr[column - 1];
            uint32_t cost = last[column - 1] + (same ? 0 : 1);

            if (last[column] + 1 < cost)
                cost = last[column] + 1;
            if (row[column - 1] + 1 < cost)
                cost = row[column - 1] + 1;
            /* Two neighbours that changed places are one slip. */
            if (line > 1 && column > 1 && one.ptr[line - 1] == other.ptr[column - 2] &&
                one.ptr[line - 2] == other.ptr[column - 1] && before[column - 2] + 1 < cost)
                cost = before[column - 2] + 1;
            row[column] = cost;
        }
        uint32_t *free_row = before;

        before = last;
        last = row;
        row = free_row;
    }
    return last[other.len] > most ? most + 1 : last[other.len];
}

const char *report_nearest(px_str word, const char *const *names)
{
    uint32_t most = word.len < 5 ? 1 : word.len < 8 ? 2 : 3;
    uint32_t best = most + 1;
    const char *nearest = NULL;

    for (; *names; names++) {
        px_str name = px_str_make(*names, strlen(*names));
        uint32_t distance = report_distance(word, name, most);

        /* All of a word replaced is no likeness, and neither is a third of it from its start. */
        bool is_other = word.len > 0 && word.len == name.len && name.len <= 3 &&
                        word.ptr[0] != name.ptr[0] && word.ptr[0] != name.ptr[1];

        if (distance < best && distance < name.len && !is_other) {
            best = distance;
            nearest = *names;
        }
    }
    return nearest;
}
