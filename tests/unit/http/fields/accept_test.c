/*
 * Accept-Encoding and Accept: the examples of RFC 9110, malformed elements, and thousands of
 * generated lists whose meaning is known before they are written down.
 */
#include "lib/test.h"

#include <stdlib.h>
#include <string.h>

#include "http/fields/accept.h"

enum { ALL = 1U << CODING_GZIP | 1U << CODING_BROTLI | 1U << CODING_ZSTD };

/* The order as text: "br gzip". */
static const char *order_of(const char *value, uint32_t offered)
{
    static char text[64];
    struct accept_coding accept;
    enum coding codings[CODING_COUNT];

    accept_coding_init(&accept);
    if (value)
        accept_coding_add(&accept, px_str_of(value));
    uint32_t count = accept_coding_order(&accept, offered, codings);

    text[0] = '\0';
    for (uint32_t index = 0; index < count; index++) {
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, "%s%s", index > 0 ? " " : "",
                 coding_name(codings[index]).ptr);
    }
    return text;
}

static void codings_are_ordered(void **state)
{
    static const struct {
        const char *value; /* NULL: no such field */
        const char *order;
    } cases[] = {
        /* RFC 9110 section 12.5.3, its examples. */
        {"compress, gzip", "gzip"},
        {"", ""},
        {"*", "gzip br zstd"},
        {"compress;q=0.5, gzip;q=1.0", "gzip"},
        {"gzip;q=1.0, identity; q=0.5, *;q=0", "gzip"},
        /* What clients send. */
        {NULL, ""},
        {"gzip, deflate, br, zstd", "zstd br gzip"},
        {"gzip, deflate, br", "br gzip"},
        {"gzip, deflate", "gzip"},
        {"deflate, gzip;q=1.0, *;q=0.5", "gzip br zstd"},
        {"identity", ""},
        {"identity;q=1, *;q=0", ""},
        /* Weights. */
        {"gzip;q=0.9, br;q=0.8, zstd;q=0.7", "gzip br zstd"},
        {"gzip;q=0", ""},
        {"gzip;q=0.000", ""},
        {"gzip;q=0.001", "gzip"},
        {"gzip;q=0, *", "br zstd"},
        {"br;q=0, gzip", "gzip"},
        {"gzip;q=0.5, identity", ""},
        {"gzip;q=0.5, identity;q=0.4", "gzip"},
        {"gzip;q=0.5, identity;q=0.5", "gzip"},
        {"gzip;q=0.4, *;q=0.5", "br zstd"},
        {"identity;q=0, *;q=0", ""},
        {"identity;q=0", ""},
        {"identity;q=0, gzip;q=0.1", "gzip"},
        /* Case, blanks, empty elements, the old name. */
        {"GZip;Q=1", "gzip"},
        {" , ,gzip\t; q=1 ,, ", "gzip"},
        {"x-gzip", "gzip"},
        {"gzip;;q=0.5", "gzip"},
        /* The first of two counts. */
        {"gzip;q=0, gzip", ""},
        {"gzip, gzip;q=0", "gzip"},
        {"*;q=0, *", ""},
        /* Malformed elements are not there. */
        {"gzip;q=2", ""},
        {"gzip;q=1.001", ""},
        {"gzip;q=0.0001", ""},
        {"gzip;q=-1", ""},
        {"gzip;q=.5", ""},
        {"gzip;q=", ""},
        {"gzip;q", ""},
        {"gzip;q=\"1\"", ""},
        {"gzip q=1", ""},
        {"gzip;q=1;q=1", ""},
        {"gzip;q=1.", "gzip"},
        {"gzip;q=0.", ""},
        {"gzip;a=b", "gzip"},
        {"gzip;q=x, br", "br"},
        {"\"gzip", ""},
        {"gzip\"", ""},
        {"gzipp, gzi, z, brr", ""},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_string_equal(order_of(cases[index].value, ALL), cases[index].order);
    assert_string_equal(order_of("gzip, br, zstd", 1U << CODING_GZIP), "gzip");
    assert_string_equal(order_of("gzip, br, zstd", 0), "");
}

static void lines_are_one_list(void **state)
{
    static const px_field fields[] = {
        {{"Accept-Encoding", 15}, {"gzip;q=0.5", 10}}, {{"Accept", 6}, {"text/html;q=0.5", 15}},
        {{"accept-ENCODING", 15}, {"br", 2}},          {{"accept", 6}, {"application/json", 16}},
        {{"Accept-Encodings", 16}, {"zstd", 4}},
    };
    struct accept_coding accept;
    struct accept_type html;
    struct accept_type json;

    (void)state;
    accept_coding_read(&accept, fields, 5);
    assert_true(accept.present);
    assert_int_equal(accept_coding_weight(&accept, CODING_GZIP), 500);
    assert_int_equal(accept_coding_weight(&accept, CODING_BROTLI), 1000);
    assert_int_equal(accept_coding_weight(&accept, CODING_ZSTD), 0);
    assert_int_equal(accept_coding_weight(&accept, CODING_IDENTITY), 1);
    accept_type_init(&html, "text", "html");
    accept_type_init(&json, "application", "json");
    accept_type_read(&html, fields, 5);
    accept_type_read(&json, fields, 5);
    assert_int_equal(accept_type_weight(&html), 500);
    assert_int_equal(accept_type_weight(&json), 1000);
    accept_coding_read(&accept, fields + 1, 1);
    assert_false(accept.present);
}

/* --- Generated lists ------------------------------------------------------------------------ */

struct element {
    const char *name;
    int coding; /* -1: "*", CODING_COUNT: unknown */
    uint32_t weight;
};

static uint32_t random_below(uint64_t *seed, uint32_t limit)
{
    *seed = *seed * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*seed >> 33) % limit;
}

