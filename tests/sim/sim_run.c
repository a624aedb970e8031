/*
 * The runner: sim_run SCENARIO SEED replays one seed; --seeds A..B runs many, of one scenario or
 * all.
 *
 * Each scenario runs in a child process, which says where it is in shared memory; so a crash, a
 * sanitizer's report and a hang have a seed as well.  Every 16th seed is run twice: the same seed
 * must give the same trace, or no failure could be replayed.
 */
#include "sim_run.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TWICE_EVERY = 16, COUNTED_FROM = 300, SEED_SECONDS_MAX = 60 };

struct run_options {
    const char *program;
    const char *scenario; /* NULL: all */
    uint64_t first;
    uint64_t last;
    bool trace;
    bool quiet;
    bool uncounted; /* do not ask for faults and states */
};

/* What the child tells its parent; shared memory. */
struct run_report {
    uint64_t seed;
    uint64_t hash; /* of all traces */
    uint64_t calls;
    uint64_t injected[SIM_FAULT_COUNT];
    uint64_t states[SIM_NAMES_MAX];
    uint64_t virtual_ns;
};

void sim_faults_choose(const struct sim_scenario *scenario)
{
    struct sim_faults *faults = &sim_world->faults;
    /* In half of the runs nothing excuses a connection that is cut. */
    bool cuts = sim_random_chance(&sim_world->random, 32768);

    for (uint32_t index = 0; index < scenario->fault_count; index++) {
        uint32_t rate = 0;

        switch (sim_random_below(&sim_world->random, 4)) {
        case 0:
        case 1:
            break;
        case 2:
            rate = 300;
            break;
        case 3:
            rate = 6000;
            break;
        }
        if (cuts || !sim_fault_cuts(scenario->faults[index]))
            faults->rate[scenario->faults[index]] = rate;
    }
}

static uint64_t seed_run(const struct sim_scenario *scenario, uint64_t seed, bool trace,
                         struct run_report *report)
{
    sim_begin(seed);
    sim_world->trace_prints = trace;
    uint64_t began_ns = sim_world->clock.now_ns;

    sim_faults_choose(scenario);
    scenario->run();
    sim_check_empty();
    uint64_t hash = sim_world->trace_hash;

    if (report) {
        report->calls += sim_world->calls;
        report->virtual_ns += sim_world->clock.now_ns - began_ns;
        for (int fault = 0; fault < SIM_FAULT_COUNT; fault++)
            report->injected[fault] += sim_world->faults.injected[fault];
        for (int state = 0; state < SIM_NAMES_MAX && scenario->states[state]; state++)
            report->states[state] += sim_times(scenario->states[state]);
    }
    sim_end();
    return hash;
}

static void child_main(const struct run_options *options, const struct sim_scenario *scenario,
                       struct run_report *report)
{
    char replay[512];

    for (uint64_t seed = options->first; seed <= options->last; seed++) {
        report->seed = seed;
        snprintf(replay, sizeof(replay), "%s %s %" PRIu64, options->program, scenario->name, seed);
        sim_replay_line(replay);
        alarm(SEED_SECONDS_MAX);
        uint64_t hash = seed_run(scenario, seed, options->trace, report);

        if (seed % TWICE_EVERY == 0 && seed_run(scenario, seed, false, NULL) != hash)
            sim_fail("the same seed gave two different traces");
        report->hash = (report->hash ^ hash) * 0x100000001b3u;
    }
}

