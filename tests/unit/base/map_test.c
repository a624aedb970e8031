/*
 * The map against a slow model: random puts, finds, removals and bounds, with what was evicted told
 * once; and with each allocation failing.
 */
#include "lib/test.h"

#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/map.h"
#include "lib/fault_alloc.h"

enum { OBJECTS = 64, TURNS = 40000, BYTES_MAX = 1000, COUNT_MAX = 40 };

struct object {
    struct map_entry entry;
    char key[8];
    uint32_t stamp; /* when it was last used; 0: not in the map */
};

struct world {
    struct map map;
    struct object objects[OBJECTS];
    uint32_t evicted;
};

static void on_evicted(struct map_entry *entry, void *context)
{
    struct world *world = context;
    struct object *object = CONTAINER_OF(entry, struct object, entry);

    assert_true(object->stamp > 0);
    object->stamp = 0;
    world->evicted++;
}

static void world_begin(struct world *world, const px_allocator *allocator)
{
    const struct map_options options = {allocator, {1, 2}, BYTES_MAX, COUNT_MAX, on_evicted, world};

    memset(world, 0, sizeof(*world));
    map_init(&world->map, &options);
}

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % limit;
}

static px_str key_of(struct object *object, uint32_t number)
{
    int len = snprintf(object->key, sizeof(object->key), "k%u", number);

    return px_str_make(object->key, (size_t)len);
}

static struct object *oldest(struct world *world)
{
    struct object *found = NULL;

    for (uint32_t index = 0; index < OBJECTS; index++) {
        struct object *object = &world->objects[index];

        if (object->stamp > 0 && (!found || object->stamp < found->stamp))
            found = object;
    }
    return found;
}

/* What is there, by the model. */
static void compare(struct world *world)
{
    uint32_t count = 0;
    size_t bytes = 0;

    for (uint32_t index = 0; index < OBJECTS; index++) {
        count += world->objects[index].stamp > 0;
        bytes += world->objects[index].stamp > 0 ? world->objects[index].entry.bytes : 0;
    }
    assert_int_equal(world->map.count, count);
    assert_int_equal(world->map.bytes, bytes);
    struct map_entry *entry = map_oldest(&world->map);

    assert_ptr_equal(entry ? CONTAINER_OF(entry, struct object, entry) : NULL, oldest(world));
    map_check(&world->map);
}

static void map_is_its_model(void **state)
{
    static struct world world;
    uint64_t seed = 7;
    uint32_t found = 0, put = 0, removed = 0;

    (void)state;
    world_begin(&world, &alloc_libc);
    for (uint32_t turn = 1; turn <= TURNS; turn++) {
        struct object *object = &world.objects[random_below(&seed, OBJECTS)];
        uint32_t what = random_below(&seed, 8);

        if (what < 4 && object->stamp == 0) {
            px_str key = key_of(object, random_below(&seed, OBJECTS));
            size_t bytes = random_below(&seed, 60);

            assert_int_equal(map_put(&world.map, &object->entry, key, bytes), PX_OK);
            object->stamp = turn;
            put++;
        } else if (what < 7) {
            char text[8];
            int len = snprintf(text, sizeof(text), "k%u", random_below(&seed, OBJECTS));
            struct map_entry *entry = map_find(&world.map, px_str_make(text, (size_t)len));

            if (entry) {
                assert_int_equal(memcmp(entry->key.ptr, text, (size_t)len), 0);
                CONTAINER_OF(entry, struct object, entry)->stamp = turn;
                found++;
            }
        } else if (object->stamp > 0) {
            map_remove(&world.map, &object->entry);
            object->stamp = 0;
            removed++;
        }
        compare(&world);
    }
    assert_true(found > 1000 && put > 1000 && removed > 1000 && world.evicted > 1000);
    map_deinit(&world.map);
    assert_null(oldest(&world));
}

static void bounds_are_kept(void **state)
{
    static struct world world;

    (void)state;
    world_begin(&world, &alloc_libc);
    struct object *first = &world.objects[0], *second = &world.objects[1];

    assert_int_equal(map_put(&world.map, &first->entry, LITERAL("a"), BYTES_MAX), PX_OK);
    first->stamp = 1;
    assert_int_equal(map_put(&world.map, &second->entry, LITERAL("b"), BYTES_MAX + 1),
                     PX_ERR_LIMIT);
    assert_ptr_equal(map_find(&world.map, LITERAL("a")), &first->entry);
    assert_int_equal(map_put(&world.map, &second->entry, LITERAL("b"), 1), PX_OK);
    second->stamp = 2;
    assert_int_equal(first->stamp, 0);
    assert_null(map_find(&world.map, LITERAL("a")));
    assert_null(map_find(&world.map, px_str_of(NULL)));
    map_shrink(&world.map, 0);
    assert_int_equal(world.evicted, 2);
    map_deinit(&world.map);
}

/* What was found or put since the last call stays; much goes in parts. */
static void what_is_not_used_grows_old(void **state)
{
    static struct world world;

    (void)state;
    world_begin(&world, &alloc_libc);
    assert_int_equal(map_age(&world.map, 10), 0);
    for (uint32_t index = 0; index < 10; index++) {
        struct object *object = &world.objects[index];

        assert_int_equal(map_put(&world.map, &object->entry, key_of(object, index), 1), PX_OK);
        object->stamp = index + 1;
    }
    assert_int_equal(map_age(&world.map, 4), 0);
    assert_non_null(map_find(&world.map, world.objects[0].entry.key));
    assert_int_equal(map_age(&world.map, 4), 4);
    /* It was cut short: what is young does not grow old by that. */
    assert_int_equal(map_age(&world.map, 4), 4);
    assert_int_equal(map_age(&world.map, 4), 1);
    assert_int_equal(world.map.count, 1);
    assert_int_equal(world.objects[0].stamp, 1);
    map_check(&world.map);
    assert_int_equal(map_age(&world.map, 4), 1);
    assert_int_equal(world.evicted, 10);
    map_deinit(&world.map);
}

/* A table that cannot grow serves all the same. */
static void fill(const px_allocator *allocator, void *context)
{
    static struct world world;

    (void)context;
    world_begin(&world, allocator);
    for (uint32_t index = 0; index < COUNT_MAX; index++) {
        struct object *object = &world.objects[index];
        px_err err = map_put(&world.map, &object->entry, key_of(object, index), 1);

        assert_true(err == PX_OK || (err == PX_ERR_MEMORY && world.map.bucket_count == 0));
        object->stamp = err == PX_OK ? index + 1 : 0;
        assert_ptr_equal(map_find(&world.map, object->entry.key),
                         err == PX_OK ? &object->entry : NULL);
    }
    compare(&world);
    map_deinit(&world.map);
}

static void memory_may_be_missing(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("map", fill, NULL) >= 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_is_its_model),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(what_is_not_used_grows_old),
        cmocka_unit_test(memory_may_be_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
