/*
 * Forms in parts: a table of bodies and what they must tell, each in every split (whole, a byte at
 * a time, cut at each offset, against guard pages); limits; a receiver that refuses; each
 * allocation failing.
 */
#include "http/forms/multipart.h"

#include "lib/fault_alloc.h"
#include "lib/guard.h"
#include "lib/splits.h"
#include "lib/test.h"

enum { TRANSCRIPT_BYTES = 4096 };

/* What a parser told: {name|filename|type|field count} content . for each part, $ at the end, and
 * !reason after a refusal. */
struct transcript {
    char text[TRANSCRIPT_BYTES];
    size_t len;
    unsigned calls;
    unsigned refuse_at; /* the number of the callback that refuses, from 1; 0: none */
    bool in_part;
    bool ended;
};

static px_err counted(struct transcript *transcript)
{
    assert_false(transcript->ended);
    return ++transcript->calls == transcript->refuse_at ? PX_ERR_CANCELLED : PX_OK;
}

static void note(struct transcript *transcript, px_str text)
{
    assert_true(transcript->len + text.len < TRANSCRIPT_BYTES);
    memcpy(transcript->text + transcript->len, text.ptr, text.len);
    transcript->len += text.len;
    transcript->text[transcript->len] = '\0';
}

static void note_value(struct transcript *transcript, px_str value)
{
    if (!value.ptr) {
        note(transcript, LITERAL("-"));
        return;
    }
    assert_int_equal(value.ptr[value.len], '\0');
    note(transcript, value);
}

static px_err on_part_begin(const struct multipart_part *part, void *context)
{
    struct transcript *transcript = context;
    char count[16];

    assert_false(transcript->in_part);
    transcript->in_part = true;
    note(transcript, LITERAL("{"));
    note_value(transcript, part->name);
    note(transcript, LITERAL("|"));
    note_value(transcript, part->filename);
    note(transcript, LITERAL("|"));
    note_value(transcript, part->content_type);
    snprintf(count, sizeof(count), "|%u}", part->field_count);
    note(transcript, px_str_of(count));
    for (uint32_t i = 0; i < part->field_count; i++) {
        assert_true(part->fields[i].name.len > 0);
        assert_int_equal(part->fields[i].name.ptr[part->fields[i].name.len], '\0');
        assert_int_equal(part->fields[i].value.ptr[part->fields[i].value.len], '\0');
    }
    return counted(transcript);
}

static px_err on_part_data(px_str bytes, void *context)
{
    struct transcript *transcript = context;

    assert_true(transcript->in_part);
    assert_true(bytes.len > 0);
    note(transcript, bytes);
    return counted(transcript);
}

static px_err on_part_end(void *context)
{
    struct transcript *transcript = context;

    assert_true(transcript->in_part);
    transcript->in_part = false;
    note(transcript, LITERAL("."));
    return counted(transcript);
}

static px_err on_end(void *context)
{
    struct transcript *transcript = context;
    px_err err = counted(transcript);

    assert_false(transcript->in_part);
    note(transcript, LITERAL("$"));
    transcript->ended = true;
    return err;
}

static const struct multipart_events events = {on_part_begin, on_part_data, on_part_end, on_end};

/* --- Bodies and what they must tell --------------------------------------------------------- */

struct body_case {
    const char *body;
    size_t body_len;
    const char *expected;
};

#define BODY(text) (text), sizeof(text) - 1
#define PART(name) "Content-Disposition: form-data; name=" name "\r\n"

