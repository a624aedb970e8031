/* The ancestor, on streams alone: prints what comes, says hello, hangs up.  howto [0.0.0.0:8080] */
#define _GNU_SOURCE 1 /* memmem */
#include "pollux/pollux.h"
#include <signal.h>
#include <stdio.h>

static const char hello[] = "HTTP/1.0 200 OK\r\nDate: Mon, 1 Jan 1996 01:01:01 GMT\r\n"
                            "Content-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
static const px_part answer = {{hello, sizeof(hello) - 1}, 0, 0, 0};

static void on_end(px_stream *stream, px_err result, void *context)
{
    (void)context;
    if (result == PX_OK) /* everything is sent, or the peer says no more */
        px_stream_shutdown(stream);
    px_stream_close(stream);
}

static size_t on_recv(px_stream *stream, px_str bytes, void *context)
{
    if (!memmem(bytes.ptr, bytes.len, "\n\n", 2) && !memmem(bytes.ptr, bytes.len, "\n\r\n", 3))
        return 0; /* the stream keeps them and shows them again, with what follows */
    printf("----------------------------------------\n");
    fwrite(bytes.ptr, 1, bytes.len - 2, stdout);
    puts("");
    fflush(stdout);
    px_stream_recv_stop(stream);
    if (px_stream_send(stream, &answer, 1) == PX_SENT_DONE)
        on_end(stream, PX_OK, context);
    return bytes.len;
}

static void on_accept(px_stream *stream, void *context)
{
    static const px_stream_events events = {on_recv, on_end, on_end, NULL};
    px_stream_attach(stream, &events, context);
    px_stream_set_inbox(stream, 16 << 20);
    px_stream_recv_start(stream);
}

static void on_interrupt(int number, void *loop)
{
    (void)number;
    px_loop_stop(loop);
}

int main(int argc, char **argv)
{
    px_error error = PX_ERROR_INIT;
    px_listener *listener = px_listener_open(argc > 1 ? argv[1] : "0.0.0.0:8080", NULL, &error);
    px_loop *loop = listener ? px_loop_create(NULL, &error) : NULL;
    if (!loop || px_listener_start(listener, loop, on_accept, NULL, &error) != PX_OK ||
        px_loop_signal(loop, SIGINT, on_interrupt, loop, &error) != PX_OK ||
        px_loop_run(loop, &error) != PX_OK)
        fprintf(stderr, "howto: %s\n", error.text);
    px_listener_close(listener);
    px_loop_destroy(loop);
    return error.code == PX_OK ? 0 : 1;
}
