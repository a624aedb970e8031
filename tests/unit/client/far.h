/*
 * The far end of a client under test: a listening socket that the test itself accepts and speaks
 * on, and a book of what a fetch has told.
 *
 *   far_open(&far);  teller_start(&teller, client, &options);
 *   fd = far_accept(&far, loop);  far_expect(fd, loop, "GET / HTTP/1.1\r\n...");
 *   peer_send(fd, LITERAL("HTTP/1.1 204 No Content\r\n\r\n"));  teller_wait(&teller, loop);
 */
#ifndef PX_TESTS_UNIT_CLIENT_FAR_H
#define PX_TESTS_UNIT_CLIENT_FAR_H

#include "pollux/client.h"
#include "unit/io/pump.h"

enum { TELLER_BYTES_MAX = 256 * 1024 };

struct far {
    int fd;       /* listening */
    char url[64]; /* "http://127.0.0.1:PORT/" */
    char host[32];
};

void far_open(struct far *far);
void far_close(struct far *far);

/* The next connection; ticks the loop until it is there. */
int far_accept(const struct far *far, px_loop *loop);

/* Whether a connection waits to be accepted, after some ticks. */
bool far_is_dialled(const struct far *far, px_loop *loop);

/* Reads until `end` has come, ticking the loop: all of it, NUL-terminated, good until the next
 * call. */
const char *far_read(int fd, px_loop *loop, const char *end);

/* Reads as much as `text` has and compares. */
void far_expect(int fd, px_loop *loop, const char *text);

/* The peer sees an end (or a reset) of our side. */
bool far_sees_end(int fd, px_loop *loop);

/* What a fetch has told. */
struct teller {
    px_fetch *fetch; /* until on_end */
    px_loop *loop;
    uint32_t informs;
    unsigned inform_status;
    uint32_t heads;
    uint32_t ends;
    uint32_t content_ends;
    unsigned status;
    unsigned version;
    uint64_t length; /* px_fetch_content_length at the head */
    px_error error;
    px_fetch_facts facts;   /* at the end */
    char trailer[64];       /* the first one's value, at the end of content */
    uint32_t trailer_count; /* likewise */
    size_t use;             /* of each piece of content, at most; 0: everything */
    bool hold;              /* uses nothing */
    char cancel_at; /* 'i'nform, 'h'ead, 'c'ontent, 'e'nd of content, 'p'ull: cancels there */
    size_t pull_at, pull_bytes; /* what pull gives: file_byte */
    size_t pull_piece;          /* at a time */
    bool pull_later;            /* says LATER every other time */
    uint32_t laters;            /* times it was asked then */
    bool pull_short;            /* ends too soon */
    size_t len;
    char bytes[TELLER_BYTES_MAX + 1];
};

extern const px_fetch_callbacks teller_callbacks;

/* Starts a fetch that tells `teller`, which is made empty but for what says what to do. */
void teller_start(struct teller *teller, px_loop *loop, px_client *client,
                  const px_fetch_options *options);

/* Ticks until the end was told; it is told once. */
void teller_wait(struct teller *teller);

/* Options for GET of a URL. */
px_fetch_options teller_get(const char *url);

#endif
