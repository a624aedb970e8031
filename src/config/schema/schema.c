/*
 * Finding rows of the schema.
 */
#include "config/schema/schema.h"

#include <string.h>

#include "base/check.h"

const struct config_directive *const schema_tables[] = {
    schema_process, schema_limits, schema_hosts,    schema_answers,
    schema_shaping, schema_access, schema_upstream, NULL,
};

static const struct config_directive *find(px_str name, uint32_t where)
{
    for (size_t table = 0; schema_tables[table]; table++)
        for (const struct config_directive *row = schema_tables[table]; row->name; row++)
            if ((row->where & where) != 0 && strlen(row->name) == name.len &&
                memcmp(row->name, name.ptr, name.len) == 0)
                return row;
    return NULL;
}

const struct config_directive *schema_find(px_str name, uint32_t where)
{
    return find(name, where);
}

uint32_t schema_places(px_str name)
{
    uint32_t where = 0;

    for (size_t table = 0; schema_tables[table]; table++)
        for (const struct config_directive *row = schema_tables[table]; row->name; row++)
            if (px_str_equal(name, px_str_of(row->name)))
                where |= row->where;
    return where;
}

uint32_t schema_names(uint32_t where, const char **out_names, uint32_t room)
{
    uint32_t count = 0;

    for (size_t table = 0; schema_tables[table]; table++)
        for (const struct config_directive *row = schema_tables[table]; row->name; row++)
            if ((row->where & where) != 0 && count + 1 < room)
                out_names[count++] = row->name;
    CHECK(count < room);
    out_names[count] = NULL;
    return count;
}

const char *schema_place_name(uint32_t where)
{
    switch (where) {
    case IN_HOST:
        return "host";
    case IN_ROUTE:
        return "route";
    case IN_WHEN:
        return "when";
    case IN_MATCH:
        return "match";
    case IN_TLS:
        return "tls";
    case IN_LIMITS:
        return "limits";
    case IN_TIMEOUTS:
        return "timeouts";
    case IN_RATES:
        return "minimum_rate";
    case IN_UPSTREAM:
        return "upstream";
    case IN_PROXY:
        return "proxy";
    }
    return "the file";
}
