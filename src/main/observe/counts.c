/*
 * The program's metrics: a table like the library's, through the public interface.
 *
 * Happy path: counts_init before the first fork, counts_begin in the master, counts_open and
 * counts_look in each process.  It can fail by memory at the start; what cannot be read of a
 * process stays 0.
 */
#include "main/observe/counts.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/error.h"
#include "base/number.h"
#include "main/observe/report.h"
#include "pollux/pollux.h"

enum death { DEATH_EXIT, DEATH_SIGNAL, DEATH_KILLED, DEATH_SANDBOX, DEATH_COUNT };

static const char *const reasons[] = {"reason=\"exit\"", "reason=\"signal\"", "reason=\"killed\"",
                                      "reason=\"sandbox\"", NULL};
_Static_assert(ARRAY_COUNT(reasons) == DEATH_COUNT + 1, "each way to die has its label");

static const char *const build[] = {"version=\"" PX_VERSION_STRING "\"", NULL};
static const char *const spans[] = {"result=\"sent\"", "result=\"dropped\"", NULL};
static const char *const names[] = {"name", NULL};
static const char *const logs[] = {"log", NULL};

/* clang-format off */
static const px_metric_options table[COUNT_COUNT] = {
    [COUNT_BUILD] = {.name = "pollux_build_info", .kind = PX_METRIC_MAX, .label_sets = build,
        .help = "The version, always 1."},
    [COUNT_START] = {.name = "process_start_time_seconds", .unit = "seconds", .kind = PX_METRIC_GAUGE,
        .help = "When the first process of the program started, in unix time."},
    [COUNT_WORKERS] = {.name = "pollux_workers", .kind = PX_METRIC_GAUGE,
        .help = "Workers that there shall be."},
    [COUNT_GENERATION] = {.name = "pollux_generation", .kind = PX_METRIC_GAUGE,
        .help = "Generations of workers since the start: 1, and one for each reload."},
    [COUNT_RESTARTS] = {.name = "pollux_worker_restarts", .kind = PX_METRIC_COUNTER, .label_sets = reasons,
        .help = "Workers that ended without having been told to, and were replaced."},
    [COUNT_RELOAD_SUCCESS] = {.name = "pollux_reload_success", .kind = PX_METRIC_GAUGE,
        .help = "1 if the last reload was done, 0 if it failed and nothing changed."},
    [COUNT_RELOAD_TIME] = {.name = "pollux_reload_timestamp_seconds", .unit = "seconds", .kind = PX_METRIC_GAUGE,
        .help = "When the last reload was done, in unix time."},
    [COUNT_LOG_DROPPED] = {.name = "pollux_log_dropped", .kind = PX_METRIC_COUNTER, .label_names = logs,
        .help = "Lines of a log that could not be written; log: where it goes, or stdout."},
    [COUNT_SPANS] = {.name = "pollux_trace_spans", .kind = PX_METRIC_COUNTER, .label_sets = spans,
        .help = "Spans of requests: those that a collector took, and those that were dropped."},
    [COUNT_CERTIFICATES] = {.name = "pollux_tls_certificate_expiry_timestamp_seconds", .unit = "seconds",
        .kind = PX_METRIC_GAUGE, .label_names = names, .hides_zero = 1,
        .help = "When a certificate ends, in unix time."},
    [COUNT_CPU] = {.name = "process_cpu_seconds", .unit = "seconds", .kind = PX_METRIC_COUNTER, .divisor = 1000000,
        .help = "Processor time of all processes of the program."},
    [COUNT_RESIDENT] = {.name = "process_resident_memory_bytes", .unit = "bytes", .kind = PX_METRIC_GAUGE,
        .help = "Resident memory of all processes of the program, what they share counted in each."},
    [COUNT_VIRTUAL] = {.name = "process_virtual_memory_bytes", .unit = "bytes", .kind = PX_METRIC_GAUGE,
        .help = "Virtual memory of all processes of the program."},
    [COUNT_VIRTUAL_MAX] = {.name = "process_virtual_memory_max_bytes", .unit = "bytes", .kind = PX_METRIC_MAX,
        .help = "Virtual memory that one process of the program may have; 18446744073709551615: any."},
    [COUNT_FDS] = {.name = "process_open_fds", .kind = PX_METRIC_GAUGE,
        .help = "Open descriptors of all processes of the program."},
    [COUNT_FDS_MAX] = {.name = "process_max_fds", .kind = PX_METRIC_GAUGE,
        .help = "Descriptors that all processes of the program may have together."},
    [COUNT_BEGAN] = {.name = "pollux_start_time_seconds", .unit = "seconds", .kind = PX_METRIC_GAUGE,
        .help = "The same as process_start_time_seconds."},
};
/* clang-format on */

px_err counts_init(struct counts *counts, px_error *out_error)
{
    *counts = (struct counts){.statm_fd = -1, .fds_fd = -1};
    counts->metrics = px_metrics_create(NULL, out_error);
    if (!counts->metrics)
        return out_error->code;
    for (int i = 0; i < COUNT_COUNT; i++) {
        px_metric_options options = table[i];

        CHECK(options.name && options.help); /* every count has its row */
        options.struct_size = sizeof(options);
        if (px_metric_define(counts->metrics, &options, &counts->at[i], out_error) != PX_OK)
            return out_error->code;
    }
    return PX_OK;
}

static void descriptors_close(struct counts *counts)
{
    if (counts->statm_fd >= 0)
        close(counts->statm_fd);
    if (counts->fds_fd >= 0)
        close(counts->fds_fd);
}

