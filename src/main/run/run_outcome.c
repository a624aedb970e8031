/*
 * A record in a file that stays open, for a process that may not open files any more.
 *
 * The happy path: it is written over the one before, with its number in front and behind, so that a
 * reader sees whether it is whole.  A reader that sees less looks again.
 */
#include "main/run/run_outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "main/diagnostics.h"

enum { HEAD_BYTES = 96 };

uint64_t run_outcome_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

char *run_outcome_path(const char *pid_file)
{
    char *path;

    return asprintf(&path, "%s.reload", pid_file) > 0 ? path : NULL;
}

/* What is there already is a predecessor's, which is of our user; another's is no place to write
 * to. */
static int file_make(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    struct stat status;

    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == geteuid() &&
        status.st_nlink == 1)
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* Links are left as they are: what they lead to may be another file at each reload. */
static char *absolute(const char *path)
{
    char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
    char *whole = NULL;

    if (strchr(path, '\n') || (*path != '/' && !folder) ||
        asprintf(&whole, "%s%s%s", folder ? folder : "", folder ? "/" : "", path) < 0)
        whole = NULL;
    free(folder);
    return whole;
}

void run_outcome_open(struct run_outcome *outcome, const char *pid_file, const char *config)
{
    *outcome = (struct run_outcome){.fd = -1};
    if (!pid_file)
        return;
    outcome->path = run_outcome_path(pid_file);
    if (!outcome->path)
        return;
    outcome->fd = file_make(outcome->path);
    if (outcome->fd < 0) {
        diagnostics_tell(LEVEL_WARNING,
                         "cannot write %s: %s (pollux reload will not know what "
                         "came of it)",
                         outcome->path, strerror(errno));
        return;
    }
    outcome->config = absolute(config);
    run_outcome_end(outcome, CODE_OK, px_str_of(""));
}

void run_outcome_close(struct run_outcome *outcome, bool is_ours)
{
    if (outcome->fd >= 0)
        close(outcome->fd);
    if (outcome->fd >= 0 && is_ours)
        unlink(outcome->path);
    free(outcome->path);
    free(outcome->config);
    *outcome = (struct run_outcome){.fd = -1};
}

void run_outcome_begin(struct run_outcome *outcome)
{
    outcome->began_ns = run_outcome_now_ns();
}

void run_outcome_end(const struct run_outcome *outcome, enum exit_code code, px_str text)
{
    char head[HEAD_BYTES], tail[HEAD_BYTES + PATH_MAX];

    if (outcome->fd < 0)
        return;
    if (text.len > RUN_OUTCOME_BYTES_MAX)
        text.len = RUN_OUTCOME_BYTES_MAX;
    int len = snprintf(head, sizeof(head), "pollux-reload %" PRIu64 " %d %zu\n", outcome->began_ns,
                       (int)code, text.len);
    bool has_config = outcome->config && strlen(outcome->config) < PATH_MAX - 8;
    int tail_len = snprintf(tail, sizeof(tail), "end %" PRIu64 "\n%s%s%s", outcome->began_ns,
                            has_config ? "config " : "", has_config ? outcome->config : "",
                            has_config ? "\n" : "");
    struct iovec parts[] = {
        {head, (size_t)len}, {(char *)(uintptr_t)text.ptr, text.len}, {tail, (size_t)tail_len}};

    CHECK(len > 0 && (size_t)len < sizeof(head));
    CHECK(tail_len > 0 && (size_t)tail_len < sizeof(tail));
    if (lseek(outcome->fd, 0, SEEK_SET) != 0 || writev(outcome->fd, parts, 3) < 0)
        diagnostics_tell(LEVEL_WARNING, "cannot write %s: %s", outcome->path, strerror(errno));
}

/* Takes a number that ends in `end`. */
static bool number_take(const char **at, char end, uint64_t *out_number)
{
    char *stop;

    if (**at < '0' || **at > '9')
        return false;
    *out_number = strtoull(*at, &stop, 10);
    if (*stop != end)
        return false;
    *at = stop + 1;
    return true;
}

struct record {
    uint64_t began_ns, code;
    px_str text;
    const char *behind; /* what follows, NUL-terminated */
};

/* False: it is not whole. */
static bool record_read(const char *text, size_t len, struct record *out_record)
{
    static const char name[] = "pollux-reload ";
    const char *at = text + sizeof(name) - 1;
    uint64_t began_ns, ended_ns, code, bytes;
    size_t left;

    if (strncmp(text, name, sizeof(name) - 1) != 0 || !number_take(&at, ' ', &began_ns) ||
        !number_take(&at, ' ', &code) || !number_take(&at, '\n', &bytes))
        return false;
    CHECK((size_t)(at - text) <= len); /* numbers end before the NUL behind the text */
    left = len - (size_t)(at - text);
    if (code > 255 || bytes > left)
        return false;
    const char *end = at + bytes;

    if (strncmp(end, "end ", 4) != 0)
        return false;
    end += 4;
    if (!number_take(&end, '\n', &ended_ns) || ended_ns != began_ns)
        return false;
    *out_record = (struct record){began_ns, code, px_str_make(at, bytes), end};
    return true;
}

/* The text of a file, NUL-terminated and owned by the caller, with a record that lies in it; NULL:
 * there is none that is whole. */
static char *file_read(const char *path, struct record *out_record)
{
    size_t room = 2 * HEAD_BYTES + PATH_MAX + RUN_OUTCOME_BYTES_MAX;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char *text = malloc(room + 1);
    ssize_t len = fd >= 0 && text ? read(fd, text, room) : -1;

    if (fd >= 0)
        close(fd);
    if (len > 0) {
        text[len] = '\0';
        if (record_read(text, (size_t)len, out_record))
            return text;
    }
    free(text);
    return NULL;
}

char *run_outcome_config(const char *path)
{
    static const char name[] = "config ";
    struct record record;
    char *text = file_read(path, &record), *config = NULL;

    if (text && strncmp(record.behind, name, sizeof(name) - 1) == 0 &&
        strchr(record.behind, '\n')) {
        const char *from = record.behind + sizeof(name) - 1;

        config = strndup(from, strcspn(from, "\n"));
    }
    free(text);
    return config;
}

bool run_outcome_read(const char *path, uint64_t since_ns, enum exit_code *out_code,
                      struct buf *out_text)
{
    struct record record;
    char *text = file_read(path, &record);
    bool is_there =
        text && record.began_ns >= since_ns && buf_append(out_text, record.text) == PX_OK;

    if (is_there)
        *out_code = (enum exit_code)record.code;
    free(text);
    return is_there;
}