static bool report_check(const struct run_options *options, const struct sim_scenario *scenario,
                         const struct run_report *report)
{
    bool counted = !options->uncounted && options->last - options->first + 1 >= COUNTED_FROM;
    bool good = true;

    for (uint32_t index = 0; index < scenario->fault_count; index++) {
        enum sim_fault fault = scenario->faults[index];

        if (!options->quiet)
            printf("  %12" PRIu64 "  %s: %s\n", report->injected[fault], sim_fault_name(fault),
                   sim_fault_text(fault));
        if (counted && report->injected[fault] == 0) {
            fprintf(stderr, "sim: FAILED: %s: the fault %s was never injected\n", scenario->name,
                    sim_fault_name(fault));
            good = false;
        }
    }
    for (int index = 0; index < SIM_NAMES_MAX && scenario->states[index]; index++) {
        if (!options->quiet)
            printf("  %12" PRIu64 "  times: %s\n", report->states[index], scenario->states[index]);
        if (counted && report->states[index] == 0) {
            fprintf(stderr, "sim: FAILED: %s: never: %s\n", scenario->name,
                    scenario->states[index]);
            good = false;
        }
    }
    return good;
}

static bool scenario_run(const struct run_options *options, const struct sim_scenario *scenario)
{
    struct run_report *report =
        mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    if (report == MAP_FAILED)
        abort();
    fflush(NULL);
    pid_t child = fork();

    if (child < 0)
        abort();
    if (child == 0) {
        child_main(options, scenario, report);
        exit(0);
    }
    waitpid(child, &status, 0);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;

    if (!good)
        fprintf(stderr,
                "sim: FAILED: scenario %s, seed %" PRIu64 " (%s %d); replay: %s %s %" PRIu64
                " --trace\n",
                scenario->name, report->seed, WIFSIGNALED(status) ? "signal" : "status",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), options->program,
                scenario->name, report->seed);
    printf("%s %s: seeds %" PRIu64 "..%" PRIu64 ", %" PRIu64 " calls, %.0f virtual seconds, trace "
           "%016" PRIx64 "\n",
           good ? "ok" : "FAILED", scenario->name, options->first, report->seed, report->calls,
           (double)report->virtual_ns / (double)SIM_NS_PER_S, report->hash);
    if (good)
        good = report_check(options, scenario, report);
    munmap(report, sizeof(*report));
    return good;
}

static int usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [SCENARIO] [SEED | --seeds A..B] [--trace] [--quiet] [--uncounted]\n"
            "       %s --list\n",
            program, program);
    return 64;
}

static bool seeds_parse(const char *text, struct run_options *options)
{
    char *end;

    options->first = strtoull(text, &end, 10);
    options->last = options->first;
    if (strncmp(end, "..", 2) == 0)
        options->last = strtoull(end + 2, &end, 10);
    return end != text && *end == '\0' && options->first <= options->last;
}

static bool options_parse(int argc, char **argv, struct run_options *options)
{
    *options = (struct run_options){.program = argv[0], .first = 1, .last = 100};
    for (int index = 1; index < argc; index++) {
        const char *word = argv[index];

        if (strcmp(word, "--trace") == 0)
            options->trace = true;
        else if (strcmp(word, "--quiet") == 0)
            options->quiet = true;
        else if (strcmp(word, "--uncounted") == 0)
            options->uncounted = true;
        else if (strcmp(word, "--seeds") == 0 && index + 1 < argc) {
            if (!seeds_parse(argv[++index], options))
                return false;
        } else if (word[0] >= '0' && word[0] <= '9') {
            if (!seeds_parse(word, options))
                return false;
        } else if (word[0] == '-' || options->scenario)
            return false;
        else
            options->scenario = word;
    }
    return true;
}

int sim_run_main(int argc, char **argv, const struct sim_scenario *const *scenarios, size_t count)
{
    struct run_options options;
    size_t ran = 0;
    bool good = true;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t index = 0; index < count; index++)
            printf("%-12s %s\n", scenarios[index]->name, scenarios[index]->what);
        return 0;
    }
    if (!options_parse(argc, argv, &options))
        return usage(argv[0]);
    for (size_t index = 0; index < count; index++) {
        if (options.scenario && strcmp(options.scenario, scenarios[index]->name) != 0)
            continue;
        ran++;
        good = scenario_run(&options, scenarios[index]) && good;
    }
    if (ran == 0)
        return usage(argv[0]);
    return good ? 0 : 1;
}
