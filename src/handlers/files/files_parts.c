/*
 * Several ranges of a file in one answer: multipart/byteranges (RFC 9110 section 14.6).
 *
 * Happy path: a producer that writes a part's head, then its bytes, from memory or from the page
 * cache; what is not there is read by a helper thread meanwhile.  The length is known beforehand,
 * so a file that has become shorter ends the answer visibly broken.
 */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "handlers/files/files.h"
#include "io/file.h"

enum { BOUNDARY_BYTES = 32, PART_HEAD_BYTES = 512, READ_BYTES = 16 * 1024 };

struct parts {
    struct files_entry *entry; /* a reference */
    px_exchange *exchange;     /* borrowed: until `released` */
    px_str type;               /* static */
    struct byte_range ranges[RANGE_COUNT_MAX];
    uint32_t count;
    uint32_t index;   /* the part at hand; `count`: the tail */
    uint64_t sent;    /* of its bytes */
    uint32_t head_at; /* what of its head is out */
    uint32_t head_len;
    struct file_read read;
    uint32_t read_at; /* what of the read bytes is out */
    uint32_t read_len;
    bool reading; /* a helper thread is at it */
    bool failed;
    bool released; /* free it when the read has ended */
    char boundary[BOUNDARY_BYTES + 1];
    char head[PART_HEAD_BYTES];
    char buf[READ_BYTES];
};

/* The head of the part at hand, or what ends them all. */
static void head_render(struct parts *parts)
{
    const struct byte_range *range = &parts->ranges[parts->index];
    int len;

    CHECK(parts->index <= parts->count && parts->count <= RANGE_COUNT_MAX);
    if (parts->index == parts->count)
        len = snprintf(parts->head, sizeof(parts->head), "\r\n--%s--\r\n", parts->boundary);
    else
        len =
            snprintf(parts->head, sizeof(parts->head),
                     "%s--%s\r\nContent-Type: %.*s\r\nContent-Range: bytes %llu-%llu/%llu\r\n\r\n",
                     parts->index > 0 ? "\r\n" : "", parts->boundary, (int)parts->type.len,
                     parts->type.ptr, (unsigned long long)range->first,
                     (unsigned long long)(range->first + range->length - 1),
                     (unsigned long long)parts->entry->info.size);
    CHECK(len > 0 && (size_t)len < sizeof(parts->head));
    parts->head_at = 0;
    parts->head_len = (uint32_t)len;
    parts->sent = 0;
}

static void parts_free(struct parts *parts)
{
    struct files_entry *entry = parts->entry;

    CHECK(!parts->reading);
    alloc_put(&entry->files->allocator, parts);
    files_entry_put(entry);
}

static void parts_release(void *context)
{
    struct parts *parts = context;

    parts->released = true;
    if (!parts->reading)
        parts_free(parts);
}

static void read_done(struct file_read *read, px_err status)
{
    struct parts *parts = CONTAINER_OF(read, struct parts, read);

    parts->reading = false;
    parts->failed = status != PX_OK || read->count <= 0;
    if (!parts->failed)
        parts->read_len = (uint32_t)read->count;
    if (parts->released)
        parts_free(parts);
    else
        px_resume(parts->exchange);
}

static px_err read_begin(struct parts *parts, uint64_t offset, uint64_t left)
{
    CHECK(!parts->reading && left > 0);
    parts->read_at = 0;
    parts->read_len = 0;
    parts->read.fd = parts->entry->fd;
    parts->read.offset = offset;
    parts->read.room = left < READ_BYTES ? (size_t)left : READ_BYTES;
    parts->read.out = parts->buf;
    parts->read.done = read_done;
    px_err err = file_read_later(px_exchange_loop(parts->exchange), &parts->read);

    parts->reading = err == PX_OK;
    return err;
}

