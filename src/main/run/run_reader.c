/*
 * Reading whole files.
 *
 * The happy path: open, read until nothing comes, close.  It can fail by a name that is not there,
 * by one that may not be read, by a folder, and by a file that is too long.
 */
#include "main/run/run_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

enum { PIECE_BYTES = 64 * 1024 };

static px_err fail(px_error *out_error)
{
    const char *reason = errno == EACCES ? "permission denied" : strerror(errno);

    return error_set(out_error, error_category(errno), errno, "%s%s", reason,
                     errno == EACCES ? " (it is read by the process that starts pollux)" : "");
}

/* Reads all there is: a pipe has no size that could be asked for before. */
static px_err read_all(int fd, size_t bytes_max, struct arena *arena, px_str *out_text,
                       px_error *out_error)
{
    size_t room = PIECE_BYTES, len = 0;
    char *text = malloc(room + 1);

    while (text) {
        ssize_t got = read(fd, text + len, room - len);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            px_err err = fail(out_error);

            free(text);
            return err;
        }
        len += (size_t)got;
        if (got == 0 || len > bytes_max)
            break;
        if (len < room)
            continue;
        char *more = realloc(text, 2 * room + 1);

        if (!more)
            free(text);
        text = more;
        room *= 2;
    }
    px_err err = PX_OK;
    px_str copy = {0};

    if (text && len > bytes_max)
        err = error_set(out_error, PX_ERR_LIMIT, 0, "it has more than %zu bytes", bytes_max);
    else if (text)
        copy = arena_copy(arena, px_str_make(text, len));
    if (err == PX_OK && !copy.ptr)
        err = error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (err == PX_OK)
        *out_text = copy;
    free(text);
    return err;
}

static px_err reader_read(void *context, const char *path, size_t bytes_max, struct arena *arena,
                          px_str *out_text, px_error *out_error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    (void)context;
    if (fd < 0)
        return fail(out_error);
    px_err err = read_all(fd, bytes_max, arena, out_text, out_error);

    close(fd);
    return err;
}

/* What matches, in the order of its bytes, whatever the locale. */
static px_err names_copy(const glob_t *found, struct arena *arena, const char *const **out_names,
                         uint32_t *out_count)
{
    const char **names = arena_take(arena, (found->gl_pathc + 1) * sizeof(names[0]));

    if (!names)
        return PX_ERR_MEMORY;
    for (size_t i = 0; i < found->gl_pathc; i++) {
        px_str name = arena_copy(arena, px_str_of(found->gl_pathv[i]));

        if (!name.ptr)
            return PX_ERR_MEMORY;
        names[i] = name.ptr;
    }
    *out_names = names;
    *out_count = (uint32_t)found->gl_pathc;
    return PX_OK;
}

static int name_compare(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static px_err reader_list(void *context, const char *pattern, struct arena *arena,
                          const char *const **out_names, uint32_t *out_count, px_error *out_error)
{
    glob_t found = {0};
    int result = glob(pattern, GLOB_NOSORT, NULL, &found);
    px_err err = PX_OK;

    (void)context;
    *out_count = 0;
    if (result == 0) {
        qsort((void *)found.gl_pathv, found.gl_pathc, sizeof(found.gl_pathv[0]), name_compare);
        err = names_copy(&found, arena, out_names, out_count);
    }
    globfree(&found);
    if (result == GLOB_NOSPACE || err != PX_OK)
        return error_set(out_error, PX_ERR_MEMORY, 0, "out of memory");
    if (result == GLOB_ABORTED)
        return error_set(out_error, PX_ERR_SYSTEM, 0, "the folder cannot be read");
    return PX_OK;
}

static enum path_kind reader_kind(void *context, const char *path)
{
    struct stat status;

    (void)context;
    if (stat(path, &status) != 0)
        return PATH_NOTHING;
    return S_ISDIR(status.st_mode) ? PATH_FOLDER : PATH_FILE;
}

static const char *reader_variable(void *context, const char *name)
{
    (void)context;
    return getenv(name);
}

const struct config_reader run_reader = {
    .read = reader_read, .list = reader_list, .variable = reader_variable, .kind = reader_kind};
