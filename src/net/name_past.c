/*
 * What a name had a while ago.
 */
#include "net/name_past.h"

#include <string.h>
#include <sys/socket.h>

#include "base/check.h"

static bool seen_make(const struct net_address *address, struct name_seen *out_seen)
{
    sa_family_t family = address->socket.any.sa_family;

    *out_seen = (struct name_seen){.family = (uint8_t)family};
    if (family == AF_INET)
        memcpy(out_seen->bytes, &address->socket.v4.sin_addr, sizeof(address->socket.v4.sin_addr));
    else if (family == AF_INET6)
        memcpy(out_seen->bytes, &address->socket.v6.sin6_addr,
               sizeof(address->socket.v6.sin6_addr));
    return family == AF_INET || family == AF_INET6;
}

/* Its place; `count`: there is none. */
static uint32_t seen_find(const struct name_past *past, const struct name_seen *wanted)
{
    uint32_t place = 0;

    while (place < past->count &&
           (past->seen[place].family != wanted->family ||
            memcmp(past->seen[place].bytes, wanted->bytes, sizeof(wanted->bytes)) != 0))
        place++;
    return place;
}

/* A place for one more: where there is none, that of the one that was not seen for longest. */
static uint32_t seen_place(struct name_past *past)
{
    uint32_t oldest = 0;

    CHECK(past->count <= NAME_PAST_MAX);
    if (past->count < NAME_PAST_MAX)
        return past->count++;
    for (uint32_t place = 1; place < past->count; place++)
        if (past->seen[place].answer < past->seen[oldest].answer)
            oldest = place;
    return oldest;
}

void name_past_note(struct name_past *past, const struct net_address *addresses, size_t count,
                    uint64_t now_ms)
{
    uint32_t answer = ++past->answers;
    struct name_seen wanted;

    CHECK(count <= ADDRESS_COUNT_MAX);
    for (size_t index = 0; index < count; index++) {
        if (!seen_make(&addresses[index], &wanted))
            continue;
        uint32_t place = seen_find(past, &wanted);

        if (place == past->count)
            place = seen_place(past);
        else if (past->seen[place].answer + 1 < answer &&
                 now_ms - past->seen[place].seen_ms < NAME_PAST_MS)
            past->rotates_until_ms = now_ms + NAME_PAST_MS;
        wanted.seen_ms = now_ms;
        wanted.answer = answer;
        past->seen[place] = wanted;
    }
}

bool name_past_has(const struct name_past *past, const struct net_address *address, uint64_t now_ms)
{
    struct name_seen wanted;

    if (!seen_make(address, &wanted))
        return false;
    uint32_t place = seen_find(past, &wanted);

    if (place == past->count)
        return false;
    return past->seen[place].answer == past->answers ||
           (now_ms < past->rotates_until_ms && now_ms - past->seen[place].seen_ms < NAME_PAST_MS);
}
