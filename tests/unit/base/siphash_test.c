/*
 * SipHash-1-3 against its authors' vectors: key 00 01 ... 0f, input 00 01 02 ...
 */
#include "base/siphash.h"

#include "lib/test.h"

static void vectors_agree(void **state)
{
    static const struct {
        size_t count;
        uint64_t hash;
    } cases[] = {
        {0, UINT64_C(0xabac0158050fc4dc)},  {1, UINT64_C(0xc9f49bf37d57ca93)},
        {7, UINT64_C(0xd3927d989bb11140)},  {8, UINT64_C(0x369095118d299a8e)},
        {9, UINT64_C(0x25a48eb36c063de4)},  {15, UINT64_C(0xd320d86d2a519956)},
        {16, UINT64_C(0xcc4fdd1a7d908b66)}, {63, UINT64_C(0x9d199062b7bbb3a8)},
    };
    const struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    unsigned char bytes[64];

    (void)state;
    for (size_t index = 0; index < sizeof(bytes); index++)
        bytes[index] = (unsigned char)index;
    for (size_t index = 0; index < sizeof(cases) / sizeof(cases[0]); index++)
        assert_true(siphash(&key, bytes, cases[index].count) == cases[index].hash);
}

static void keys_differ(void **state)
{
    const struct siphash_key one = {1, 0}, two = {0, 1};

    (void)state;
    assert_true(siphash(&one, "a", 1) != siphash(&two, "a", 1));
    assert_true(siphash(&one, "a", 1) != siphash(&one, "b", 1));
    assert_true(siphash(&one, "a\0", 2) != siphash(&one, "a", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_agree),
        cmocka_unit_test(keys_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
