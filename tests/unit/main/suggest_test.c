/*
 * Which name a slip of the fingers was meant to be, and which words are near nothing.
 */
#include "main/flags/suggest.h"

#include <string.h>

#include "lib/test.h"

static const char *const names[] = {"listen",          "listing", "log",   "log-file",
                                    "max-connections", "w",       "files", "h2c"};

static const char *nearest(const char *word)
{
    struct suggestion near = suggest(word, strlen(word));

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        suggest_try(&near, names[i]);
    return near.nearest;
}

static void words(void **state)
{
    static const struct {
        const char *word;
        const char *nearest;
    } cases[] = {
        {"lisen", "listen"},     /* left out */
        {"lissten", "listen"},   /* put in */
        {"lixten", "listen"},    /* replaced */
        {"lsiten", "listen"},    /* swapped */
        {"lsietn", "listen"},    /* twice */
        {"listeing", "listing"}, /* the nearer one */
        {"lst", NULL},           /* three away */
        {"logfile", "log-file"},
        {"log_file", "log-file"},
        {"max-conections", "max-connections"},
        {"max-conn", "max-connections"}, /* a beginning, however long the rest is */
        {"lis", "listen"},               /* of several the first */
        {"l", NULL},                     /* a single letter is the beginning of much */
        {"x", NULL},
        {"h2x", "h2c"},
        {"log", "log"},
        {"", NULL},
        {"nonsense", NULL},
        {"a-word-that-is-longer-than-any-of-our-flags-is", NULL},
    };

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), 19);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *found = nearest(cases[i].word);

        if (!cases[i].nearest)
            assert_null(found);
        else
            assert_string_equal(found ? found : "(none)", cases[i].nearest);
    }
}

/* The longest word that is looked at, against the longest name. */
static void edges(void **state)
{
    char word[34];
    char name[34];

    (void)state;
    for (size_t len = 31; len <= 33; len++) {
        memset(word, 'a', len);
        memset(name, 'a', len);
        word[len] = name[len] = '\0';
        name[len - 1] = 'b';
        struct suggestion near = suggest(word, len);

        suggest_try(&near, name);
        assert_int_equal(near.nearest == name, len <= 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(words), cmocka_unit_test(edges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