/* The boundary is "b". */
static const struct body_case cases[] = {
    /* Well-formed. */
    {BODY("--b\r\n" PART("a") "\r\nvalue\r\n--b--\r\n"), "{a|-|-|1}value.$"},
    {BODY("--b\r\n" PART("a") "\r\nvalue\r\n--b--"), "{a|-|-|1}value.$"},
    {BODY("--b\r\n" PART("a") "\r\n1\r\n--b\r\n" PART("c") "\r\n2\r\n--b--\r\n"),
     "{a|-|-|1}1.{c|-|-|1}2.$"},
    {BODY("--b\r\n" PART(
         "\"f\"; filename=\"x y.txt\"") "Content-Type: text/plain\r\n\r\nd\r\n--b--"),
     "{f|x y.txt|text/plain|2}d.$"},
    {BODY("--b--\r\n"), "$"},
    {BODY("--b--"), "$"},
    {BODY("preamble\r\n--b\r\n" PART("a") "\r\nv\r\n--b--\r\nepilogue\r\n--b\r\nmore"),
     "{a|-|-|1}v.$"},
    {BODY("\r\n--b\r\n" PART("a") "\r\nv\r\n--b--"), "{a|-|-|1}v.$"},
    {BODY("\r\n\r\n--b--"), "$"},
    {BODY("--c\r\nx--b\r\n\r\n--b--"), "$"},
    {BODY("--b \t \r\n" PART("a") "\r\nv\r\n--b\t\r\n" PART("c") "\r\nw\r\n--b--  \r\n"),
     "{a|-|-|1}v.{c|-|-|1}w.$"},
    /* Content that looks like a delimiter for a while, and binary. */
    {BODY("--b\r\n" PART("a") "\r\n\r\n\r\n-\r\n--\r\n--a\r\r\n--c--b\r\n--b--"),
     "{a|-|-|1}\r\n\r\n-\r\n--\r\n--a\r\r\n--c--b.$"},
    {BODY("--b\r\n" PART("a") "\r\n\r\r\n\n\r--b\n--b\r\n--b--"), "{a|-|-|1}\r\r\n\n\r--b\n--b.$"},
    {BODY("--b\r\n" PART("a") "\r\n\r\r\r\n--b--"), "{a|-|-|1}\r\r.$"},
    {BODY("--b\r\n" PART("a") "\r\n-\r\n--b--"), "{a|-|-|1}-.$"},
    {BODY("--b\r\n" PART("a") "\r\n--\r\n--b--"), "{a|-|-|1}--.$"},
    {BODY("--b\r\n" PART("a") "\r\n--x\r\n--b--"), "{a|-|-|1}--x.$"},
    {BODY("--b\r\n" PART("a") "\r\n\xff\x80\x01\r\n--b--"), "{a|-|-|1}\xff\x80\x01.$"},
    /* No content: with a line end of its own, and without (RFC 2046 section 5.1.1). */
    {BODY("--b\r\n" PART("a") "\r\n\r\n--b--"), "{a|-|-|1}.$"},
    {BODY("--b\r\n" PART("a") "\r\n--b--"), "{a|-|-|1}.$"},
    {BODY("--b\r\n" PART("a") "\r\n--b\r\n" PART("c") "\r\n--b--"), "{a|-|-|1}.{c|-|-|1}.$"},
    /* Names. */
    {BODY("--b\r\n" PART("\"\"") "\r\nv\r\n--b--"), "{|-|-|1}v.$"},
    {BODY("--b\r\n" PART("a; filename=\"\"") "\r\nv\r\n--b--"), "{a||-|1}v.$"},
    {BODY("--b\r\n" PART("\"a\\\"b\\\\c\"") "\r\nv\r\n--b--"), "{a\"b\\c|-|-|1}v.$"},
    {BODY("--b\r\n" PART("\"a%22b%2\"; filename=\"%22%22%0D%0A\"") "\r\nv\r\n--b--"),
     "{a\"b%2|\"\"%0D%0A|-|1}v.$"},
    {BODY("--b\r\n" PART("a; filename=\"C:\\dir\\x.txt\"") "\r\nv\r\n--b--"),
     "{a|C:\\dir\\x.txt|-|1}v.$"},
    {BODY("--b\r\n" PART("\"J\xc3\xbcrgen; a=b\"") "\r\nv\r\n--b--"),
     "{J\xc3\xbcrgen; a=b|-|-|1}v.$"},
    {BODY("--b\r\n" PART("a; filename*=UTF-8''x.exe; filename=y.txt") "\r\nv\r\n--b--"),
     "{a|y.txt|-|1}v.$"},
    {BODY("--b\r\n" PART("a; filename*=UTF-8''x.exe") "\r\nv\r\n--b--"), "{a|-|-|1}v.$"},
    {BODY("--b\r\ncontent-disposition:FORM-DATA;NAME=a;FileName=x\r\ncontent-TYPE:\r\n\r\nv\r\n--b-"
          "-"),
     "{a|x||2}v.$"},
    {BODY("--b\r\nX-One:1\r\n" PART("a") "X-Two: \t2 \t\r\nEmpty:\r\n\r\nv\r\n--b--"),
     "{a|-|-|4}v.$"},
    {BODY("--b\r\n" PART("a ; ; x=y ;") "\r\nv\r\n--b--"), "{a|-|-|1}v.$"},
    /* Cut short. */
    {BODY(""), "!the last boundary is missing"},
    {BODY("--b"), "!the last boundary is missing"},
    {BODY("--b-"), "!the last boundary is missing"},
    {BODY("--b\r\n" PART("a") "\r\nv"), "{a|-|-|1}v!the last boundary is missing"},
    {BODY("--b\r\n" PART("a") "\r\nv\r\n--"), "{a|-|-|1}v!the last boundary is missing"},
    {BODY("--b\r\n" PART("a") "\r\nv\r\n--b"), "{a|-|-|1}v.!the last boundary is missing"},
    {BODY("--b\r\n" PART("a") "\r\nv\r\n--b\r\n"), "{a|-|-|1}v.!the last boundary is missing"},
    {BODY("--b\r\n" PART("a")), "!the last boundary is missing"},
    {BODY("--b--\r"), "!the last boundary is missing"},
    {BODY("no boundary at all"), "!the last boundary is missing"},
    {BODY("--B--\r\n"), "!the last boundary is missing"},
    {BODY(" --b--\r\n"), "!the last boundary is missing"},
    {BODY("\n--b--\r\n"), "!the last boundary is missing"},
    {BODY("--b\r\n" PART("a") "\r\nv\n--b--\r\n"),
     "{a|-|-|1}v\n--b--!the last boundary is missing"},
    /* Malformed around the boundary. */
    {BODY("--b\n" PART("a") "\r\nv\r\n--b--"), "!a boundary is followed by other bytes"},
    {BODY("--bx\r\n" PART("a") "\r\nv\r\n--b--"), "!a boundary is followed by other bytes"},
    {BODY("--b-x"), "!a boundary is followed by other bytes"},
    {BODY("--b x\r\n"), "!a boundary is followed by other bytes"},
    {BODY("--b -\r\n"), "!a boundary is followed by other bytes"},
    {BODY("--b\rx"), "!a boundary ends in a bare CR"},
    {BODY("--b--x"), "!the last boundary is followed by other bytes"},
    {BODY("--b---"), "!the last boundary is followed by other bytes"},
    {BODY("--b--\n"), "!the last boundary is followed by other bytes"},
    {BODY("--b--\rx"), "!the last boundary ends in a bare CR"},
    {BODY("--b\r\n" PART("a") "\r\nv\r\n--bc"),
     "{a|-|-|1}v.!a boundary is followed by other bytes"},
    /* Malformed fields. */
    {BODY("--b\r\n\r\nv\r\n--b--"), "!a part has no Content-Disposition"},
    {BODY("--b\r\nX: y\r\n\r\nv\r\n--b--"), "!a part has no Content-Disposition"},
    {BODY("--b\r\n" PART("a") PART("a") "\r\nv\r\n--b--"),
     "!a part has two Content-Disposition fields"},
    {BODY("--b\r\n" PART("a") "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\nv\r\n--b--"),
     "!a part has two Content-Type fields"},
    {BODY("--b\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--b--"),
     "!the Content-Disposition of a part is not form-data"},
    {BODY("--b\r\nContent-Disposition:\r\n\r\nv\r\n--b--"),
     "!the Content-Disposition of a part is not form-data"},
    {BODY("--b\r\nContent-Disposition: form-data\r\n\r\nv\r\n--b--"), "!a part has no name"},
    {BODY("--b\r\nContent-Disposition: form-data; filename=x\r\n\r\nv\r\n--b--"),
     "!a part has no name"},
    {BODY("--b\r\nContent-Disposition: form-data; name*=UTF-8''a\r\n\r\nv\r\n--b--"),
     "!a part has no name"},
    {BODY("--b\r\n" PART("a; name=b") "\r\nv\r\n--b--"),
     "!the Content-Disposition of a part names it twice"},
    {BODY("--b\r\n" PART("a; filename=x; FILENAME=y") "\r\nv\r\n--b--"),
     "!the Content-Disposition of a part names it twice"},
    {BODY("--b\r\n" PART("\"a") "\r\nv\r\n--b--"),
     "!the Content-Disposition of a part is malformed"},
    {BODY("--b\r\n" PART("\"a\\\"") "\r\nv\r\n--b--"),
     "!the Content-Disposition of a part is malformed"},
    {BODY("--b\r\n" PART("a b") "\r\nv\r\n--b--"),
     "!the Content-Disposition of a part is malformed"},
    {BODY("--b\r\n" PART("") "\r\nv\r\n--b--"), "!the Content-Disposition of a part is malformed"},
    {BODY("--b\r\n" PART("J\xc3\xbcrgen") "\r\nv\r\n--b--"),
     "!the Content-Disposition of a part is malformed"},
    {BODY("--b\r\n" PART("\"a\nb\"") "\r\nv\r\n--b--"), "!a field of a part ends in a bare LF"},
    {BODY("--b\r\n" PART("\"a\rb\"") "\r\nv\r\n--b--"), "!a part's field has a control byte"},
    {BODY("--b\r\n" PART("\"a\0b\"") "\r\nv\r\n--b--"), "!a part's field has a control byte"},
    {BODY("--b\r\n" PART("a") "X: y\n\r\nv\r\n--b--"), "!a field of a part ends in a bare LF"},
    {BODY("--b\r\n\n"), "!a field of a part ends in a bare LF"},
    {BODY("--b\r\n" PART("a") "\n"), "!a field of a part ends in a bare LF"},
    {BODY("--b\r\n" PART("a") "X: y\r\n folded\r\n\r\nv\r\n--b--"),
     "!a field of a part has no colon"},
    {BODY("--b\r\n" PART("a") "X: y\r\n fol:ded\r\n\r\nv\r\n--b--"),
     "!the name of a part's field is not a token"},
    {BODY("--b\r\n" PART("a") "X : y\r\n\r\nv\r\n--b--"),
     "!the name of a part's field is not a token"},
    {BODY("--b\r\n" PART("a") ": y\r\n\r\nv\r\n--b--"),
     "!the name of a part's field is not a token"},
    {BODY("--b\r\n" PART("a") "junk\r\n\r\nv\r\n--b--"), "!a field of a part has no colon"},
    {BODY("--b\r\n" PART("a") "--b--\r\n\r\n"), "!a field of a part has no colon"},
};