void counts_deinit(struct counts *counts)
{
    px_metrics_destroy(counts->metrics);
    descriptors_close(counts);
    *counts = (struct counts){.statm_fd = -1, .fds_fd = -1};
}

void counts_begin(struct counts *counts, uint32_t worker_count)
{
    counts_set(counts, COUNT_BUILD, 1);
    counts_set(counts, COUNT_START, (uint64_t)time(NULL));
    counts_set(counts, COUNT_BEGAN, (uint64_t)time(NULL));
    counts_set(counts, COUNT_WORKERS, worker_count);
    counts_set(counts, COUNT_GENERATION, 1);
    counts_set(counts, COUNT_RELOAD_SUCCESS, 1);
}

void counts_death(struct counts *counts, int status)
{
    enum death death = DEATH_EXIT;

    CHECK(WIFEXITED(status) || WIFSIGNALED(status));
    if (WIFSIGNALED(status))
        death = WTERMSIG(status) == SIGKILL  ? DEATH_KILLED
                : WTERMSIG(status) == SIGSYS ? DEATH_SANDBOX
                                             : DEATH_SIGNAL;
    px_metric_add(counts->metrics, counts->at[COUNT_RESTARTS], death, 1);
}

void counts_reload(struct counts *counts, bool is_done, int64_t now)
{
    counts_set(counts, COUNT_RELOAD_SUCCESS, is_done);
    if (!is_done)
        return;
    counts_set(counts, COUNT_RELOAD_TIME, (uint64_t)now);
    counts_add(counts, COUNT_GENERATION, 1);
}

void counts_certificates(struct counts *counts, const px_tls *tls)
{
    px_tls_certificate certificate = PX_TLS_CERTIFICATE_INIT;

    /* One that is no longer used has no end that matters. */
    px_metric_clear(counts->metrics, counts->at[COUNT_CERTIFICATES]);
    for (size_t i = 0; tls && px_tls_certificate_at(tls, i, &certificate) == PX_OK; i++) {
        px_str name = px_str_of(certificate.file ? certificate.file : "self-signed");
        uint32_t set = px_metric_labels(counts->metrics, counts->at[COUNT_CERTIFICATES], &name);

        px_metric_set(counts->metrics, counts->at[COUNT_CERTIFICATES], set,
                      certificate.not_after > 0 ? (uint64_t)certificate.not_after : 0);
    }
}

/* What the system allows; RLIM_INFINITY is the largest number of its type. */
static uint64_t limit_of(int resource)
{
    struct rlimit limit;

    return getrlimit((__rlimit_resource_t)resource, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

void counts_open(struct counts *counts)
{
    descriptors_close(counts); /* of the process that was forked */
    counts->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    counts->fds_fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    counts->cpu_us = 0;
    counts_set(counts, COUNT_VIRTUAL_MAX, limit_of(RLIMIT_AS));
    counts_set(counts, COUNT_FDS_MAX, limit_of(RLIMIT_NOFILE));
}

/* The first two numbers of statm: pages in all, and resident ones. */
static void memory_look(struct counts *counts)
{
    char text[128];
    ssize_t len = counts->statm_fd >= 0 ? pread(counts->statm_fd, text, sizeof(text), 0) : -1;
    px_str rest = px_str_make(text, len > 0 ? (size_t)len : 0);
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE), pages[2] = {0, 0};

    for (size_t i = 0; i < 2; i++) {
        size_t used = number_read_some(rest, UINT32_MAX, &pages[i]) + 1;

        rest = used < rest.len ? px_str_make(rest.ptr + used, rest.len - used)
                               : px_str_make(rest.ptr, 0);
    }
    counts_set(counts, COUNT_VIRTUAL, pages[0] * page_bytes);
    counts_set(counts, COUNT_RESIDENT, pages[1] * page_bytes);
}

/* Linux 6.2 and later say how many descriptors there are; earlier ones are asked for each. */
static void descriptors_look(struct counts *counts)
{
    struct stat status;
    uint64_t entries[512]; /* aligned as the entries are */
    uint64_t count = 0;
    ssize_t len;

    if (counts->fds_fd < 0 || fstat(counts->fds_fd, &status) != 0)
        return;
    if (status.st_size > 0) {
        counts_set(counts, COUNT_FDS, (uint64_t)status.st_size);
        return;
    }
    if (lseek(counts->fds_fd, 0, SEEK_SET) != 0)
        return;
    while ((len = getdents64(counts->fds_fd, entries, sizeof(entries))) > 0)
        for (ssize_t at = 0; at < len; count++)
            at += ((const struct dirent64 *)(const void *)((const char *)entries + at))->d_reclen;
    counts_set(counts, COUNT_FDS, count > 2 ? count - 2 : 0); /* without . and .. */
}

void counts_look(struct counts *counts, int64_t now)
{
    struct timespec cpu;

    CHECK(counts->metrics);
    if (counts->looked_time == now)
        return;
    counts->looked_time = now;
    memory_look(counts);
    descriptors_look(counts);
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) != 0)
        return;
    uint64_t cpu_us = (uint64_t)cpu.tv_sec * 1000000 + (uint64_t)cpu.tv_nsec / 1000;

    counts_add(counts, COUNT_CPU, cpu_us - counts->cpu_us);
    counts->cpu_us = cpu_us;
}

void counts_report(const struct counts *counts)
{
    px_counters sum = {.struct_size = sizeof(sum)};

    if (px_metrics_counters(counts->metrics, &sum) == PX_OK)
        report_counters(&sum);
}

void counts_report_cut(const struct counts *counts)
{
    px_counters sum = {.struct_size = sizeof(sum)};

    if (px_metrics_counters(counts->metrics, &sum) == PX_OK)
        report_cut(&sum);
}
