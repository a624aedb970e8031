/*
 * A look at folders by their paths: device and inode of each, in one number.
 *
 * While one is missing, as between a removal and what takes its place, nothing is said of any.
 */
#include "main/run/run_roots.h"

#include <string.h>
#include <sys/stat.h>

struct look {
    uint64_t hash;
    const char *last; /* hosts in a row often serve one folder */
    uint32_t count;
    bool is_whole;
};

/* FNV-1a: nothing that could make two looks collide needs to. */
static void mix(struct look *look, uint64_t number)
{
    for (int byte = 0; byte < 8; byte++)
        look->hash = (look->hash ^ (number >> (8 * byte) & 0xff)) * 0x100000001b3U;
}

static void folder_look(struct look *look, const char *path)
{
    struct stat status;

    if (look->count == RUN_ROOTS_MAX || (look->last && strcmp(look->last, path) == 0))
        return;
    look->last = path;
    look->count++;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        look->is_whole = false;
        return;
    }
    mix(look, (uint64_t)status.st_dev);
    mix(look, (uint64_t)status.st_ino);
}

uint64_t run_roots_look(const struct config *config)
{
    struct look look = {.hash = 0xcbf29ce484222325U, .is_whole = true};

    for (const struct config_host *host = config->settings->hosts; host; host = host->next)
        for (const struct config_route *route = host->routes; route; route = route->next)
            for (uint32_t i = 0; i < route->step_count; i++)
                if (node_is(route->steps[i].node, "files"))
                    folder_look(&look, route->steps[i].node->values[0].text.ptr);
    return look.is_whole ? look.hash : 0;
}