enum { CASE_COUNT = 85 };

struct run {
    struct multipart multipart;
    struct transcript transcript;
    const struct body_case *body_case;
    px_err err;
};

static void run_begin(void *context)
{
    struct run *run = context;

    memset(&run->transcript, 0, sizeof(run->transcript));
    memset(&run->multipart, 0xa5, sizeof(run->multipart));
    assert_int_equal(
        multipart_init(&run->multipart, LITERAL("b"), &alloc_libc, &events, &run->transcript),
        PX_OK);
    run->err = PX_OK;
}

static size_t run_feed(px_str bytes, void *context)
{
    struct run *run = context;
    px_err err = multipart_feed(&run->multipart, bytes, &(size_t){0});

    /* A refusal sticks. */
    if (run->err != PX_OK)
        assert_int_equal(err, run->err);
    run->err = err;
    return bytes.len;
}

static void run_end(size_t left, const char *split, void *context)
{
    struct run *run = context;
    px_err err = multipart_finish(&run->multipart);

    assert_int_equal(left, 0);
    if (run->err != PX_OK)
        assert_int_equal(err, run->err);
    if (err != PX_OK) {
        assert_int_equal(err, PX_ERR_MALFORMED);
        assert_int_equal(multipart_feed(&run->multipart, LITERAL("more"), &(size_t){0}), err);
        note(&run->transcript, LITERAL("!"));
        note(&run->transcript, px_str_of(run->multipart.reason));
    } else {
        assert_null(run->multipart.reason);
    }
    if (strcmp(run->transcript.text, run->body_case->expected) != 0)
        fail_msg("\"%s\", %s: \"%s\" instead of \"%s\"", run->body_case->body, split,
                 run->transcript.text, run->body_case->expected);
    multipart_deinit(&run->multipart);
}

