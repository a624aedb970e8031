/*
 * The fields of a part.  As strict as the head of a request: no folding, no bare CR or LF, nothing
 * that a second reader could take for another name.
 */
#include "http/forms/multipart_part.h"

#include <string.h>

#include "base/check.h"
#include "http/fields/field.h"

/* One line of `head` from *at on, without its CR LF, which *at is moved behind. */
static px_str take_line(px_str head, size_t *at)
{
    const char *start = head.ptr + *at;
    const char *lf = memchr(start, '\n', head.len - *at);

    /* The caller collected the head up to its empty line, so there is a line end, and it ended the
     * head at the first LF without a CR. */
    CHECK(lf && lf > head.ptr && lf[-1] == '\r');
    *at = (size_t)(lf + 1 - head.ptr);
    return px_str_make(start, (size_t)(lf - 1 - start));
}

static const char *parse_line(px_str line, px_field *out_field)
{
    const char *colon = memchr(line.ptr, ':', line.len);

    if (!colon)
        return "a field of a part has no colon";

    px_str name = px_str_make(line.ptr, (size_t)(colon - line.ptr));
    px_str value = field_trim(px_str_make(colon + 1, line.len - name.len - 1));

    /* A folded line begins with a blank, which no name has: refused here too. */
    if (!field_name_valid(name))
        return "the name of a part's field is not a token";
    if (!field_value_valid(value))
        return "a part's field has a control byte";
    out_field->name = name;
    out_field->value = value;
    return NULL;
}

/* Copies a parameter to `at` without its escapes, ending in NUL.  Browsers send a quote as %22
 * (HTML, section "multipart/form-data encoding algorithm") and leave a backslash alone; others
 * escape both with one (RFC 9110 section 5.6.4).  So a backslash counts only before a quote or
 * another backslash: the names of Windows keep theirs. */
static px_str unescape(const struct field_param *param, char *at)
{
    const char *raw = param->value.ptr;
    size_t raw_len = param->value.len;
    size_t len = 0;

    for (size_t i = 0; i < raw_len; i++) {
        if (param->quoted && raw[i] == '\\' && i + 1 < raw_len &&
            (raw[i + 1] == '"' || raw[i + 1] == '\\')) {
            at[len++] = raw[++i];
        } else if (raw_len - i >= 3 && memcmp(raw + i, "%22", 3) == 0) {
            at[len++] = '"';
            i += 2;
        } else {
            at[len++] = raw[i];
        }
    }
    at[len] = '\0';
    return px_str_make(at, len);
}

/* Content-Disposition: form-data; name="..."; filename="..." (RFC 7578 section 4.2).  `room` takes
 * both names.  filename* is passed over: section 4.2 forbids it here, and one that reads it sees
 * another name than one that does not. */
static const char *parse_disposition(px_str value, char *room, struct multipart_part *part)
{
    size_t type_len = 0;

    while (type_len < value.len && value.ptr[type_len] != ';' && value.ptr[type_len] != ' ' &&
           value.ptr[type_len] != '\t')
        type_len++;
    if (!field_name_is(px_str_make(value.ptr, type_len), "form-data"))
        return "the Content-Disposition of a part is not form-data";

    px_str params = px_str_make(value.ptr + type_len, value.len - type_len);
    struct field_param param;
    px_err err;

    while ((err = field_param_next(&params, &param)) == PX_OK) {
        px_str *name = field_name_is(param.name, "name")       ? &part->name
                       : field_name_is(param.name, "filename") ? &part->filename
                                                               : NULL;

        if (!name)
            continue;
        if (name->ptr)
            return "the Content-Disposition of a part names it twice";
        *name = unescape(&param, room);
        room += name->len + 1;
    }
    if (err != PX_ERR_NOT_FOUND)
        return "the Content-Disposition of a part is malformed";
    return part->name.ptr ? NULL : "a part has no name";
}

/* What its fields say about a part. */
static const char *read_fields(px_field *fields, uint32_t count, char *room,
                               struct multipart_part *part)
{
    bool has_disposition = false;

    for (uint32_t i = 0; i < count; i++) {
        const char *reason = NULL;

        if (field_name_is(fields[i].name, "content-disposition")) {
            if (has_disposition)
                return "a part has two Content-Disposition fields";
            has_disposition = true;
            reason = parse_disposition(fields[i].value, room, part);
        } else if (field_name_is(fields[i].name, "content-type")) {
            if (part->content_type.ptr)
                return "a part has two Content-Type fields";
            part->content_type = fields[i].value;
        }
        if (reason)
            return reason;
    }
    return has_disposition ? NULL : "a part has no Content-Disposition";
}

px_err multipart_part_parse(struct buf *head, px_field *fields, struct multipart_part *out_part,
                            const char **out_reason)
{
    struct multipart_part part = {0};
    const char *reason = NULL;
    uint32_t count = 0;
    size_t at = 0;
    /* Two names and their NULs: reserved before any slice is made, for this may move the head. */
    px_err err = buf_reserve(head, head->len + 2);

    if (err != PX_OK)
        return err;

    px_str text = buf_str(head);

    for (px_str line; (line = take_line(text, &at)).len > 0;) {
        if (count == MULTIPART_FIELDS_MAX) {
            *out_reason = "a part has too many fields";
            return PX_ERR_LIMIT;
        }
        reason = parse_line(line, &fields[count++]);
        if (reason)
            goto fail;
    }
    reason = read_fields(fields, count, head->ptr + head->len, &part);
    if (reason)
        goto fail;

    /* What ends a name or a value (colon, blank, CR) is not needed any more. */
    for (uint32_t i = 0; i < count; i++) {
        head->ptr[fields[i].name.ptr + fields[i].name.len - head->ptr] = '\0';
        head->ptr[fields[i].value.ptr + fields[i].value.len - head->ptr] = '\0';
    }
    part.fields = fields;
    part.field_count = count;
    *out_part = part;
    return PX_OK;

fail:
    *out_reason = reason;
    return PX_ERR_MALFORMED;
}
