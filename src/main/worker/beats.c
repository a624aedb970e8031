/*
 * The times of signs of life.  Nothing here can fail.
 */
#include "main/worker/beats.h"

#include "base/check.h"
#include "process/master.h"

enum {
    HUNG_TIMEOUT_MS_DEFAULT = 10 * 1000,
    BEATS_PER_HUNG = 4, /* signs of life in the time without one that is fatal */
};

_Static_assert((int)HUNG_TIMEOUT_MS_DEFAULT / (int)BEATS_PER_HUNG >= (int)BEAT_MS,
               "the default beat holds");
_Static_assert((int)HUNG_TIMEOUT_MS_DEFAULT > (int)STILL_MS,
               "a worker stands still before it counts as hung");

uint32_t beats_hung_ms(const struct options *options)
{
    uint32_t given = options->process.hung_timeout_ms;

    if (given == PX_OFF)
        return 0;
    return given == 0 ? HUNG_TIMEOUT_MS_DEFAULT : given;
}

uint32_t beats_beat_ms(const struct options *options)
{
    uint32_t hung_ms = beats_hung_ms(options);
    uint32_t most_ms = hung_ms / BEATS_PER_HUNG;

    uint32_t beat_ms = hung_ms == 0 || most_ms > BEAT_MS ? BEAT_MS : most_ms + (most_ms == 0);

    CHECK(beat_ms > 0 && (hung_ms == 0 || beat_ms <= hung_ms));
    return beat_ms;
}
