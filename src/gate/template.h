/*
 * Templates, seen from inside: pieces, each literal or a placeholder, and the writing of them,
 * which needs no exchange.
 */
#ifndef PX_GATE_TEMPLATE_H
#define PX_GATE_TEMPLATE_H

#include <stdbool.h>

#include "pollux/template.h"

enum { TEMPLATE_PIECES_MAX = 64 };

/* How what comes out of a piece has to be written in a target. */
enum template_form {
    FORM_TEXT,   /* the parts of a URI as they are: only what may stand nowhere is encoded */
    FORM_TARGET, /* as it was received: encoded already, as far as clients do */
    FORM_QUERY, /* likewise, and it is one: nothing of it is encoded again behind a question mark */
    FORM_PATH,  /* decoded, and a slash divides */
    FORM_DATA   /* decoded, all of it data */
};

/* What a placeholder reads.  The result lives as long as the exchange. */
struct template_reading {
    px_exchange *exchange;
    const char *name; /* behind the point of header.NAME and its kin */
    px_template_use use;
};

struct template_placeholder {
    const char *name; /* one that ends in a point takes what is behind it */
    enum template_form form;
    px_str (*read)(const struct template_reading *reading);
};

struct template_piece {
    const struct template_placeholder *placeholder; /* borrowed: static; NULL: literal */
    px_str text;                                    /* of a literal */
    const char *name;                               /* of a placeholder that takes one */
    bool is_in_query;                               /* a literal before it has a question mark */
    uint32_t outside; /* what its finder knows it by beside that; 0: nothing; see template_create */
};

struct px_template {
    px_allocator allocator;
    uint32_t piece_count;
    uint32_t piece_room;
    char *bytes;                    /* of literals and names; behind the pieces */
    struct template_piece pieces[]; /* piece_room of them */
};

/* The placeholder of that name, and how many bytes of it are its own; NULL: there is none. */
const struct template_placeholder *template_placeholder_find(px_str name, size_t *out_len);

/* Finds what a name stands for: fills `placeholder`, `outside` or both, and how many bytes of the
 * name are its own. */
typedef bool (*template_find_fn)(px_str name, struct template_piece *out_piece, size_t *out_len);

/* As px_template_create, with names of another's.  What is `outside` alone reads as nothing where
 * the template is written here. */
px_template *template_create(px_str text, template_find_fn find, const px_allocator *allocator,
                             size_t *out_at, px_error *out_error);

/* The bytes that template_write needs for these texts (one for each piece) at most, and one more
 * for a NUL. */
size_t template_room(const px_template *template_, const px_str *texts, px_template_use use);

/* Writes the pieces to `out`, and a NUL: the text, which begins there or, for a field without the
 * blanks at its ends, behind. */
px_str template_write(const px_template *template_, const px_str *texts, px_template_use use,
                      char *out);

#endif
