/*
 * Lines as datagrams.
 *
 * The happy path is one sendmsg a line: a header of our own, and the line.  What can go wrong: the
 * receiver sleeps (its queue is full, and is waited for), is gone (the line is lost, and so are
 * those behind it in this batch), or takes no datagram of that size: then the line is cut.
 */
#include "main/log/log_sink.h"

#include <errno.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"

enum {
    SEVERITY_INFO = 6,
    FACILITY_LOCAL7 = 23,
    HEADER_BYTES_MAX = 512,
    /* RFC 5426 section 3.2: receivers should take 2048 octets; common ones take 8 KiB. */
    LINE_BYTES_MAX = 8 * 1024 - HEADER_BYTES_MAX,
    LINE_BYTES_SURE = 1024, /* of a line that was too long all the same */
    NS_PER_US = 1000,
};

static const char syslog_scheme[] = "syslog:", journal_scheme[] = "journal:";

static const char *const facilities[] = {
    "kern",   "user",   "mail",     "daemon", "auth",   "syslog", "lpr",    "news",
    "uucp",   "cron",   "authpriv", "ftp",    "ntp",    "audit",  "alert",  "clock",
    "local0", "local1", "local2",   "local3", "local4", "local5", "local6", "local7"};

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

bool log_sink_is(const char *path)
{
    return begins(path, syslog_scheme) || begins(path, journal_scheme);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* "facility=local0", "tag=edge". */
static bool option_read(px_str option, struct log_sink *sink)
{
    const char *equals = memchr(option.ptr, '=', option.len);
    size_t name_len = equals ? (size_t)(equals - option.ptr) : 0;
    px_str name = px_str_make(option.ptr, name_len);
    px_str value = equals ? px_str_make(equals + 1, option.len - name_len - 1) : name;

    if (px_str_equal(name, px_str_of("facility"))) {
        for (size_t i = 0; i < ARRAY_COUNT(facilities); i++) {
            if (px_str_equal(value, px_str_of(facilities[i]))) {
                sink->facility = (uint8_t)i;
                return true;
            }
        }
        return false;
    }
    if (!px_str_equal(name, px_str_of("tag")) || value.len == 0 || value.len > LOG_SINK_TAG_BYTES)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= 0x20 || value.ptr[i] >= 0x7f)
            return false;
    CHECK(value.len < sizeof(sink->tag));
    memcpy(sink->tag, value.ptr, value.len);
    sink->tag[value.len] = '\0';
    return true;
}

static bool place_take(px_str text, struct log_sink *sink)
{
    if (text.len == 0 || text.len >= sizeof(sink->place))
        return false;
    ASSERT(text.ptr && sink->place[0] == '\0');
    memcpy(sink->place, text.ptr, text.len);
    sink->place[text.len] = '\0';
    return true;
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static bool remote_read(px_str text, struct log_sink *sink)
{
    const char *end = text.ptr + text.len, *colon = memrchr(text.ptr, ':', text.len);
    px_str host = text;

    if (colon && (text.ptr[0] != '[' || (colon > text.ptr && colon[-1] == ']'))) {
        size_t len = (size_t)(end - colon) - 1;

        if (len == 0 || len >= sizeof(sink->port) || strspn(colon + 1, "0123456789") < len)
            return false;
        memcpy(sink->port, colon + 1, len);
        sink->port[len] = '\0';
        host.len = (size_t)(colon - text.ptr);
    }
    if (host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = px_str_make(host.ptr + 1, host.len - 2);
    return place_take(host, sink);
}

static bool where_read(px_str text, struct log_sink *sink)
{
    static const char unix_scheme[] = "unix:", udp_scheme[] = "udp:", slashes[] = "//";
    const char *fallback = sink->is_journal ? "/run/systemd/journal/socket" : "/dev/log";

    sink->is_unix = true;
    if (text.len == 0)
        return place_take(px_str_of(fallback), sink);
    if (begins(text.ptr, unix_scheme))
        text = px_str_make(text.ptr + sizeof(unix_scheme) - 1, text.len - sizeof(unix_scheme) + 1);
    if (text.len > 0 && text.ptr[0] == '/')
        return text.len < sizeof(((struct sockaddr_un *)0)->sun_path) && place_take(text, sink);
    sink->is_unix = false;
    if (sink->is_journal || !begins(text.ptr, udp_scheme))
        return false;
    text = px_str_make(text.ptr + sizeof(udp_scheme) - 1, text.len - sizeof(udp_scheme) + 1);
    if (begins(text.ptr, slashes))
        text = px_str_make(text.ptr + 2, text.len - 2);
    return remote_read(text, sink);
}

px_err log_sink_read(const char *path, struct log_sink *out_sink, px_error *out_error)
{
    struct log_sink sink = {.is_journal = begins(path, journal_scheme),
                            .facility = FACILITY_LOCAL7,
                            .port = "514",
                            .tag = "pollux"};
    const char *at = path + strlen(sink.is_journal ? journal_scheme : syslog_scheme);
    size_t len = strcspn(at, ",");

    if (!where_read(px_str_make(at, len), &sink))
        return error_set(out_error, PX_ERR_INVALID, 0,
                         "%s: it is syslog:, syslog:/path, syslog:udp:host:port or journal:", path);
    for (at += len; *at == ','; at += len) {
        len = strcspn(++at, ",");
        if (!option_read(px_str_make(at, len), &sink))
            return error_set(
                out_error, PX_ERR_INVALID, 0,
                "%s: behind a comma stands facility=NAME (local7) or tag=NAME (pollux)", path);
    }
    if (gethostname(sink.host, sizeof(sink.host) - 1) != 0 || sink.host[0] == '\0')
        memcpy(sink.host, "-", sizeof("-"));
    *out_sink = sink;
    return error_clear(out_error);
}

/* --- The socket ------------------------------------------------------------------------------- */

static struct sockaddr_un address_of(const struct log_sink *sink)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    CHECK(sink->is_unix && strlen(sink->place) < sizeof(address.sun_path));
    memcpy(address.sun_path, sink->place, strlen(sink->place) + 1);
    return address;
}

int log_sink_join(const struct log_sink *sink, int fd)
{
    const struct sockaddr_un address = address_of(sink);

    CHECK(fd >= 0);
    return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
}

static int open_unix(const struct log_sink *sink)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd >= 0)
        (void)log_sink_join(sink, fd);
    return fd;
}

