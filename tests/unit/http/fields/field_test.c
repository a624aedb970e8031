/*
 * Fields: names without regard to case, what may be sent, and the grammar of lists, parameters and
 * media types; each parser also over every cut of its input, against a guard page.
 */
#include "http/fields/field.h"

#include "base/limits.h"
#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/test.h"

static void field_names_ignore_the_case_of_letters_only(void **state)
{
    (void)state;
    assert_true(field_name_is(LITERAL("Content-Length"), "content-length"));
    assert_true(field_name_is(LITERAL("CONTENT-LENGTH"), "Content-Length"));
    assert_true(field_name_is(LITERAL("host"), "Host"));
    assert_true(field_name_is(LITERAL(""), ""));
    assert_true(field_name_is(px_str_make(NULL, 0), ""));
    assert_false(field_name_is(px_str_make(NULL, 0), "host"));
    assert_false(field_name_is(LITERAL("Content-Lengt"), "content-length"));
    assert_false(field_name_is(LITERAL("Content-Lengthx"), "content-length"));
    assert_false(field_name_is(LITERAL("Content_Length"), "content-length"));
    /* All pairs of bytes: equal when the same, or the same letter. */
    for (int left = 0; left < 256; left++) {
        for (int right = 0; right < 256; right++) {
            char a = (char)left;
            char b = (char)right;
            int upper_a = left >= 'a' && left <= 'z' ? left - 32 : left;
            int upper_b = right >= 'a' && right <= 'z' ? right - 32 : right;

            assert_int_equal(field_text_equal(px_str_make(&a, 1), px_str_make(&b, 1)),
                             upper_a == upper_b);
        }
    }
}

static void field_find_gives_the_first(void **state)
{
    const px_field fields[] = {
        {LITERAL("Host"), LITERAL("a")},
        {LITERAL("X-One"), LITERAL("1")},
        {LITERAL("x-one"), LITERAL("2")},
        {LITERAL("Empty"), LITERAL("")},
    };

    (void)state;
    assert_ptr_equal(field_find(fields, 4, "X-ONE"), &fields[1]);
    assert_null(field_find(fields, 4, "x-two"));
    assert_null(field_find(fields, 1, "x-one"));
    assert_null(field_find(NULL, 0, "x-one"));
    assert_str_equal(field_find_value(fields, 4, "host"), LITERAL("a"));
    assert_str_equal(field_find_value(fields, 4, "empty"), LITERAL(""));
    assert_str_equal(field_find_value(fields, 4, "absent"), px_str_make(NULL, 0));
}

static void field_trim_drops_blanks_at_the_ends(void **state)
{
    (void)state;
    assert_str_equal(field_trim(LITERAL(" \ta b\t ")), LITERAL("a b"));
    assert_str_equal(field_trim(LITERAL("a")), LITERAL("a"));
    assert_str_equal(field_trim(LITERAL(" \t ")), LITERAL(""));
    assert_str_equal(field_trim(LITERAL("")), LITERAL(""));
    assert_str_equal(field_trim(LITERAL("\r\n")), LITERAL("\r\n"));
    assert_str_equal(field_trim(px_str_make(NULL, 0)), px_str_make(NULL, 0));
}

static void field_name_valid_takes_tokens(void **state)
{
    const char *others = "!#$%&'*+-.^_`|~";

    (void)state;
    assert_false(field_name_valid(LITERAL("")));
    assert_false(field_name_valid(px_str_make(NULL, 0)));
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = {'a', (char)byte, 'b'};
        bool expected = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                        (byte >= 'A' && byte <= 'Z') || (byte != 0 && strchr(others, byte));

        assert_int_equal(field_name_valid(px_str_make(text, 3)), expected);
        assert_int_equal(field_name_valid(px_str_make(text + 1, 1)), expected);
    }
}

static void field_value_valid_refuses_controls_and_outer_blanks(void **state)
{
    (void)state;
    assert_true(field_value_valid(LITERAL("")));
    assert_true(field_value_valid(px_str_make(NULL, 0)));
    assert_true(field_value_valid(LITERAL("a \t b")));
    assert_true(field_value_valid(LITERAL("h\xc3\xa9")));
    assert_false(field_value_valid(LITERAL(" a")));
    assert_false(field_value_valid(LITERAL("a ")));
    assert_false(field_value_valid(LITERAL("\ta")));
    assert_false(field_value_valid(LITERAL("a\t")));
    assert_false(field_value_valid(LITERAL("a\r\nSet-Cookie: x=y")));
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = {'a', (char)byte, 'b'};
        bool expected = byte == '\t' || (byte >= ' ' && byte != 0x7f);

        assert_int_equal(field_value_valid(px_str_make(text, 3)), expected);
    }
}