/* Bytes of the part at hand: PX_OK, PX_AGAIN when a helper reads them, or an error. */
static px_err content_pull(struct parts *parts, char *out, size_t room, size_t *out_bytes)
{
    const struct byte_range *range = &parts->ranges[parts->index];
    uint64_t left = range->length - parts->sent, offset = range->first + parts->sent;
    size_t count = left < room ? (size_t)left : room;
    px_err err = PX_OK;

    ASSERT(parts->index < parts->count && parts->sent < range->length);
    if (parts->failed)
        return PX_ERR_SYSTEM;
    if (parts->reading)
        return PX_AGAIN;
    if (parts->entry->content) {
        memcpy(out, parts->entry->content + offset, count);
    } else if (parts->read_at < parts->read_len) {
        size_t ready = parts->read_len - parts->read_at;

        count = ready < count ? ready : count;
        memcpy(out, parts->buf + parts->read_at, count);
        parts->read_at += (uint32_t)count;
    } else {
        err = file_read_now(parts->entry->fd, out, count, offset, &count);
        if (err == PX_AGAIN && read_begin(parts, offset, left) != PX_OK)
            return PX_ERR_SYSTEM;
        if (err == PX_OK && count == 0)
            return PX_ERR_SYSTEM; /* shorter than it was */
    }
    if (err != PX_OK)
        return err;
    parts->sent += count;
    *out_bytes = count;
    return PX_OK;
}

static px_pull parts_pull(px_exchange *exchange, char *out, size_t room, size_t *out_bytes,
                          void *context)
{
    struct parts *parts = context;
    size_t done = 0;

    (void)exchange;
    while (done < room) {
        size_t count = parts->head_len - parts->head_at;

        if (count > 0) {
            count = count < room - done ? count : room - done;
            memcpy(out + done, parts->head + parts->head_at, count);
            parts->head_at += (uint32_t)count;
            done += count;
        } else if (parts->index == parts->count) {
            *out_bytes = done;
            return PX_PULL_END;
        } else if (parts->sent == parts->ranges[parts->index].length) {
            parts->index++;
            head_render(parts);
        } else {
            px_err err = content_pull(parts, out + done, room - done, &count);

            if (err == PX_AGAIN)
                break;
            if (err != PX_OK)
                return PX_PULL_ERROR;
            done += count;
        }
    }
    *out_bytes = done;
    return done > 0 ? PX_PULL_MORE : PX_PULL_LATER;
}

void files_answer_parts(px_exchange *exchange, struct files_entry *entry, px_str type,
                        const struct byte_range *ranges, uint32_t count)
{
    struct px_files *files = entry->files;
    struct parts *parts = alloc_take(&files->allocator, sizeof(*parts));
    char text[64 + BOUNDARY_BYTES];
    uint64_t length = 0, number[2] = {files->boundary_count++, 0};

    CHECK(count > 0 && count <= RANGE_COUNT_MAX);
    if (!parts) {
        files_fail(exchange, files, 503);
        return;
    }
    memset(parts, 0, offsetof(struct parts, boundary));
    parts->entry = files_entry_take(entry);
    parts->exchange = exchange;
    parts->type = type;
    parts->count = count;
    memcpy(parts->ranges, ranges, count * sizeof(*ranges));
    /* With the key known the boundary could be put into a file; it is secret. */
    number[1] = siphash(&files->boundary_key, number, sizeof(number));
    snprintf(parts->boundary, sizeof(parts->boundary), "%016llx%016llx",
             (unsigned long long)number[1],
             (unsigned long long)siphash(&files->boundary_key, number, sizeof(number)));
    for (parts->index = 0; parts->index <= count; parts->index++) {
        head_render(parts);
        length += parts->head_len + (parts->index < count ? ranges[parts->index].length : 0);
    }
    parts->index = 0;
    head_render(parts);
    int len = snprintf(text, sizeof(text), "multipart/byteranges; boundary=%s", parts->boundary);
    CHECK(len > 0 && (size_t)len < sizeof(text));
    px_producer producer = {sizeof(px_producer), parts_pull, parts_release, parts};

    px_respond_producer(exchange, 206, px_str_make(text, (size_t)len), length, &producer);
}