static void multipart_tells_the_same_in_every_split(void **state)
{
    struct run run;
    const struct split_reader reader = {run_begin, run_feed, run_end, &run};

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(cases[0]), CASE_COUNT);
    for (size_t i = 0; i < CASE_COUNT; i++) {
        px_str body = px_str_make(cases[i].body, cases[i].body_len);

        run.body_case = &cases[i];
        splits_each(body, &reader);
        /* In three pieces too: a delimiter may come in three. */
        for (size_t first = 0; first <= body.len; first++) {
            for (size_t second = first; second <= body.len; second++) {
                run_begin(&run);
                run_feed(px_str_make(body.ptr, first), &run);
                run_feed(px_str_make(body.ptr + first, second - first), &run);
                run_feed(px_str_make(body.ptr + second, body.len - second), &run);
                run_end(0, "in three pieces", &run);
            }
        }
    }
}

/* A boundary whose first bytes repeat, of the greatest length, in content full of its beginnings.
 */
static void multipart_takes_long_boundaries(void **state)
{
    char boundary[MULTIPART_BOUNDARY_BYTES_MAX];
    char body[2048];
    struct multipart multipart;
    struct transcript transcript;
    char expected[2048] = "{a|-|-|1}";
    size_t content = 0;
    size_t len = 0;

    (void)state;
    memset(boundary, '-', sizeof(boundary));
    len = (size_t)snprintf(body, sizeof(body), "--%.70s\r\n" PART("a") "\r\n", boundary);
    content = len;
    for (int dashes = 1; dashes < 40; dashes++)
        len += (size_t)snprintf(body + len, sizeof(body) - len, "\r\n%.*s", dashes, boundary);
    len += (size_t)snprintf(body + len, sizeof(body) - len, "x");
    snprintf(expected + 9, sizeof(expected) - 9, "%.*s.$", (int)(len - content), body + content);
    len += (size_t)snprintf(body + len, sizeof(body) - len, "\r\n--%.70s--", boundary);
    for (size_t step = 1; step <= len; step++) {
        memset(&transcript, 0, sizeof(transcript));
        assert_int_equal(multipart_init(&multipart, px_str_make(boundary, sizeof(boundary)),
                                        &alloc_libc, &events, &transcript),
                         PX_OK);
        for (size_t at = 0; at < len; at += step)
            assert_int_equal(
                multipart_feed(&multipart,
                               px_str_make(body + at, len - at < step ? len - at : step),
                               &(size_t){0}),
                PX_OK);
        assert_int_equal(multipart_finish(&multipart), PX_OK);
        assert_string_equal(transcript.text, expected);
        multipart_deinit(&multipart);
    }
}