static void field_is_framing_knows_what_is_not_the_handlers(void **state)
{
    static const char *const framing[] = {
        "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive",
        "Upgrade",        "Trailer",           "TE",         "Proxy-Connection",
    };
    static const char *const other[] = {
        "Content-Type", "Content-Lengths",   "Trailers", "Date", "Server", "Host", "T", "",
        "Upgrades",     "Transfer_Encoding",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(framing) / sizeof(framing[0]); i++) {
        char lower[32];
        size_t len = strlen(framing[i]);

        for (size_t at = 0; at < len; at++)
            lower[at] = (char)(framing[i][at] | 0x20);
        assert_true(field_is_framing(px_str_of(framing[i])));
        assert_true(field_is_framing(px_str_make(lower, len)));
    }
    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
        assert_false(field_is_framing(px_str_of(other[i])));
}

/* Writes the elements one after another, each in square brackets. */
static void list_print(px_str list, char *out_text, size_t room)
{
    px_str element;
    size_t len = 0;

    out_text[0] = '\0';
    while (field_list_next(&list, &element)) {
        assert_true(element.len > 0);
        len +=
            (size_t)snprintf(out_text + len, room - len, "[%.*s]", (int)element.len, element.ptr);
        assert_true(len < room);
    }
    assert_int_equal(list.len, 0);
    assert_false(field_list_next(&list, &element));
}

static void field_list_takes_elements_apart(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {",", ""},
        {" , ,\t,", ""},
        {"a", "[a]"},
        {"a,b", "[a][b]"},
        {" a , b\t,, c ", "[a][b][c]"},
        {"a b", "[a b]"},
        {"\"a,b\",c", "[\"a,b\"][c]"},
        {"x=\"a\\\",b\";y=1, z", "[x=\"a\\\",b\";y=1][z]"},
        {"\"\",a", "[\"\"][a]"},
        {"\"open,a,b", "[\"open,a,b]"},
        {"a,\"b\\", "[a][\"b\\]"},
        {"\"a\"b\"c,d\",e", "[\"a\"b\"c,d\"][e]"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        list_print(px_str_of(cases[i][0]), text, sizeof(text));
        assert_string_equal(text, cases[i][1]);
    }
    list_print(px_str_make(NULL, 0), text, sizeof(text));
    assert_string_equal(text, "");
    assert_true(field_list_has(LITERAL("a, Close ,b"), "close"));
    assert_false(field_list_has(LITERAL("a, closed"), "close"));
    assert_false(field_list_has(LITERAL("\"a, close\""), "close"));
    assert_false(field_list_has(px_str_make(NULL, 0), "close"));

    const px_field lines[] = {{LITERAL("Upgrade"), LITERAL("h2c")},
                              {LITERAL("upgrade"), LITERAL("x, WebSocket")}};

    assert_true(field_lines_have(lines, 2, "upgrade", "websocket"));
    assert_false(field_lines_have(lines, 1, "upgrade", "websocket"));
    assert_false(field_lines_have(lines, 2, "connection", "websocket"));
}

/* Writes name=value; (name="value"; when quoted), and MALFORMED at the end where it is. */
static void params_print(px_str params, char *out_text, size_t room)
{
    struct field_param param;
    size_t len = 0;
    px_err err;

    out_text[0] = '\0';
    while ((err = field_param_next(&params, &param)) == PX_OK) {
        const char *quote = param.quoted ? "\"" : "";

        len +=
            (size_t)snprintf(out_text + len, room - len, "%.*s=%s%.*s%s;", (int)param.name.len,
                             param.name.ptr, quote, (int)param.value.len, param.value.ptr, quote);
        assert_true(len < room);
    }
    if (err == PX_ERR_MALFORMED)
        snprintf(out_text + len, room - len, "MALFORMED");
    else
        assert_int_equal(err, PX_ERR_NOT_FOUND);
}

static void field_params_follow_the_grammar(void **state)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"  ", ""},
        {";", ""},
        {" ; ;\t;", ""},
        {";a=b", "a=b;"},
        {" ; a=b ; c=d ", "a=b;c=d;"},
        {";;a=b;;", "a=b;"},
        {";a=\"\"", "a=\"\";"},
        {";a=\"b;c=d\";e=f", "a=\"b;c=d\";e=f;"},
        {";a=\"x\\\"y\\\\\";b=1", "a=\"x\\\"y\\\\\";b=1;"},
        {";a=\"\xc3\xa9\t\"", "a=\"\xc3\xa9\t\";"},
        {"a=b", "MALFORMED"},
        {";a", "MALFORMED"},
        {";a=", "MALFORMED"},
        {";=b", "MALFORMED"},
        {";a =b", "MALFORMED"},
        {";a= b", "MALFORMED"},
        {";a=b c", "a=b;MALFORMED"},
        {";a=b=c", "a=b;MALFORMED"},
        {";a=\"b", "MALFORMED"},
        {";a=\"b\\\"", "MALFORMED"},
        {";a=\"b\\", "MALFORMED"},
        {";a=\"b\"c", "a=\"b\";MALFORMED"},
        {";a=\"b\nc\"", "MALFORMED"},
        {";a=\"b\\\x01\"", "MALFORMED"},
        {";a=b/c", "a=b;MALFORMED"},
        {";a=\xc3\xa9", "MALFORMED"},
        {",a=b", "MALFORMED"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        params_print(px_str_of(cases[i][0]), text, sizeof(text));
        if (strcmp(text, cases[i][1]) != 0)
            fail_msg("\"%s\" gives %s instead of %s", cases[i][0], text, cases[i][1]);
    }
    params_print(px_str_make(NULL, 0), text, sizeof(text));
    assert_string_equal(text, "");
}