static size_t put_blanks(char *out, uint64_t *seed)
{
    size_t count = random_below(seed, 3);

    for (size_t index = 0; index < count; index++)
        out[index] = random_below(seed, 2) ? ' ' : '\t';
    return count;
}

static void put_weight(char *out, size_t room, uint32_t weight, uint64_t *seed)
{
    if (weight == WEIGHT_MAX && random_below(seed, 2))
        snprintf(out, room, "%s", random_below(seed, 2) ? "1" : "1.00");
    else if (weight % 100 == 0 && random_below(seed, 2))
        snprintf(out, room, "%u.%u", weight / 1000, weight / 100 % 10);
    else
        snprintf(out, room, "%u.%03u", weight / 1000, weight % 1000);
}

static size_t list_write(const struct element *elements, size_t count, char *out, uint64_t *seed)
{
    size_t len = 0;

    for (size_t index = 0; index < count; index++) {
        char weight[16];

        if (index > 0)
            out[len++] = ',';
        len += put_blanks(out + len, seed);
        memcpy(out + len, elements[index].name, strlen(elements[index].name));
        len += strlen(elements[index].name);
        if (elements[index].weight < WEIGHT_MAX || random_below(seed, 2)) {
            put_weight(weight, sizeof(weight), elements[index].weight, seed);
            len += put_blanks(out + len, seed);
            out[len++] = ';';
            len += put_blanks(out + len, seed);
            out[len++] = random_below(seed, 2) ? 'q' : 'Q';
            out[len++] = '=';
            memcpy(out + len, weight, strlen(weight));
            len += strlen(weight);
        }
        len += put_blanks(out + len, seed);
    }
    return len;
}

/* The slow way: looks through the elements for each coding. */
static uint32_t model_weight(const struct element *elements, size_t count, int coding)
{
    for (size_t index = 0; index < count; index++) {
        if (elements[index].coding == coding)
            return elements[index].weight;
    }
    for (size_t index = 0; index < count; index++) {
        if (elements[index].coding == -1)
            return elements[index].weight;
    }
    return coding == CODING_IDENTITY ? 1 : 0;
}

