/*
 * The middleware of Basic authentication: credentials are read, looked up among those that were
 * right lately, else checked by a helper thread.
 *
 * Happy path: known credentials pass at once.  It can fail at start, by the users' file; later each
 * failure is an answer: 401, 429, 503.
 */
#include "pollux/basic_auth.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/check.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/options.h"
#include "base/text.h"
#include "gate/auth_jobs.h"
#include "gate/matcher.h"
#include "gate/password.h"
#include "gate/users.h"
#include "http/fields/basic.h"
#include "io/random.h"
#include "io/whole_file.h"
#include "pollux/request.h"
#include "pollux/response.h"
#include "pollux/template.h"

enum {
    CREDENTIALS_BYTES = USER_NAME_BYTES_MAX + 1 + PASSWORD_BYTES_MAX,
    REALM_BYTES_MAX = 200,
    CHALLENGE_BYTES = 2 * REALM_BYTES_MAX + 64
};

/* Credentials that were right. */
struct known {
    struct map_entry entry;
    struct auth_tag tag; /* the key */
    uint64_t until_ms;
};

struct px_basic_auth {
    px_allocator allocator;
    struct users users;
    struct map known; /* of struct known, owned */
    struct auth_jobs jobs;
    px_template *client; /* owned */
    px_matcher *when;    /* a hold, or NULL */
    px_loop *loop;       /* borrowed: of the exchanges; NULL before the first */
    struct siphash_key keys[2];
    uint32_t known_max; /* 0: nothing is remembered */
    uint32_t known_timeout_ms;
    char challenge[CHALLENGE_BYTES];
};

/* --- What is known ---------------------------------------------------------------------------- */

static void known_evicted(struct map_entry *entry, void *context)
{
    px_basic_auth *auth = context;
    struct known *known = CONTAINER_OF(entry, struct known, entry);

    explicit_bzero(&known->tag, sizeof(known->tag));
    alloc_put(&auth->allocator, known);
}

static px_str key_of(const struct auth_tag *tag)
{
    return px_str_make((const char *)tag, sizeof(*tag));
}

static bool auth_knows(const struct auth_tag *tag, px_loop *loop, void *context)
{
    px_basic_auth *auth = context;
    struct map_entry *entry = auth->known_max > 0 ? map_find(&auth->known, key_of(tag)) : NULL;
    struct known *known = entry ? CONTAINER_OF(entry, struct known, entry) : NULL;

    if (!known || known->until_ms > px_loop_now_ms(loop))
        return known != NULL;
    map_remove(&auth->known, entry);
    known_evicted(entry, auth);
    return false;
}

/* Without memory it is not remembered, and checked again. */
static void auth_learn(const struct auth_tag *tag, void *context)
{
    px_basic_auth *auth = context;
    struct known *known = auth->known_max > 0 ? alloc_take(&auth->allocator, sizeof(*known)) : NULL;

    if (!known)
        return;
    known->tag = *tag;
    known->until_ms = px_loop_now_ms(auth->loop) + auth->known_timeout_ms;
    if (map_put(&auth->known, &known->entry, key_of(&known->tag), sizeof(*known)) != PX_OK)
        alloc_put(&auth->allocator, known);
}

/* --- Making ----------------------------------------------------------------------------------- */

/* A quoted string (RFC 9110 section 5.6.4) in the challenge. */
static px_err challenge_write(px_basic_auth *auth, const char *realm, px_error *out_error)
{
    struct text text;

    text_init(&text, auth->challenge, sizeof(auth->challenge) - 1);
    text_put_words(&text, "Basic realm=\"");
    for (const char *at = realm; *at; at++) {
        unsigned char byte = (unsigned char)*at;

        if (byte < 0x20 || byte == 0x7f || at - realm == REALM_BYTES_MAX)
            return error_set(out_error, PX_ERR_INVALID, 0,
                             "a realm has at most %d bytes, none of them a control byte",
                             REALM_BYTES_MAX);
        if (byte == '"' || byte == '\\')
            text_put_byte(&text, '\\');
        text_put_byte(&text, *at);
    }
    text_put_words(&text, "\", charset=\"UTF-8\"");
    CHECK(!text.cut);
    return PX_OK;
}

