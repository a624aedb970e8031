/*
 * A log that goes to another process line by line: syslog (RFC 5424, over a unix socket or UDP), or
 * the journal.
 *
 *   syslog:[unix:/path | udp:HOST[:PORT]][,facility=NAME][,tag=NAME]     without a place: /dev/log
 *   journal:[/path]                                  without a path: /run/systemd/journal/socket
 *
 * Each line is a datagram.  Its socket is connected where it is opened, and a master connects it
 * anew when the receiver has made another one (log_join.h).  The one process that there is without
 * a master may not: its sandbox has no call that connects, since that would reach for any address.
 * It names the receiver in each message instead, once what it is connected to is not the receiver.
 */
#ifndef PX_MAIN_LOG_SINK_H
#define PX_MAIN_LOG_SINK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pollux/error.h"
#include "pollux/str.h"

enum { LOG_SINK_PLACE_BYTES = 256, LOG_SINK_TAG_BYTES = 48 /* RFC 5424 section 6: APP-NAME */ };

struct log_sink {
    bool is_journal;
    bool is_unix;
    uint8_t facility;                 /* RFC 5424 section 6.2.1 */
    char place[LOG_SINK_PLACE_BYTES]; /* a path, or a host */
    char port[6];                     /* "514" */
    char tag[LOG_SINK_TAG_BYTES + 1];
    char host[65]; /* that we are, "-" where it is not known */
};

/* Whether it names one, and no file. */
bool log_sink_is(const char *path);

/* Takes it apart.  PX_OK, or PX_ERR_INVALID with a line that says what is wrong. */
PX_MUST_CHECK px_err log_sink_read(const char *path, struct log_sink *out_sink,
                                   px_error *out_error);

/* A connected socket, or -1 with errno; of a unix sink one that is connected to nothing yet where
 * there is no receiver: it may come later.  A name is looked up, which may take its time. */
int log_sink_open(const struct log_sink *sink);

/* Connects such a socket to the one that has the sink's name now, for every process that shares
 * it.  Never waits.  0, or an errno: it stays connected as it was. */
int log_sink_join(const struct log_sink *sink, int fd);

/* Which socket of a unix sink has its name now: it is another one when any part has changed. */
struct log_sink_face {
    uint64_t device, number;
    int64_t changed_s, changed_ns;
};

/* Looks at it.  0, or an errno: nothing has that name. */
int log_sink_look(const struct log_sink *sink, struct log_sink_face *out_face);

/* Sends each line while there is room, and waits for none: 0, EAGAIN where there is none, or
 * another errno; *out_bytes is how much of `lines` was sent, whole lines.  is_named: whether each
 * message of a unix sink names its receiver, which is set when it has to; NULL: none does. */
int log_sink_write(const struct log_sink *sink, int fd, px_str lines, _Atomic bool *is_named,
                   size_t *out_bytes);

#endif
