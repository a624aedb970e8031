/*
 * Runs a loop from a test, a bounded time, and talks to it over plain sockets from the other end.
 *
 *   pump_until(loop, rec.closed == 1);      ticks until it holds; fails the test after ten seconds
 *   pump_quietly(loop, 30);                 ticks for 30 ms, to see that nothing happens
 *
 * The peer's functions never block longer than ten seconds either.
 */
#ifndef PX_TESTS_UNIT_IO_PUMP_H
#define PX_TESTS_UNIT_IO_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pollux/loop.h"
#include "pollux/str.h"

enum { PUMP_LIMIT_MS = 10 * 1000 };

uint64_t pump_now_ms(void);

/* CPU time of the calling thread. */
uint64_t pump_cpu_ms(void);

/* One wait of at most `wait_ms` and one step. */
void pump_once(px_loop *loop, int wait_ms);
void pump_quietly(px_loop *loop, int duration_ms);
void pump_fail(const char *condition, const char *file, int line);

#define pump_until(loop, condition)                         \
    do {                                                    \
        uint64_t pump_end_ = pump_now_ms() + PUMP_LIMIT_MS; \
        while (!(condition)) {                              \
            pump_once(loop, 20);                            \
            if (!(condition) && pump_now_ms() > pump_end_)  \
                pump_fail(#condition, __FILE__, __LINE__);  \
        }                                                   \
    } while (0)

enum pair_kind { PAIR_UNIX, PAIR_TCP4, PAIR_TCP6, PAIR_KIND_COUNT };

/* Two connected sockets: out_fds[0], for us, does not block; out_fds[1], the peer's, does. */
void pair_open(enum pair_kind kind, int out_fds[2]);

/* Keeps the kernel's buffers on a socket small, so that a send soon has to wait. */
void pair_shrink(int fd);

/* The peer sends all of it. */
void peer_send(int fd, px_str bytes);

/* What there is, up to `room`, waiting at most `wait_ms` for the first byte: the number of bytes, 0
 * at the end, -1 when nothing came, -2 on a reset. */
long peer_recv(int fd, char *out, size_t room, int wait_ms);

/* Closes with a reset. */
void peer_reset(int fd);

/* Connects to "127.0.0.1:port", "[::1]:port" or "unix:/path". */
int peer_connect(const char *address);

/* An anonymous file of `bytes` bytes; byte N is file_byte(N). */
int file_make(size_t bytes);
unsigned char file_byte(uint64_t offset);

#endif
