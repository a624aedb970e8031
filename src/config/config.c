/*
 * The stages of a configuration, one after the other: reading, checking, settling, building.
 */
#include "config/config.h"

#include <string.h>

#include "base/check.h"
#include "config/serving.h"
#include "config/site/build.h"

void config_shared_deinit(struct config_shared *shared)
{
    px_rate_table_destroy(shared->rates);
    shared->rates = NULL;
    px_upstream_board_destroy(shared->board);
    shared->board = NULL;
}

/* What holds of a configuration at any time after it was opened. */
static void config_check_whole(const struct config *config)
{
    CHECK(config->hold_count > 0 && config->shared);
    CHECK(!config->site || config->settings);
    CHECK(config->settings || report_has_errors(&config->load.report));
    CHECK((config->bucket_count == 0) == !config->buckets);
    CHECK(config->is_attached || !config->attached);
}

struct config *config_open(const struct config_reader *reader, const char *path,
                           const px_allocator *allocator, struct config_shared *shared)
{
    struct config *config = alloc_take(allocator, sizeof(*config));

    if (!config)
        return NULL;
    memset(config, 0, sizeof(*config));
    config->allocator = *allocator;
    config->hold_count = 1;
    config->shared = shared;
    CHECK(reader && reader->read && shared);
    config_load_init(&config->load, reader, &config->allocator);
    px_err err = config_load_read(&config->load, path);

    /* Each stage looks at what the one before has understood, so that all is told at once; only
     * where blocks end somewhere else than they should nothing more can be said. */
    if (err != PX_OK && (config->load.is_torn || config->load.report.out_of_memory))
        return config;
    const struct config_node *nodes = config_check(&config->load);

    if (!config->load.report.out_of_memory)
        config->settings = config_settings(&config->load, nodes);
    if (config->settings)
        config_build(config);
    config_check_whole(config);
    return config;
}

void config_drop(struct config *config)
{
    CHECK(config->hold_count > 0);
    CHECK(config->hold_count > 1 || !config->site); /* its maker has closed it */
    if (--config->hold_count > 0)
        return;
    for (const struct config_made *one = config->made; one; one = one->next)
        one->release(one->thing);
    serving_release(config);
    config_load_deinit(&config->load);
    px_allocator allocator = config->allocator;

    alloc_put(&allocator, config);
}

void config_close(struct config *config)
{
    if (!config)
        return;
    px_site *site = config->site;

    config_check_whole(config);
    config->site = NULL;
    px_site_destroy(site);
    config_drop(config);
}