static px_err users_read(px_basic_auth *auth, const px_basic_auth_options *options,
                         px_error *out_error)
{
    const char *file = options->file ? options->file : "users";
    size_t bytes = options->users.len;
    char *text;

    if (!options->users.ptr && !options->file)
        return error_set(out_error, PX_ERR_INVALID, 0, "there is no file of users");
    if (options->users.ptr) {
        text = bytes <= USERS_BYTES_MAX ? alloc_take(&auth->allocator, bytes + 1) : NULL;
        if (!text)
            return error_set(out_error, bytes > USERS_BYTES_MAX ? PX_ERR_LIMIT : PX_ERR_MEMORY, 0,
                             "no memory for users");
        *text_write_str(text, options->users) = '\0';
    } else {
        px_err err =
            whole_file_read(&auth->allocator, file, USERS_BYTES_MAX, &text, &bytes, out_error);

        if (err != PX_OK)
            return err;
    }
    return users_init(&auth->users, &auth->allocator, &auth->keys[0], text, bytes, file, out_error);
}

static void auth_free(void *context)
{
    px_basic_auth *auth = context;
    px_allocator allocator = auth->allocator;

    CHECK(auth->jobs.running_count == 0 && auth->jobs.waiting_count == 0);
    map_deinit(&auth->known);
    users_deinit(&auth->users);
    px_template_destroy(auth->client);
    px_matcher_destroy(auth->when);
    explicit_bzero(auth->keys, sizeof(auth->keys));
    alloc_put(&allocator, auth);
}

static void challenge(px_exchange *exchange, const px_basic_auth *auth)
{
    px_response_set_field(exchange, px_str_of("WWW-Authenticate"), px_str_of(auth->challenge));
    px_respond_error(exchange, 401);
}

static void answer(px_exchange *exchange, enum auth_result result, const px_basic_auth *auth)
{
    CHECK(result != AUTH_RIGHT);
    if (result == AUTH_WRONG) {
        challenge(exchange, auth);
        return;
    }
    px_response_set_field(exchange, px_str_of("Retry-After"), px_str_of("1"));
    px_respond_error(exchange, result == AUTH_OFTEN ? 429 : 503);
}

static void auth_tell(px_exchange *exchange, enum auth_result result, void *context)
{
    if (result == AUTH_RIGHT)
        px_exchange_next(exchange);
    else
        answer(exchange, result, context);
}

static void auth_init(px_basic_auth *auth, const px_basic_auth_options *options)
{
    uint32_t known = options->known_max ? options->known_max : AUTH_KNOWN_DEFAULT;
    struct map_options map = {.allocator = &auth->allocator,
                              .bytes_max = SIZE_MAX / 2,
                              .evicted = known_evicted,
                              .context = auth};

    auth->known_max = known == PX_OFF ? 0 : known;
    auth->known_timeout_ms =
        options->known_timeout_ms ? options->known_timeout_ms : AUTH_KNOWN_TIMEOUT_MS;
    map.key = auth->keys[0];
    map.count_max = auth->known_max > 0 ? auth->known_max : 1;
    map_init(&auth->known, &map);
    auth->jobs = (struct auth_jobs){
        .allocator = &auth->allocator,
        .tell = auth_tell,
        .learn = auth_learn,
        .knows = auth_knows,
        .closed = auth_free,
        .context = auth,
        .running_max = options->running_max ? options->running_max : AUTH_RUNNING_DEFAULT,
        .waiting_max = options->waiting_max ? options->waiting_max : AUTH_WAITING_DEFAULT};
    auth_jobs_init(&auth->jobs);
}

