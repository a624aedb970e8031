/*
 * Floor of the HTTP/2 workloads: bare nghttp2 between recv and send, a session a connection, every
 * request answered with the same fields and content. No routes, limits, deadlines or checks of its
 * own. One recv, what nghttp2 makes of it, and one send of all that came of it.
 */
#define _GNU_SOURCE 1

#include <nghttp2/nghttp2.h>

#include "floor.h"

#define FLOOR_OUT_BYTES (256u << 10)

static const char hello[] = "Hello, world!";
static char date[FLOOR_DATE_BYTES + 1];

static void date_now(void)
{
    time_t now = time(NULL);
    struct tm parts;

    if (gmtime_r(&now, &parts))
        strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static ssize_t read_hello(nghttp2_session *session, int32_t stream, uint8_t *out, size_t room,
                          uint32_t *flags, nghttp2_data_source *source, void *context)
{
    (void)session, (void)stream, (void)source, (void)context;
    if (room < sizeof(hello) - 1)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    memcpy(out, hello, sizeof(hello) - 1);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)(sizeof(hello) - 1);
}

#define FIELD(name, value, length)                                       \
    {                                                                    \
        (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, length, \
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE \
    }

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *context)
{
    const nghttp2_nv fields[] = {
        FIELD(":status", "200", 3),
        FIELD("server", "pollux", 6),
        FIELD("date", date, FLOOR_DATE_BYTES),
        FIELD("content-type", "text/plain; charset=utf-8", 25),
        FIELD("content-length", "13", 2),
    };
    nghttp2_data_provider content = {.read_callback = read_hello};

    (void)context;
    if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ||
        (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    return nghttp2_submit_response(session, frame->hd.stream_id, fields,
                                   sizeof(fields) / sizeof(fields[0]), &content);
}

static nghttp2_session *session_open(const nghttp2_session_callbacks *callbacks)
{
    const nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
    nghttp2_session *session = NULL;

    if (nghttp2_session_server_new(&session, callbacks, NULL) != 0 ||
        nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, &setting, 1) != 0)
        floor_fail("nghttp2");
    return session;
}

/* Returns 0 when the connection has ended. */
static int serve(int fd, nghttp2_session *session)
{
    static uint8_t in[65536], out[FLOOR_OUT_BYTES];
    size_t length = 0;
    ssize_t received = recv(fd, in, sizeof(in), 0);

    if (received < 0 && errno == EAGAIN)
        return 1;
    if (received <= 0 || nghttp2_session_mem_recv(session, in, (size_t)received) != received)
        return 0;
    for (;;) {
        const uint8_t *bytes;
        ssize_t made = nghttp2_session_mem_send(session, &bytes);

        if (made <= 0 || (size_t)made > sizeof(out) - length)
            break;
        memcpy(out + length, bytes, (size_t)made);
        length += (size_t)made;
    }
    return length == 0 || send(fd, out, length, MSG_NOSIGNAL) == (ssize_t)length;
}

int main(int argc, char **argv)
{
    static nghttp2_session *sessions[FLOOR_FDS_MAX];
    struct epoll_event events[FLOOR_EVENTS_MAX];
    nghttp2_session_callbacks *callbacks;
    int listener = floor_listen(argv, 0);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int timer = floor_timer(epoll);
    uint64_t expired;

    (void)argc;
    if (nghttp2_session_callbacks_new(&callbacks) != 0)
        floor_fail("nghttp2");
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    date_now();
    floor_watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, events, FLOOR_EVENTS_MAX, -1);

        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                fd = floor_accept(epoll, listener, EPOLLIN);
                if (fd >= 0)
                    sessions[fd] = session_open(callbacks);
            } else if (fd == timer) {
                if (read(timer, &expired, sizeof(expired)) > 0)
                    date_now();
            } else if (!serve(fd, sessions[fd])) {
                nghttp2_session_del(sessions[fd]);
                close(fd);
            }
        }
    }
}
