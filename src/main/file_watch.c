/*
 * A look at files.  One that is not there, or cannot be looked at, looks like nothing, which is a
 * change like another: its reader says what is wrong.
 */
#include "main/file_watch.h"

#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

/* FNV-1a: a user that could make two looks collide has no need to. */
static uint64_t mix(uint64_t hash, uint64_t number)
{
    for (int byte = 0; byte < 8; byte++)
        hash = (hash ^ (number >> (8 * byte) & 0xff)) * 0x100000001b3U;
    return hash;
}

static uint64_t look(const struct file_watch *watch)
{
    uint64_t hash = 0xcbf29ce484222325U;

    for (uint32_t i = 0; i < watch->count; i++) {
        struct stat status;

        if (stat(watch->paths[i], &status) != 0)
            memset(&status, 0, sizeof(status));
        hash = mix(hash, (uint64_t)status.st_dev);
        hash = mix(hash, (uint64_t)status.st_ino);
        hash = mix(hash, (uint64_t)status.st_size);
        hash = mix(hash, (uint64_t)status.st_mtim.tv_sec);
        hash = mix(hash, (uint64_t)status.st_mtim.tv_nsec);
    }
    return hash;
}

static void add(struct file_watch *watch, const char *path)
{
    CHECK(watch->count <= FILE_WATCH_MAX);
    if (path && watch->count < FILE_WATCH_MAX)
        watch->paths[watch->count++] = path;
}

void file_watch_init(struct file_watch *watch, const struct secure_options *secure)
{
    memset(watch, 0, sizeof(*watch));
    for (uint32_t i = 0; i < secure->certificate_count; i++)
        add(watch, secure->certificates[i]);
    for (uint32_t i = 0; i < secure->key_count; i++)
        add(watch, secure->keys[i]);
    for (uint32_t i = 0; i < secure->staple_count; i++)
        add(watch, secure->staples[i]);
    add(watch, secure->tls.client_ca_file);
    add(watch, secure->tls.ticket_keys_file);
    file_watch_take(watch);
}

void file_watch_take(struct file_watch *watch)
{
    watch->read = look(watch);
    watch->seen = watch->read;
}

bool file_watch_look(struct file_watch *watch)
{
    uint64_t now = look(watch);
    bool quiet = now == watch->seen;

    watch->seen = now;
    if (now == watch->read || !quiet)
        return false;
    watch->read = now;
    return true;
}
