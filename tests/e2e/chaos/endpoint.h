/*
 * What the programs of the chaos suite share: where to connect to, the clock, when to stop.
 */
#ifndef PX_TESTS_CHAOS_ENDPOINT_H
#define PX_TESTS_CHAOS_ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage address;
    socklen_t bytes;
};

/* "127.0.0.1:80" or "/path"; ends the program when it is neither. */
void endpoint_parse(struct endpoint *endpoint, const char *text);

/* A connection that is being made: a descriptor that does not block, or -1.  `receive_bytes`: of
 * the kernel's buffer; 0: its default. */
int endpoint_connect(const struct endpoint *endpoint, int receive_bytes);

/* Whether connecting has succeeded, once the socket is writable; else errno's number. */
int endpoint_result(int fd);

/* Closes with a reset. */
void endpoint_reset(int fd);

uint64_t clock_us(void);

/* As many descriptors as may be. */
void raise_limit(void);

/* Has SIGTERM and SIGINT end the program's work; `stopping` says so. */
void stop_by_signal(void);
bool stopping(void);

/* The number behind a flag, or the end of the program. */
uint64_t number_of(const char *flag, const char *text);

#endif