/* --- The boundary in Content-Type ----------------------------------------------------------- */

static void multipart_boundary_is_checked(void **state)
{
    static const char long_one[] =
        "multipart/form-data; "
        "boundary=0123456789012345678901234567890123456789012345678901234567890123456789";
    static const char *const bad[] = {
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=a; boundary=a",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a\\b\"",
        "multipart/form-data; boundary=\"a\tb\"",
        "multipart/form-data; boundary=\"a\xc3\xa9\"",
        "multipart/form-data; boundary=a*b",
        "multipart/form-data; boundary=\"a;b\"",
        "multipart/form-data; boundary=\"a\"b",
        "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=a, b",
        "multipart/form-data, boundary=a",
        "multipart",
    };
    px_str boundary = LITERAL("untouched");

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (multipart_boundary(px_str_of(bad[i]), &boundary) != PX_ERR_MALFORMED)
            fail_msg("accepted: %s", bad[i]);
    }
    assert_int_equal(multipart_boundary(LITERAL("multipart/mixed; boundary=a"), &boundary),
                     PX_ERR_UNSUPPORTED);
    assert_int_equal(multipart_boundary(LITERAL("text/form-data; boundary=a"), &boundary),
                     PX_ERR_UNSUPPORTED);
    assert_int_equal(multipart_boundary(px_str_make(NULL, 0), &boundary), PX_ERR_UNSUPPORTED);
    assert_str_equal(boundary, LITERAL("untouched"));
    assert_int_equal(
        multipart_boundary(LITERAL("Multipart/Form-Data; charset=x; BOUNDARY=\"a b'()+_,-./:=?\""),
                           &boundary),
        PX_OK);
    assert_str_equal(boundary, LITERAL("a b'()+_,-./:=?"));
    assert_int_equal(multipart_boundary(px_str_of(long_one), &boundary), PX_OK);
    assert_int_equal(boundary.len, 70);

    char longer[128];

    snprintf(longer, sizeof(longer), "%s0", long_one);
    assert_int_equal(multipart_boundary(px_str_of(longer), &boundary), PX_ERR_MALFORMED);
}

