/*
 * What a worker is given by the program: all that one of its two kinds needs.
 */
#include "base/check.h"
#include "main/worker/worker.h"

void worker_check(const struct worker *worker)
{
    CHECK(worker->options && worker->sandbox && worker->listeners);
    CHECK(worker->logs && worker->counts && worker->counts->metrics);
    CHECK((worker->ends.word_fd >= 0) == (worker->ends.answer_fd >= 0));
    if (worker_is_alone(worker)) {
        CHECK(worker->worker_count == 0 && worker->root_fd < 0);
        CHECK(worker->log && worker->dates && worker->notify && worker->on_ready);
    } else {
        CHECK(worker->block && worker->beat_ms > 0);
        CHECK(!worker->swap && !worker->watch); /* a master reads anew what has changed */
    }
    options_check(worker->options);
}
