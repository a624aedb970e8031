/*
 * Peer: libwebsockets on libuv in one thread, as its examples do it: what came is kept, and written
 * when the connection is writable.  `libwebsockets PORT`; ends on a signal.
 *
 * `/` sends each message back, `/room` sends it to all that are there.
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_MAX 2048

struct session {
    int in_room;
    size_t length;
    unsigned char message[LWS_PRE + MESSAGE_MAX];
};

static struct {
    size_t length;
    unsigned char message[LWS_PRE + MESSAGE_MAX];
} said;

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    struct session *session = user;
    char uri[16];

    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        session->in_room = lws_hdr_copy(wsi, uri, sizeof(uri), WSI_TOKEN_GET_URI) == 5 &&
                           strcmp(uri, "/room") == 0;
        break;
    case LWS_CALLBACK_RECEIVE:
        if (length > MESSAGE_MAX)
            return -1;
        if (session->in_room) {
            said.length = length;
            memcpy(said.message + LWS_PRE, in, length);
            lws_callback_on_writable_all_protocol(lws_get_context(wsi), lws_get_protocol(wsi));
        } else {
            session->length = length;
            memcpy(session->message + LWS_PRE, in, length);
            lws_callback_on_writable(wsi);
        }
        break;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        if (session->in_room)
            return lws_write(wsi, said.message + LWS_PRE, said.length, LWS_WRITE_BINARY) < 0;
        return lws_write(wsi, session->message + LWS_PRE, session->length, LWS_WRITE_BINARY) < 0;
    default:
        break;
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct lws_protocols protocols[] = {
        {"talk", on_event, sizeof(struct session), 4096, 0, NULL, 0},
        {NULL, NULL, 0, 0, 0, NULL, 0},
    };
    struct lws_context_creation_info info = {0};

    lws_set_log_level(LLL_ERR, NULL);
    info.port = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 0;
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_DISABLE_IPV6;
    info.gid = info.uid = (gid_t)-1;
    struct lws_context *context = lws_create_context(&info);

    while (context && lws_service(context, 0) >= 0)
        ;
    lws_context_destroy(context);
    return context ? 0 : 1;
}
