/*
 * Directives that say which requests are let in, and how many.
 */
#include "config/schema/schema.h"

static const char *const none_words[] = {"none", NULL};

static const struct config_option rate_options[] = {
    {.name = "burst", .use = {TYPE_COUNT, "N", .least = 1, .most = 1000000}},
    {0},
};

const struct config_directive schema_access[] = {
    {.name = "allow",
     .where = IN_REQUEST,
     .kind = KIND_LIST,
     .phase = PHASE_ACCESS,
     .uses = {{TYPE_CLIENT, "BLOCK", .words = none_words, .may_be_word = true}},
     .values_min = 1,
     .values_max = 4096,
     .help = "lets clients in; of allow and deny the first that names a client decides",
     .example = "allow 10.0.0.0/8 unix:\ndeny all\nrespond"},
    {.name = "deny",
     .where = IN_REQUEST,
     .kind = KIND_LIST,
     .phase = PHASE_ACCESS,
     .uses = {{TYPE_CLIENT, "BLOCK", .words = none_words, .may_be_word = true}},
     .values_min = 1,
     .values_max = 4096,
     .help = "keeps clients out, with 403",
     .example = "deny 192.0.2.0/24\nrespond"},
    {.name = "rate_limit",
     .where = IN_REQUEST,
     .kind = KIND_LIST,
     .phase = PHASE_RATE,
     .uses = {{TYPE_TEMPLATE, "KEY", .words = none_words, .may_be_word = true},
              {TYPE_RATE, "RATE"}},
     .values_min = 2,
     .values_max = 2,
     .options = rate_options,
     .help = "so many requests for each key, over all workers; above it is answered 429; burst: so "
             "many may come at once when none has come before, and then as fast as RATE says; "
             "default: the number of RATE",
     .example = "rate_limit {client} 20/s burst=40\nrespond"},
    {.name = "connection_limit",
     .where = IN_REQUEST,
     .kind = KIND_LIST,
     .phase = PHASE_RATE,
     .uses = {{TYPE_TEMPLATE, "KEY", .words = none_words, .may_be_word = true},
              {TYPE_COUNT, "N", .least = 1, .most = 1000000}},
     .values_min = 2,
     .values_max = 2,
     .help = "so many requests in flight for each key, of a worker; above it is answered 429",
     .example = "connection_limit {client} 10\nrespond"},
    {.name = "basic_auth",
     .where = IN_REQUEST,
     .phase = PHASE_AUTH,
     .uses = {{TYPE_TEXT, "REALM", .may_be_off = true}, {TYPE_PATH, "FILE"}},
     .values_min = 2,
     .values_max = 2,
     .help = "asks for a name and a password that FILE knows: lines of name:hash, of bcrypt "
             "(htpasswd -B writes them) or SHA-crypt; off: does not ask",
     .example = "basic_auth staff users\nrespond"},
    {0},
};