static void field_param_find_refuses_doubles(void **state)
{
    struct field_param param = {0};

    (void)state;
    assert_int_equal(field_param_find(LITERAL(";a=1;Q=2;b=3"), "q", &param), PX_OK);
    assert_str_equal(param.value, LITERAL("2"));
    assert_int_equal(field_param_find(LITERAL(";a=1"), "q", &param), PX_ERR_NOT_FOUND);
    assert_int_equal(field_param_find(LITERAL(""), "q", &param), PX_ERR_NOT_FOUND);
    assert_int_equal(field_param_find(LITERAL(";q=1;Q=1"), "q", &param), PX_ERR_MALFORMED);
    /* What is malformed behind the wanted one spoils it too. */
    assert_int_equal(field_param_find(LITERAL(";q=1;x"), "q", &param), PX_ERR_MALFORMED);
    assert_str_equal(param.value, LITERAL("2"));
}

static void media_type_is_taken_apart(void **state)
{
    static const char *const bad[] = {
        "",
        "text",
        "text/",
        "/html",
        "text/html/x",
        "text /html",
        "text/ html",
        "*",
        "/",
        "a/b;c",
        "a/b; c =d",
        "a/b; c=\"d",
        "a/b, c/d",
        "a/b c",
        "a/b;c=d;e=",
        "t\xc3\xa9xt/html",
    };
    struct media_type type;

    (void)state;
    assert_int_equal(media_type_parse(LITERAL(" Text/HTML ; charset=\"utf-8\"; x=y "), &type),
                     PX_OK);
    assert_str_equal(type.type, LITERAL("Text"));
    assert_str_equal(type.subtype, LITERAL("HTML"));
    assert_true(media_type_is(&type, "text", "html"));
    assert_false(media_type_is(&type, "text", "plain"));
    assert_false(media_type_is(&type, "image", "html"));

    struct field_param param;

    assert_int_equal(field_param_find(type.params, "Charset", &param), PX_OK);
    assert_str_equal(param.value, LITERAL("utf-8"));
    assert_true(param.quoted);
    assert_int_equal(media_type_parse(LITERAL("a/b"), &type), PX_OK);
    assert_int_equal(type.params.len, 0);
    assert_int_equal(media_type_parse(LITERAL("*/*;"), &type), PX_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (media_type_parse(px_str_of(bad[i]), &type) != PX_ERR_MALFORMED)
            fail_msg("accepted: \"%s\"", bad[i]);
    }
    assert_int_equal(media_type_parse(px_str_make(NULL, 0), &type), PX_ERR_MALFORMED);
    assert_true(media_type_is(&type, "*", "*"));
}

/* Nothing is streamed here, so a cut is an input of its own: all of them, at both guard pages. */
static void field_parsers_stay_within_their_input(void **state)
{
    px_str whole = LITERAL(" text/html ; a=\"b\\\"c,d\" ;; e=f , \"x\\\\\" , ;g=\"\xc3\xa9\"");
    struct guard guard;
    char text[256];

    (void)state;
    guard_init(&guard, whole.len);
    for (size_t from = 0; from <= whole.len; from++) {
        for (size_t len = 0; len <= whole.len - from; len++) {
            px_str cut = px_str_make(whole.ptr + from, len);

            for (int at_start = 0; at_start < 2; at_start++) {
                px_str input = at_start ? guard_at_start(&guard, cut) : guard_at_end(&guard, cut);
                struct media_type type;

                list_print(input, text, sizeof(text));
                params_print(input, text, sizeof(text));
                (void)field_trim(input);
                (void)field_name_valid(input);
                (void)field_value_valid(input);
                (void)field_is_framing(input);
                px_err err = media_type_parse(input, &type);
                assert_true(err == PX_OK || err == PX_ERR_MALFORMED);
            }
        }
    }
    guard_deinit(&guard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(field_names_ignore_the_case_of_letters_only),
        cmocka_unit_test(field_find_gives_the_first),
        cmocka_unit_test(field_trim_drops_blanks_at_the_ends),
        cmocka_unit_test(field_name_valid_takes_tokens),
        cmocka_unit_test(field_value_valid_refuses_controls_and_outer_blanks),
        cmocka_unit_test(field_is_framing_knows_what_is_not_the_handlers),
        cmocka_unit_test(field_list_takes_elements_apart),
        cmocka_unit_test(field_params_follow_the_grammar),
        cmocka_unit_test(field_param_find_refuses_doubles),
        cmocka_unit_test(media_type_is_taken_apart),
        cmocka_unit_test(field_parsers_stay_within_their_input),
    };

    return cmocka_run_group_tests_name("field", tests, NULL, NULL);
}
