/*
 * The page of an error: status, reason, a sentence, and what was asked for.
 *
 * Happy path: a browser names text/html in Accept, and is sent a small page in the colours of a
 * folder's listing, which needs nothing else and may load nothing.  Other clients get the line
 * of text.  What was asked for is escaped, and cut where it is long.
 */
#include "config/status_page.h"

#include <strings.h>

#include "base/check.h"
#include "base/text.h"
#include "pollux/pollux.h"

enum {
    PAGE_BYTES_MAX = 6 * 1024, /* what is fixed, and the target with each byte escaped */
    TARGET_BYTES_MAX = 512,
};

/* The colours of files_listing.css.  Its digest is in the policy. */
static const char style[] =
    ":root{color-scheme:light dark;--back:#f4f6f9;--card:#fff;--text:#1b2430;--dim:#5b6675;"
    "--line:#e3e8ef}"
    "@media(prefers-color-scheme:dark){:root{--back:#0e1217;--card:#161b22;--text:#e4e9f0;"
    "--dim:#97a3b4;--line:#272f3a}}"
    "body{margin:0;background:var(--back);color:var(--text);"
    "font:1rem/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Noto Sans\",sans-serif}"
    "main{box-sizing:border-box;max-width:36rem;margin:12vh auto 0;padding:0 1.25rem}"
    "section{padding:1.75rem 2rem;border:1px solid var(--line);border-radius:.75rem;"
    "background:var(--card);box-shadow:0 1px 2px #0000000d,0 4px 16px #0000000a}"
    "h1{margin:0;font-size:1.375rem;line-height:1.3}"
    "p{margin:.5rem 0 0;color:var(--dim);overflow-wrap:anywhere}"
    "@media print{section{box-shadow:none}}";

static const char policy[] =
    "default-src 'none'; style-src 'sha256-4jBVFG2gnVcWcDgqPJ3yAdeleUXunjl3YsNe3DEqSO0='; img-src "
    "data:; base-uri 'none'; "
    "form-action 'none'";

static const struct status_text {
    unsigned status;
    const char *reason; /* RFC 9110 section 15 */
    const char *sentence;
} texts[] = {
    {400, "Bad Request", "The request makes no sense here."},
    {403, "Forbidden", "This may not be read."},
    {404, "Not Found", "There is nothing at this address."},
    {405, "Method Not Allowed", "What is here can be read, and nothing else."},
    {412, "Precondition Failed", "It has changed since it was last asked for."},
    {413, "Content Too Large", "That is more than is taken here."},
    {416, "Range Not Satisfiable", "It has no such part."},
    {421, "Misdirected Request", "Another server has this name."},
    {500, "Internal Server Error", "Something went wrong here."},
    {503, "Service Unavailable", "There is too much to do right now. Try again in a moment."},
};

static const struct status_text *text_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
        if (texts[i].status == status)
            return &texts[i];
    return NULL;
}

/* --- Whether it is asked for ------------------------------------------------------------------ */

static px_str trim(px_str text)
{
    while (text.len > 0 && text_is_blank(text.ptr[0]))
        text = px_str_make(text.ptr + 1, text.len - 1);
    while (text.len > 0 && text_is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* Takes what is in front of the next separator off the front. */
static px_str piece_take(px_str *rest, char separator)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    size_t len = end ? (size_t)(end - rest->ptr) : rest->len, used = end ? len + 1 : len;
    px_str piece = px_str_make(rest->ptr, len);

    *rest = px_str_make(rest->ptr + used, rest->len - used);
    return trim(piece);
}

static bool is_text(px_str text, const char *words)
{
    return text.len == strlen(words) && strncasecmp(text.ptr, words, text.len) == 0;
}

/* "q=0", "q=0.000" (RFC 9110 section 12.4.2). */
static bool is_weight_zero(px_str parameter)
{
    if (parameter.len < 3 || strncasecmp(parameter.ptr, "q=0", 3) != 0)
        return false;
    for (size_t i = 3; i < parameter.len; i++)
        if (parameter.ptr[i] != '.' && parameter.ptr[i] != '0')
            return false;
    return true;
}

bool status_page_is_wanted(px_str accept)
{
    while (accept.len > 0) {
        px_str range = piece_take(&accept, ',');
        bool is_html = is_text(piece_take(&range, ';'), "text/html");

        while (is_html && range.len > 0)
            is_html = !is_weight_zero(piece_take(&range, ';'));
        if (is_html)
            return true;
    }
    return false;
}

/* --- The page --------------------------------------------------------------------------------- */

/* The beginning of a text that is not cut within a character. */
static px_str cut(px_str text)
{
    size_t len = TARGET_BYTES_MAX;

    if (text.len <= len)
        return text;
    while (len > 0 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    return px_str_make(text.ptr, len);
}

static void put_escaped(struct text *out, px_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '&':
            text_put_words(out, "&amp;");
            break;
        case '<':
            text_put_words(out, "&lt;");
            break;
        case '>':
            text_put_words(out, "&gt;");
            break;
        case '"':
            text_put_words(out, "&quot;");
            break;
        default:
            text_put_byte(out, text.ptr[i]);
        }
    }
}

static void put_heading(struct text *out, const struct status_text *is)
{
    text_put_number(out, is->status);
    text_put_byte(out, ' ');
    text_put_words(out, is->reason);
}

static void put_page(struct text *out, const struct status_text *is, px_str target)
{
    text_put_words(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                        "<meta name=\"color-scheme\" content=\"light dark\">\n"
                        "<link rel=\"icon\" href=\"data:,\">\n<title>");
    put_heading(out, is);
    text_put_words(out, "</title>\n<style>");
    text_put_words(out, style);
    text_put_words(out, "</style>\n</head>\n<body>\n<main>\n<section>\n<h1>");
    put_heading(out, is);
    text_put_words(out, "</h1>\n<p>");
    text_put_words(out, is->sentence);
    text_put_words(out, "</p>\n<p><bdi>");
    put_escaped(out, cut(target));
    text_put_words(out, target.len > TARGET_BYTES_MAX ? "&hellip;" : "");
    text_put_words(out, "</bdi></p>\n</section>\n</main>\n</body>\n</html>\n");
}

void status_page_answer(px_exchange *exchange, unsigned status, void *context)
{
    const struct status_text *is = text_of(status);
    char memory[PAGE_BYTES_MAX];
    struct text page;

    (void)context;
    if (!is)
        return;
    /* RFC 9110 section 12.5.5: another client gets something else. */
    px_response_add_field(exchange, px_str_of("Vary"), px_str_of("Accept"));
    if (!status_page_is_wanted(px_request_field(exchange, "Accept")))
        return;
    text_init(&page, memory, sizeof(memory));
    put_page(&page, is, px_request_target(exchange));
    if (page.cut)
        return;
    px_response_add_field(exchange, px_str_of("Content-Security-Policy"), px_str_of(policy));
    px_respond(exchange, status, px_str_of("text/html; charset=utf-8"), text_str(&page));
}