static void multipart_init_refuses_what_is_no_boundary(void **state)
{
    char text[MULTIPART_BOUNDARY_BYTES_MAX + 1];
    struct multipart multipart;

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_int_equal(multipart_init(&multipart, LITERAL(""), &alloc_libc, &events, NULL),
                     PX_ERR_INVALID);
    assert_int_equal(
        multipart_init(&multipart, px_str_make(text, sizeof(text)), &alloc_libc, &events, NULL),
        PX_ERR_INVALID);
    for (int byte = 0; byte < 256; byte++) {
        char three[3] = {'a', (char)byte, 'b'};
        bool good = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                    (byte >= 'A' && byte <= 'Z') || (byte != 0 && strchr("'()+_,-./:=? ", byte));

        assert_int_equal(
            multipart_init(&multipart, px_str_make(three, 3), &alloc_libc, &events, NULL),
            good ? PX_OK : PX_ERR_INVALID);
    }
}

/* --- Limits --------------------------------------------------------------------------------- */

/* Feeds `body` in pieces of `step` bytes and finishes. */
static px_err feed_all(px_str body, size_t step, struct transcript *transcript,
                       const px_allocator *allocator, const char **out_reason)
{
    struct multipart multipart;

    assert_int_equal(multipart_init(&multipart, LITERAL("b"), allocator, &events, transcript),
                     PX_OK);
    px_err err = PX_OK;

    for (size_t at = 0; at < body.len && err == PX_OK; at += step)
        err = multipart_feed(
            &multipart, px_str_make(body.ptr + at, body.len - at < step ? body.len - at : step),
            &(size_t){0});
    /* After a refusal it says the same. */
    if (err == PX_OK)
        err = multipart_finish(&multipart);
    else
        assert_int_equal(multipart_finish(&multipart), err);
    *out_reason = multipart.reason;
    multipart_deinit(&multipart);
    return err;
}

static void assert_limit(px_str body, const char *expected_reason)
{
    static const size_t steps[] = {1, 7, 4096, SIZE_MAX / 2};

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct transcript transcript = {0};
        const char *reason = NULL;
        px_err err = feed_all(body, steps[i], &transcript, &alloc_libc, &reason);

        if (expected_reason) {
            assert_int_equal(err, PX_ERR_LIMIT);
            assert_string_equal(reason, expected_reason);
            assert_false(transcript.ended);
        } else {
            assert_int_equal(err, PX_OK);
            assert_true(transcript.ended);
        }
    }
}

/* A body whose one part has a head of exactly `bytes` bytes, its empty line included. */
static px_str body_with_head(char *room, size_t bytes)
{
    static const char start[] = "--b\r\n" PART("a") "X: ";
    size_t len = sizeof(start) - 1;
    size_t end = 5 + bytes;

    memcpy(room, start, len);
    memset(room + len, 'x', end - len);
    memcpy(room + end - 4, "\r\n\r\n", 4);
    memcpy(room + end, "v\r\n--b--", 8);
    return px_str_make(room, end + 8);
}

static void multipart_limits_the_fields_of_a_part(void **state)
{
    static char room[MULTIPART_HEAD_BYTES_MAX + 64];
    char text[1024];
    size_t len;

    (void)state;
    assert_limit(body_with_head(room, MULTIPART_HEAD_BYTES_MAX), NULL);
    assert_limit(body_with_head(room, MULTIPART_HEAD_BYTES_MAX + 1),
                 "the fields of a part are too long");
    for (int count = MULTIPART_FIELDS_MAX; count <= MULTIPART_FIELDS_MAX + 1; count++) {
        len = (size_t)snprintf(text, sizeof(text), "--b\r\n" PART("a"));
        for (int i = 1; i < count; i++)
            len += (size_t)snprintf(text + len, sizeof(text) - len, "X-%d: y\r\n", i);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "\r\nv\r\n--b--");
        assert_limit(px_str_make(text, len),
                     count > MULTIPART_FIELDS_MAX ? "a part has too many fields" : NULL);
    }
}

