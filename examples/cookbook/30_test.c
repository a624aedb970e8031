/* Test a handler, without a socket or a server. */
#include <assert.h>
#include <stdio.h>

#include "pollux/pollux.h"

static void show(px_exchange *exchange, void *context)
{
    (void)context;
    px_response_add_field(exchange, px_str_of("X-Name"), px_request_query_param(exchange, "name"));
    px_respond_text(exchange, 200, "hello");
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_test_answer *answer =
        px_test_handle(show, NULL, "GET /?name=ada\nAccept: text/plain", px_str_of(NULL), &error);

    px_str hello = px_str_of("hello"), ada = px_str_of("ada");

    assert(answer && answer->status == 200);
    assert(px_str_equal(answer->content, hello));
    assert(px_str_equal(px_test_field(answer, "X-Name"), ada));
    px_test_answer_free(answer);
    printf("%s: %d test passed\n", argv[0], argc);
    return 0;
}