static int open_remote(const struct log_sink *sink)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    int fd = -1, failure = EHOSTUNREACH;

    if (getaddrinfo(sink->place, sink->port, &hints, &found) != 0) {
        errno = EHOSTUNREACH;
        return -1;
    }
    for (const struct addrinfo *each = found; each && fd < 0; each = each->ai_next) {
        fd = socket(each->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && connect(fd, each->ai_addr, each->ai_addrlen) == 0)
            break;
        failure = errno;
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    errno = failure;
    return fd;
}

int log_sink_open(const struct log_sink *sink)
{
    return sink->is_unix ? open_unix(sink) : open_remote(sink);
}

/* --- Lines ------------------------------------------------------------------------------------ */

/* RFC 5424 section 6: PRI, version, timestamp, host, application, process, no message id and no
 * structured data.  In the journal's own form (systemd's "native protocol") fields. */
static size_t header_write(const struct log_sink *sink, char out[HEADER_BYTES_MAX])
{
    struct timespec now;
    struct tm tm;
    int len;

    if (sink->is_journal) {
        len = snprintf(out, HEADER_BYTES_MAX,
                       "PRIORITY=%d\nSYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=%s\nMESSAGE=",
                       SEVERITY_INFO, sink->facility, sink->tag);
        CHECK(len > 0 && len < HEADER_BYTES_MAX);
        return (size_t)len;
    }
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    len =
        snprintf(out, HEADER_BYTES_MAX, "<%u>1 %04d-%02d-%02dT%02d:%02d:%02d.%06ldZ %s %s %ld - - ",
                 sink->facility * 8U + SEVERITY_INFO, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / NS_PER_US, sink->host, sink->tag,
                 (long)getpid());
    CHECK(len > 0 && len < HEADER_BYTES_MAX);
    return (size_t)len;
}

int log_sink_look(const struct log_sink *sink, struct log_sink_face *out_face)
{
    struct stat status;

    CHECK(sink->is_unix);
    if (stat(sink->place, &status) != 0)
        return errno;
    if (!S_ISSOCK(status.st_mode))
        return ECONNREFUSED; /* as the kernel says it of a file */
    *out_face = (struct log_sink_face){.device = status.st_dev,
                                       .number = status.st_ino,
                                       .changed_s = status.st_ctim.tv_sec,
                                       .changed_ns = status.st_ctim.tv_nsec};
    return 0;
}

/* One line without its end: 0, or an errno. */
static int line_send(const struct log_sink *sink, int fd, px_str line, bool is_named)
{
    struct sockaddr_un address = {0};
    char header[HEADER_BYTES_MAX];
    struct iovec parts[] = {{header, header_write(sink, header)},
                            {(void *)(uintptr_t)line.ptr, line.len},
                            {(void *)(uintptr_t) "\n", sink->is_journal ? 1 : 0}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = ARRAY_COUNT(parts)};

    if (is_named) {
        address = address_of(sink);
        message.msg_name = &address;
        message.msg_namelen = sizeof(address);
    }

    CHECK(parts[0].iov_len < HEADER_BYTES_MAX);
    if (parts[1].iov_len > LINE_BYTES_MAX)
        parts[1].iov_len = LINE_BYTES_MAX;
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno == EMSGSIZE && parts[1].iov_len > LINE_BYTES_SURE) {
        parts[1].iov_len = LINE_BYTES_SURE;
        sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    return sent < 0 ? errno : 0;
}

/* Whether a message has to name its receiver from now on, and so is sent once more. */
static bool name_it(int failure, _Atomic bool *is_named)
{
    if (!is_named || atomic_load(is_named) || (failure != ECONNREFUSED && failure != ENOTCONN))
        return false;
    atomic_store(is_named, true);
    return true;
}

int log_sink_write(const struct log_sink *sink, int fd, px_str lines, _Atomic bool *is_named,
                   size_t *out_bytes)
{
    bool was_told = false;

    ASSERT(fd >= 0 && sink->place[0] != '\0');
    *out_bytes = 0;
    while (*out_bytes < lines.len) {
        const char *line = lines.ptr + *out_bytes;
        const char *end = memchr(line, '\n', lines.len - *out_bytes);
        size_t len = end ? (size_t)(end - line) : lines.len - *out_bytes;
        int failure =
            line_send(sink, fd, px_str_make(line, len), is_named && atomic_load(is_named));

        if (sink->is_unix && name_it(failure, is_named))
            continue;
        if (failure == EAGAIN || failure == ENOBUFS) {
            return EAGAIN;
        } else if (failure == ECONNREFUSED && !sink->is_unix && !was_told) {
            was_told = true; /* of a datagram of before (ICMP): this one was not sent yet */
        } else if (failure == ENOTCONN) {
            return ECONNREFUSED; /* as the kernel says it once */
        } else if (failure != 0 && failure != EINTR) {
            return failure;
        } else if (failure == 0) {
            *out_bytes += len + (end ? 1 : 0);
        }
    }
    return 0;
}
