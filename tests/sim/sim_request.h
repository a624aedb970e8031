/*
 * What a simulated client asks for, and what both ends know of the answer.
 *
 * A request's target is /ROUTE/TAG/LENGTH: its tag is unique in the run, and the bytes of its
 * content and of its answer tell tag and offset, so that any byte in the wrong place is found.
 */
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_file.h"

/* name in the target, whether it takes content */
#define SIM_ROUTES(X)                                                               \
    X(BYTES, "bytes", false)       /* px_respond */                                 \
    X(BODY, "body", false)         /* px_respond_body */                            \
    X(FILE, "file", false)         /* px_respond_file */                            \
    X(FOLDER, "folder", false)     /* px_files_handle: the length names the file */ \
    X(PRODUCER, "producer", false) /* px_respond_producer, length declared */       \
    X(CHUNKED, "chunked", false)   /* the same, length unknown */                   \
    X(PIECES, "pieces", false)     /* px_response_start, write, end */              \
    X(LATER, "later", false)       /* from a timer */                               \
    X(THREAD, "thread", false)     /* from another thread, by px_ref */             \
    X(COLLECT, "collect", true)    /* px_request_collect */                         \
    X(STREAM, "stream", true)      /* on_content, with pauses */                    \
    X(EARLY, "early", true)        /* answers before the content is there */        \
    X(ABORT, "abort", false)       /* gives up in the middle of the answer */       \
    X(TUNNEL, "tunnel", false)     /* an upgrade: what comes is sent back */        \
    X(LOST, "lost", false)         /* there is no such route: 404 */

enum sim_route {
#define SIM_ROUTE_ENUM(name, text, content) SIM_ROUTE_##name,
    SIM_ROUTES(SIM_ROUTE_ENUM)
#undef SIM_ROUTE_ENUM
        SIM_ROUTE_COUNT
};

const char *sim_route_name(enum sim_route route);
bool sim_route_takes_content(enum sim_route route);

struct sim_request {
    uint32_t tag;
    enum sim_route route;
    uint64_t length;  /* of the answer's content */
    uint64_t content; /* of the request's */
    bool chunked;     /* the request's content is */
    bool head;        /* the method is HEAD */
    bool old;         /* HTTP/1.0 */
    bool keep;        /* with Connection: keep-alive */
    bool close;       /* with Connection: close */
    bool expects;     /* with Expect: 100-continue */
    bool filtered;    /* the answer passes a filter */
    /* What became of it. */
    bool began;
    bool whole;
    unsigned status;
};

/* Of a request's content, and of what goes through a tunnel. */
static inline char sim_content_byte(uint32_t tag, uint64_t offset)
{
    return sim_file_byte(tag + 0x10000000, offset);
}

/* The files of the folder: none, one byte, in memory, at its limit, larger, of several windows. */
enum { SIM_FOLDER_FILES = 6 };
extern const uint64_t sim_folder_lengths[SIM_FOLDER_FILES];

/* The content of the file of that length in the folder: many requests ask for the same one. */
static inline uint32_t sim_folder_tag(uint64_t length)
{
    return 0x20000000U + (uint32_t)length;
}

static inline char sim_answer_byte(const struct sim_request *request, uint64_t offset)
{
    char byte = sim_file_byte(request->tag, offset);

    if (request->route == SIM_ROUTE_TUNNEL)
        return sim_content_byte(request->tag, offset);
    if (request->route == SIM_ROUTE_FOLDER)
        byte = sim_file_byte(sim_folder_tag(request->length), offset);
    return request->filtered ? (char)(byte ^ 0x5a) : byte;
}

#endif
