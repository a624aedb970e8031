/*
 * For tests of a program's own: ask a handler, or a whole server, in one call.
 *
 *     px_test_answer *answer = px_test_ask(server, "GET /users/7", px_str_of(NULL), &error);
 *
 *     assert(answer && answer->status == 200);
 *     assert(px_str_equal(answer->content, px_str_of("Ada")));
 *     px_test_answer_free(answer);
 *
 * No address is listened on: the request goes through one end of a socketpair (px_server_adopt), by
 * the whole way that one of a client goes: parser, middleware, route, filters, framing.  The call
 * runs the server's loop until the answer is whole, so handlers that answer later work too.
 */
#ifndef PX_TEST_H
#define PX_TEST_H

#include "pollux/field.h"
#include "pollux/server.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An answer, whole.  Strings end in NUL. */
typedef struct px_test_answer {
    size_t struct_size;       /**< Of the library's: what lies behind is not there. */
    unsigned status;          /**< Of the final answer; informational ones are left out. */
    const px_field *fields;   /**< In order. */
    size_t field_count;       /**< Of fields. */
    px_str content;           /**< Without its framing; empty when there is none. */
    const px_field *trailers; /**< Of chunked content; NULL: none. */
    size_t trailer_count;     /**< Of trailers. */
} px_test_answer;

/** Asks a server.
 *  @param server one whose loop does not run meanwhile; a drain must not have begun.
 *  @param request "METHOD TARGET", and then a line for each field, separated by LF.  Host ("test"),
 *  Connection and, with content, Content-Length are added where they are not given.
 *  @param content of the request; absent: none.
 *  @return owned (px_test_answer_free), or NULL: PX_ERR_TIMEOUT (nothing whole in ten seconds),
 *  PX_ERR_MALFORMED (the answer was cut short), PX_ERR_LIMIT (more than 64 MiB), PX_ERR_MEMORY,
 *  PX_ERR_SYSTEM, or what px_server_adopt gave.  The loop's thread, outside of callbacks. */
px_test_answer *px_test_ask(px_server *server, const char *request, px_str content,
                            px_error *out_error);

/** Asks a handler alone, at any path, in a server of its own that ends with the call.  Content is
 *  collected before the handler is called.
 *  @return as px_test_ask.  Any thread. */
px_test_answer *px_test_handle(px_handler handler, void *context, const char *request,
                               px_str content, px_error *out_error);

/** The first field of that name, compared without regard to case; absent when there is none.  Any
 *  thread. */
px_str px_test_field(const px_test_answer *answer, const char *name);

/** Frees it; NULL is fine.  Any thread. */
void px_test_answer_free(px_test_answer *answer);

#ifdef __cplusplus
}
#endif

#endif
