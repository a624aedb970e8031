/*
 * The intrusive list, against a plain array that does the same.
 */
#include "base/list.h"

#include <stdint.h>
#include <string.h>

#include "lib/test.h"

struct node {
    int number;
    struct list link;
};

/* Fails unless the list holds exactly these numbers, forwards and backwards. */
static void assert_holds(struct list *list, const int *numbers, size_t count)
{
    size_t index = 0;

    for (struct list *at = list->next; at != list; at = at->next, index++) {
        assert_true(index < count);
        assert_int_equal(LIST_ENTRY(at, struct node, link)->number, numbers[index]);
        assert_ptr_equal(at->next->prev, at);
        assert_true(list_linked(at));
    }
    assert_int_equal(index, count);
    for (struct list *at = list->prev; at != list; at = at->prev)
        assert_int_equal(LIST_ENTRY(at, struct node, link)->number, numbers[--index]);
    assert_int_equal(index, 0);
    assert_int_equal(list_empty(list), count == 0);
}

static void empty_points_at_itself(void **state)
{
    struct list list = LIST_INIT(list);
    struct node node;

    (void)state;
    assert_true(list_empty(&list));
    list_init(&node.link);
    assert_false(list_linked(&node.link));
    /* Taking off what is on no list is fine, and so is doing it again. */
    list_remove(&node.link);
    list_remove(&node.link);
    assert_false(list_linked(&node.link));
    assert_holds(&list, NULL, 0);
}

static void appends_anywhere(void **state)
{
    struct list list = LIST_INIT(list);
    struct node nodes[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};

    (void)state;
    list_append(&list, &nodes[1].link);
    list_append(&list, &nodes[2].link);
    list_append(list.next, &nodes[0].link);
    list_append(&list, &nodes[3].link);
    assert_holds(&list, (const int[]){0, 1, 2, 3}, 4);
    list_remove(&nodes[1].link);
    assert_false(list_linked(&nodes[1].link));
    assert_holds(&list, (const int[]){0, 2, 3}, 3);
    list_remove(&nodes[0].link);
    list_remove(&nodes[3].link);
    assert_holds(&list, (const int[]){2}, 1);
    list_remove(&nodes[2].link);
    assert_holds(&list, NULL, 0);
}

static void splice_moves_all(void **state)
{
    struct list first = LIST_INIT(first);
    struct list second = LIST_INIT(second);
    struct node nodes[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};

    (void)state;
    list_splice(&first, &second);
    assert_holds(&first, NULL, 0);
    list_append(&second, &nodes[0].link);
    list_splice(&first, &second);
    assert_holds(&first, (const int[]){0}, 1);
    assert_holds(&second, NULL, 0);
    list_splice(&first, &second);
    assert_holds(&first, (const int[]){0}, 1);
    for (int index = 1; index < 4; index++)
        list_append(&second, &nodes[index].link);
    list_splice(&first, &second);
    assert_holds(&first, (const int[]){0, 1, 2, 3}, 4);
    assert_holds(&second, NULL, 0);
}

static void does_what_an_array_does(void **state)
{
    enum { NODES = 20, STEPS = 20000 };

    struct list list = LIST_INIT(list);
    struct node nodes[NODES];
    int numbers[NODES];
    size_t count = 0;
    uint32_t random = 1;

    (void)state;
    for (int index = 0; index < NODES; index++) {
        nodes[index].number = index;
        list_init(&nodes[index].link);
    }
    for (int step = 0; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        struct node *node = &nodes[(random >> 16) % NODES];

        if (list_linked(&node->link)) {
            size_t index = 0;

            while (numbers[index] != node->number)
                index++;
            memmove(numbers + index, numbers + index + 1, (--count - index) * sizeof(*numbers));
            list_remove(&node->link);
        } else if (random & 0x100) {
            list_append(&list, &node->link);
            numbers[count++] = node->number;
        } else {
            list_append(list.next, &node->link);
            memmove(numbers + 1, numbers, count++ * sizeof(*numbers));
            numbers[0] = node->number;
        }
        assert_holds(&list, numbers, count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_points_at_itself),
        cmocka_unit_test(appends_anywhere),
        cmocka_unit_test(splice_moves_all),
        cmocka_unit_test(does_what_an_array_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