/* What is too long for a transcript is only counted. */
struct tally {
    size_t parts;
    size_t filename_bytes;
    size_t content_bytes;
    bool ended;
};

static px_err tally_begin(const struct multipart_part *part, void *context)
{
    struct tally *tally = context;

    tally->parts++;
    tally->filename_bytes += part->filename.len;
    for (size_t i = 0; i < part->filename.len; i++)
        assert_int_equal(part->filename.ptr[i], 'x');
    return PX_OK;
}

static px_err tally_data(px_str bytes, void *context)
{
    ((struct tally *)context)->content_bytes += bytes.len;
    return PX_OK;
}

static px_err tally_part_end(void *context)
{
    (void)context;
    return PX_OK;
}

static px_err tally_end(void *context)
{
    ((struct tally *)context)->ended = true;
    return PX_OK;
}

static const struct multipart_events tally_events = {tally_begin, tally_data, tally_part_end,
                                                     tally_end};

static px_err tally_body(px_str body, struct tally *out_tally)
{
    struct multipart multipart;

    memset(out_tally, 0, sizeof(*out_tally));
    assert_int_equal(
        multipart_init(&multipart, LITERAL("b"), &alloc_libc, &tally_events, out_tally), PX_OK);
    px_err err = multipart_feed(&multipart, body, &(size_t){0});

    if (err == PX_OK)
        err = multipart_finish(&multipart);
    multipart_deinit(&multipart);
    return err;
}

/* The longest names that fit: what is unescaped has room behind the longest head. */
static void multipart_takes_the_longest_names(void **state)
{
    static char room[MULTIPART_HEAD_BYTES_MAX + 64];
    static const char start[] = "--b\r\nContent-Disposition:form-data;name=a;filename=";
    struct tally tally;
    size_t len = sizeof(start) - 1;
    size_t end = 5 + MULTIPART_HEAD_BYTES_MAX;

    (void)state;
    memcpy(room, start, len);
    memset(room + len, 'x', end - len);
    memcpy(room + end - 4, "\r\n\r\n", 4);
    memcpy(room + end, "v\r\n--b--", 8);
    assert_int_equal(tally_body(px_str_make(room, end + 8), &tally), PX_OK);
    assert_int_equal(tally.filename_bytes, end - 4 - len);
    assert_true(tally.ended);
}

static void multipart_limits_the_parts(void **state)
{
    static const char part[] = "--b\r\n" PART("a") "\r\nvw\r\n";
    static char text[(MULTIPART_PARTS_MAX + 1) * sizeof(part) + 64];

    (void)state;
    for (size_t count = MULTIPART_PARTS_MAX; count <= MULTIPART_PARTS_MAX + 1; count++) {
        struct tally tally;
        size_t len = 0;

        for (size_t i = 0; i < count; i++, len += sizeof(part) - 1)
            memcpy(text + len, part, sizeof(part) - 1);
        memcpy(text + len, "--b--", 5);
        px_err err = tally_body(px_str_make(text, len + 5), &tally);

        assert_int_equal(err, count > MULTIPART_PARTS_MAX ? PX_ERR_LIMIT : PX_OK);
        assert_int_equal(tally.parts, MULTIPART_PARTS_MAX);
        assert_int_equal(tally.content_bytes, 2 * MULTIPART_PARTS_MAX);
        assert_int_equal(tally.ended, count == MULTIPART_PARTS_MAX);
    }
}

/* Content is handed on where it lies, but for what only looked like a delimiter: no copies. */
static px_err borrowed_data(px_str bytes, void *context)
{
    const px_str *piece = context;

    assert_true(bytes.ptr >= piece->ptr && bytes.ptr + bytes.len <= piece->ptr + piece->len);
    return PX_OK;
}

static px_err borrowed_begin(const struct multipart_part *part, void *context)
{
    (void)context;
    assert_str_equal(part->name, LITERAL("a"));
    return PX_OK;
}

