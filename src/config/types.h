/*
 * Values that are understood: a number, a word of a list, a template.
 */
#ifndef PX_CONFIG_TYPES_H
#define PX_CONFIG_TYPES_H

#include "config/load.h"
#include "config/schema/schema.h"

/* A value of a directive.  `value` is NULL where an option was not given. */
struct config_typed {
    const struct config_value *value; /* borrowed: the tree's */
    px_str text;                      /* TYPE_PATH: as the file means it; options: behind the '=' */
    uint64_t number;                  /* a count, bytes, ms, a status, a rate's events, N of 1/N */
    uint64_t per_ms;                  /* TYPE_RATE: the time that they are counted over */
    uint32_t word;                    /* the index in `words` */
    bool is_word;                     /* a word stands in place of the type's own */
    bool is_off;                      /* off, or unlimited */
    char edit;                        /* TYPE_EDIT: '+', '-' or NUL */
};

/* Reads `text`, which is of `value`, as what `use` says.  False: noted at the value's place. */
bool config_type_read(struct config_load *load, const struct config_use *use,
                      const struct config_value *value, px_str text, struct config_typed *out);

/* Milliseconds of "500ms", "10s", "2m", "1h", "1.5s"; a number alone is seconds. */
bool config_duration(px_str text, uint64_t *out_ms);

/* Bytes of "16k", "1m", "2g"; a number alone is bytes. */
bool config_bytes(px_str text, uint64_t *out_bytes);

/* Whether a text may be a host's name: labels of letters, digits, '-' and '_'; "*." in front, or
 * "*" alone; "[v6]" and "1.2.3.4" too.  In lower case or not. */
bool config_host_valid(px_str text);

#endif
