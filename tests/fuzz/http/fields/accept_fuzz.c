/*
 * Accept-Encoding and Accept: weights stay in range, the order is one of what is offered and
 * acceptable, and a list that is cut in two lines at a comma outside of quotes means the same.
 */
#include <stdint.h>

#include "base/check.h"
#include "http/fields/accept.h"
#include "http/fields/field.h"
#include "http/fields/media_type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_order(const struct accept_coding *accept)
{
    for (uint32_t offered = 0; offered < 1U << CODING_COUNT; offered++) {
        enum coding codings[CODING_COUNT];
        uint32_t count = accept_coding_order(accept, offered, codings);
        uint32_t seen = 0;

        CHECK(count < CODING_COUNT);
        for (uint32_t index = 0; index < count; index++) {
            CHECK(offered & 1U << codings[index]);
            CHECK(!(seen & 1U << codings[index]));
            seen |= 1U << codings[index];
            uint32_t weight = accept_coding_weight(accept, codings[index]);

            CHECK(weight > 0 && weight <= WEIGHT_MAX);
            CHECK(index == 0 || accept_coding_weight(accept, codings[index - 1]) >= weight);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    px_str input = px_str_make((const char *)data, len);
    px_str rest = input;
    px_str element;
    struct accept_coding whole;
    struct accept_coding parts;
    struct accept_type html;
    struct accept_type html_parts;

    accept_coding_init(&whole);
    accept_coding_add(&whole, input);
    check_order(&whole);
    accept_coding_init(&parts);
    accept_type_init(&html, "text", "html");
    accept_type_add(&html, input);
    CHECK(accept_type_weight(&html) <= WEIGHT_MAX);
    accept_type_init(&html_parts, "text", "html");
    accept_type_add(&html_parts, px_str_make("", 0));
    while (field_list_next(&rest, &element)) {
        accept_coding_add(&parts, element);
        accept_type_add(&html_parts, element);
    }
    for (uint32_t coding = 0; coding < CODING_COUNT; coding++)
        CHECK(accept_coding_weight(&whole, (enum coding)coding) ==
              accept_coding_weight(&parts, (enum coding)coding));
    CHECK(accept_type_weight(&html) == accept_type_weight(&html_parts));

    /* The same bytes as a name of a file and as a type. */
    px_str type = media_type_of(input);

    CHECK(type.len > 0);
    (void)media_type_compressible(input);
    return 0;
}