px_basic_auth *px_basic_auth_create(const px_basic_auth_options *options, px_error *out_error)
{
    px_basic_auth_options known;

    if (options_take(&known, sizeof(known), options, "basic auth options", out_error) != PX_OK)
        return NULL;
    if (known.waiting_max > AUTH_WAITING_LIMIT || known.running_max > HELPER_THREADS_LIMIT) {
        error_set(out_error, PX_ERR_INVALID, 0, "at most %d checks wait, and %d run",
                  AUTH_WAITING_LIMIT, HELPER_THREADS_LIMIT);
        return NULL;
    }
    const px_allocator *used = known.allocator ? known.allocator : &alloc_libc;
    px_basic_auth *auth = alloc_take_zeroed(used, sizeof(*auth));

    if (!auth) {
        error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
        return NULL;
    }
    auth->allocator = *used;
    px_err err = random_bytes(auth->keys, sizeof(auth->keys));

    if (err != PX_OK)
        error_set(out_error, err, 0, "no random bytes");
    auth_init(auth, &known);
    auth->when = matcher_hold(known.when);
    if (err == PX_OK)
        err = challenge_write(auth, known.realm ? known.realm : "restricted", out_error);
    if (err == PX_OK)
        err = users_read(auth, &known, out_error);
    if (err == PX_OK) {
        auth->client = px_template_create(px_str_of("{client}"), used, NULL, out_error);
        err = auth->client ? PX_OK : PX_ERR_MEMORY;
    }
    if (err != PX_OK) {
        auth_free(auth);
        return NULL;
    }
    error_clear(out_error);
    return auth;
}

void px_basic_auth_destroy(void *auth)
{
    px_basic_auth *self = auth;

    if (self)
        auth_jobs_close(&self->jobs);
}

/* --- Requests --------------------------------------------------------------------------------- */

static struct auth_tag tag_of(const px_basic_auth *auth, px_str credentials)
{
    return (struct auth_tag){siphash(&auth->keys[0], credentials.ptr, credentials.len),
                             siphash(&auth->keys[1], credentials.ptr, credentials.len)};
}

/* The hash to check against: for a name that is not there one of those that are, always the same,
 * so that it takes as long as some user's would. */
static const char *hash_for(const px_basic_auth *auth, px_str name, bool *out_is_user)
{
    const struct user *user = users_find(&auth->users, name);
    uint64_t other = siphash(&auth->keys[1], name.ptr, name.len);

    CHECK(auth->users.count > 0);
    *out_is_user = user != NULL;
    return user ? user->hash : auth->users.items[other % auth->users.count].hash;
}

static px_verdict credentials_check(px_exchange *exchange, px_basic_auth *auth,
                                    const struct basic_credentials *credentials)
{
    px_str all =
        px_str_make(credentials->user.ptr, credentials->user.len + 1 + credentials->password.len);
    struct auth_check check = {.tag = tag_of(auth, all), .password = credentials->password};

    auth->loop = px_exchange_loop(exchange);
    if (auth_knows(&check.tag, auth->loop, auth))
        return PX_NEXT;
    px_str client = px_template_text(auth->client, exchange, PX_TEMPLATE_KEY);
    enum auth_result result = AUTH_BUSY;

    if (client.ptr) {
        check.address = siphash(&auth->keys[0], client.ptr, client.len);
        check.hash = hash_for(auth, credentials->user, &check.is_user);
        result = auth_jobs_add(&auth->jobs, exchange, &check);
    }
    if (result != AUTH_RIGHT)
        answer(exchange, result, auth);
    return PX_STOP;
}

px_verdict px_basic_auth_check(px_exchange *exchange, void *auth)
{
    px_basic_auth *self = auth;
    struct basic_credentials credentials;
    char text[CREDENTIALS_BYTES];
    px_str value;

    if (!gate_guards(self->when, exchange))
        return PX_NEXT;
    value = px_request_field(exchange, "Authorization");
    if (!value.ptr || !basic_read(value, text, sizeof(text), &credentials) ||
        credentials.user.len > USER_NAME_BYTES_MAX ||
        credentials.password.len > PASSWORD_BYTES_MAX) {
        challenge(exchange, self);
        return PX_STOP;
    }
    px_verdict verdict = credentials_check(exchange, self, &credentials);

    explicit_bzero(text, sizeof(text));
    return verdict;
}