static void multipart_does_not_copy_content(void **state)
{
    static const struct multipart_events borrowed = {borrowed_begin, borrowed_data, tally_part_end,
                                                     tally_part_end};
    px_str body = LITERAL("--b\r\n" PART("a") "\r\none\r\n--two\r\nthree\r\n--b--");
    px_str head = px_str_make(body.ptr, 5 + sizeof(PART("a")) - 1 + 2);
    struct multipart multipart;

    (void)state;
    assert_int_equal(multipart_init(&multipart, LITERAL("b"), &alloc_libc, &borrowed, &body),
                     PX_OK);
    assert_int_equal(multipart_feed(&multipart, head, &(size_t){0}), PX_OK);
    assert_int_equal(multipart_feed(&multipart,
                                    px_str_make(body.ptr + head.len, body.len - head.len),
                                    &(size_t){0}),
                     PX_OK);
    assert_int_equal(multipart_finish(&multipart), PX_OK);
    multipart_deinit(&multipart);
}

/* --- Refusals from outside ------------------------------------------------------------------ */

static px_str whole_form(void)
{
    return LITERAL(
        "--b\r\n" PART("a") "\r\none\r\n--b\r\n" PART("c; filename=d") "\r\nx\r\ny\r\n--b--");
}

static void multipart_stops_when_the_receiver_refuses(void **state)
{
    unsigned refused = 0;

    (void)state;
    for (size_t step = 1; step < 200; step++) {
        struct transcript whole = {0};
        const char *reason = NULL;

        assert_int_equal(feed_all(whole_form(), step, &whole, &alloc_libc, &reason), PX_OK);
        assert_string_equal(whole.text, "{a|-|-|1}one.{c|d|-|1}x\r\ny.$");
        for (unsigned call = 1; call <= whole.calls; call++, refused++) {
            struct transcript cut = {.refuse_at = call};

            assert_int_equal(feed_all(whole_form(), step, &cut, &alloc_libc, &reason),
                             PX_ERR_CANCELLED);
            assert_int_equal(cut.calls, call);
            assert_string_equal(reason, "refused by the receiver");
            assert_memory_equal(cut.text, whole.text, cut.len);
        }
    }
    assert_true(refused >= 199 * 7);
}

static void feed_form(const px_allocator *allocator, void *context)
{
    /* A long second head, so that the buffer grows while it holds something. */
    static char text[2048];
    static const char start[] = "--b\r\n" PART("a") "\r\none\r\n--b\r\n" PART("c") "X: ";
    static const char rest[] = "\r\n\r\ntwo\r\n--b--";
    struct transcript transcript = {0};
    const char *reason = NULL;

    (void)context;
    memcpy(text, start, sizeof(start) - 1);
    memset(text + sizeof(start) - 1, 'x', 1000);
    memcpy(text + sizeof(start) - 1 + 1000, rest, sizeof(rest) - 1);
    px_str body = px_str_make(text, sizeof(start) - 1 + 1000 + sizeof(rest) - 1);
    px_err err = feed_all(body, 100, &transcript, allocator, &reason);

    if (err == PX_OK) {
        assert_string_equal(transcript.text, "{a|-|-|1}one.{c|-|-|2}two.$");
    } else {
        assert_int_equal(err, PX_ERR_MEMORY);
        assert_string_equal(reason, "no memory for the fields of a part");
        assert_false(transcript.ended);
    }
}

static void multipart_survives_failing_allocations(void **state)
{
    (void)state;
    assert_true(fault_alloc_each("multipart", feed_form, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multipart_tells_the_same_in_every_split),
        cmocka_unit_test(multipart_takes_long_boundaries),
        cmocka_unit_test(multipart_boundary_is_checked),
        cmocka_unit_test(multipart_init_refuses_what_is_no_boundary),
        cmocka_unit_test(multipart_limits_the_fields_of_a_part),
        cmocka_unit_test(multipart_takes_the_longest_names),
        cmocka_unit_test(multipart_limits_the_parts),
        cmocka_unit_test(multipart_does_not_copy_content),
        cmocka_unit_test(multipart_stops_when_the_receiver_refuses),
        cmocka_unit_test(multipart_survives_failing_allocations),
    };

    return cmocka_run_group_tests_name("multipart", tests, NULL, NULL);
}
