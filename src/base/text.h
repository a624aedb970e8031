/*
 * Writing text into memory of a fixed size, and the few questions about bytes of text that every
 * folder asks.
 *
 * Happy path: text_init, text_put and its kin, text_str.  It can fail by running out of room: the
 * piece that does not fit is left out whole, so is all that follows, and `cut` says so.  Where the
 * room was reckoned before, text_write writes behind a pointer and cannot fail.
 */
#ifndef PX_BASE_TEXT_H
#define PX_BASE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "pollux/str.h"

enum { TEXT_NUMBER_BYTES = 20 }; /* of the longest 64-bit number */

struct text {
    char *ptr;   /* borrowed: where the text begins */
    size_t len;  /* bytes written */
    size_t room; /* bytes there are */
    bool cut;    /* something did not fit */
};

static inline void text_init(struct text *text, char *ptr, size_t room)
{
    *text = (struct text){.ptr = ptr, .room = room};
}

/* What was written, borrowed. */
static inline px_str text_str(const struct text *text)
{
    return px_str_make(text->ptr, text->len);
}

static inline void text_put(struct text *text, px_str piece)
{
    if (text->cut || piece.len > text->room - text->len) {
        text->cut = true;
        return;
    }
    if (piece.len > 0)
        memcpy(text->ptr + text->len, piece.ptr, piece.len);
    text->len += piece.len;
}

static inline void text_put_byte(struct text *text, char byte)
{
    text_put(text, px_str_make(&byte, 1));
}

/* A text that ends in NUL, without it. */
static inline void text_put_words(struct text *text, const char *words)
{
    text_put(text, px_str_make(words, strlen(words)));
}

/* A number in decimal digits. */
void text_put_number(struct text *text, uint64_t number);

/* Copies `len` bytes to `out`, where there is room for them; returns one past the end. */
static inline char *text_write(char *out, const char *ptr, size_t len)
{
    memcpy(out, ptr, len);
    return out + len;
}

/* The same, where most have at most 32 bytes: those are copied in two pieces that may overlap. */
static inline char *text_write_short(char *out, const char *ptr, size_t len)
{
    if (len > 32)
        return text_write(out, ptr, len);
    if (len >= 16) {
        char first[16], last[16];

        memcpy(first, ptr, sizeof(first));
        memcpy(last, ptr + len - sizeof(last), sizeof(last));
        memcpy(out, first, sizeof(first));
        memcpy(out + len - sizeof(last), last, sizeof(last));
    } else if (len >= 8) {
        uint64_t first, last;

        memcpy(&first, ptr, sizeof(first));
        memcpy(&last, ptr + len - sizeof(last), sizeof(last));
        memcpy(out, &first, sizeof(first));
        memcpy(out + len - sizeof(last), &last, sizeof(last));
    } else if (len >= 4) {
        uint32_t first, last;

        memcpy(&first, ptr, sizeof(first));
        memcpy(&last, ptr + len - sizeof(last), sizeof(last));
        memcpy(out, &first, sizeof(first));
        memcpy(out + len - sizeof(last), &last, sizeof(last));
    } else if (len > 0) {
        out[0] = ptr[0];
        out[len / 2] = ptr[len / 2];
        out[len - 1] = ptr[len - 1];
    }
    return out + len;
}

/* Likewise a slice, which may be absent. */
static inline char *text_write_str(char *out, px_str str)
{
    return str.len > 0 ? text_write(out, str.ptr, str.len) : out;
}

/* How bytes that peers sent are written, so that they can neither forge a line nor drive a
 * terminal: control bytes and bytes from 0x7f as \xHH, and what stands beside it. */
enum text_escape {
    TEXT_QUOTED, /* quotes and backslashes too */
    TEXT_HEAD,   /* CR and LF stay */
    TEXT_JSON,   /* as \u00HH; quotes and backslashes behind a backslash (RFC 8259 section 7) */
    TEXT_LINE,   /* UTF-8 stays, but for control characters (0x80 to 0x9f) */
};

enum { TEXT_ESCAPE_FACTOR = 6 }; /* the longest escape: \u00HH */

/* Writes at most TEXT_ESCAPE_FACTOR bytes for each of `str`; returns one past the end. */
char *text_write_escaped(char *out, px_str str, enum text_escape escape);

/* The same as far as there is room: escapes are whole. */
void text_put_escaped(struct text *text, px_str piece, enum text_escape escape);

#define TEXT_WRITE_LITERAL(out, literal) text_write(out, literal, sizeof(literal) - 1)

/* A number of two digits or more; see text_write_number. */
char *text_write_digits(char *out, uint64_t number);

/* A number in decimal digits, at most TEXT_NUMBER_BYTES; returns one past the end. */
static inline char *text_write_number(char *out, uint64_t number)
{
    if (number >= 10)
        return text_write_digits(out, number);
    *out = (char)('0' + number);
    return out + 1;
}

/* OWS (RFC 9110 section 5.6.3). */
static inline bool text_is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* The length of the UTF-8 character that `text` begins with (RFC 3629 section 4), and its code; 0
 * when it begins with none. */
size_t text_utf8_len(px_str text, uint32_t *out_code);

/* UTF-8 a byte at a time (RFC 3629 section 4), for text that arrives in pieces.  Zeroed: between
 * two characters. */
struct text_utf8 {
    uint8_t left; /* bytes of a character that are to come */
    uint8_t low;  /* the least that the next of them may be */
    uint8_t high; /* the most */
};

/* Takes the first byte of a character, or with `left` the next; false when it may not stand there.
 */
bool text_utf8_step(struct text_utf8 *utf8, uint8_t byte);

#endif