static void generated_lists_mean_what_they_say(void **state)
{
    static const struct element known[] = {
        {"gzip", CODING_GZIP, 0},
        {"x-gzip", CODING_GZIP, 0},
        {"br", CODING_BROTLI, 0},
        {"zstd", CODING_ZSTD, 0},
        {"*", -1, 0},
        {"identity", CODING_IDENTITY, 0},
        {"deflate", CODING_COUNT, 0},
        {"compress", CODING_COUNT, 0},
        {"zstd-dict", CODING_COUNT, 0},
    };
    uint64_t seed = 1;

    (void)state;
    for (uint32_t run = 0; run < 20000; run++) {
        struct element elements[8];
        size_t count = random_below(&seed, 9);
        char text[512];
        struct accept_coding accept;
        enum coding codings[CODING_COUNT];

        for (size_t index = 0; index < count; index++) {
            elements[index] = known[random_below(&seed, sizeof(known) / sizeof(known[0]))];
            elements[index].weight = random_below(&seed, 3) == 0 ? random_below(&seed, 1001)
                                                                 : random_below(&seed, 5) * 250;
        }
        /* Cut into two lines at random. */
        size_t first = random_below(&seed, (uint32_t)count + 1);

        accept_coding_init(&accept);
        accept_coding_add(&accept, px_str_make(text, list_write(elements, first, text, &seed)));
        accept_coding_add(
            &accept, px_str_make(text, list_write(elements + first, count - first, text, &seed)));
        for (int coding = 0; coding < CODING_COUNT; coding++)
            assert_int_equal(accept_coding_weight(&accept, (enum coding)coding),
                             model_weight(elements, count, coding));
        uint32_t ordered = accept_coding_order(&accept, ALL, codings);
        uint32_t identity = model_weight(elements, count, CODING_IDENTITY);
        uint32_t wanted = 0;

        for (int coding = CODING_GZIP; coding < CODING_COUNT; coding++) {
            uint32_t weight = model_weight(elements, count, coding);

            wanted += weight > 0 && weight >= identity;
        }
        assert_int_equal(ordered, wanted);
        for (uint32_t index = 1; index < ordered; index++)
            assert_true(model_weight(elements, count, (int)codings[index - 1]) >=
                        model_weight(elements, count, (int)codings[index]));
    }
}

/* --- Media types ---------------------------------------------------------------------------- */

static void media_ranges_are_weighed(void **state)
{
    static const struct {
        const char *value;
        uint32_t html;
        uint32_t json;
    } cases[] = {
        {NULL, 1000, 1000},
        {"", 0, 0},
        {"*/*", 1000, 1000},
        {"application/json", 0, 1000},
        {"text/html", 1000, 0},
        {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", 1000, 800},
        {"application/json, text/plain, */*", 1000, 1000},
        {"application/json, */*;q=0.5", 500, 1000},
        {"text/*;q=0.3, text/html;q=0.7, text/html;level=1, */*;q=0.5", 700, 500},
        {"text/html;level=1;q=0.2", 200, 0},
        {"text/*, text/html;q=0", 0, 0},
        {"APPLICATION/JSON;Q=0.4", 0, 400},
        {"application/json;charset=utf-8", 0, 1000},
        {"application/*;q=0.2, */*;q=0.1", 100, 200},
        {"*/html, */, /*, text, *", 0, 0},
        {"text/html;q=1.5, */*;q=0.1", 100, 100},
        {"application/json;q=0.5, application/json", 0, 500},
        {"text/html;a=\",\", application/json;q=0.1", 1000, 100},
    };

    (void)state;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++) {
        struct accept_type html;
        struct accept_type json;

        accept_type_init(&html, "text", "html");
        accept_type_init(&json, "application", "json");
        if (cases[index].value) {
            accept_type_add(&html, px_str_of(cases[index].value));
            accept_type_add(&json, px_str_of(cases[index].value));
        }
        assert_int_equal(accept_type_weight(&html), cases[index].html);
        assert_int_equal(accept_type_weight(&json), cases[index].json);
    }
}

static void names_and_suffixes(void **state)
{
    (void)state;
    assert_str_equal(coding_name(CODING_BROTLI), LITERAL("br"));
    assert_str_equal(coding_suffix(CODING_IDENTITY), LITERAL(""));
    assert_str_equal(coding_suffix(CODING_GZIP), LITERAL(".gz"));
    assert_str_equal(coding_suffix(CODING_BROTLI), LITERAL(".br"));
    assert_str_equal(coding_suffix(CODING_ZSTD), LITERAL(".zst"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codings_are_ordered),
        cmocka_unit_test(lines_are_one_list),
        cmocka_unit_test(media_ranges_are_weighed),
        cmocka_unit_test(generated_lists_mean_what_they_say),
        cmocka_unit_test(names_and_suffixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
