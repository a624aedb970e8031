/*
 * Where the program was started from.
 *
 * The path that execve was given says what a person (or a unit file, or a symbolic link that a
 * package moves on) means by this program; /proc/self/exe would stay with the file that is running,
 * which an upgrade has replaced.
 */
#include "main/program.h"

#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

void program_file_init(struct program_file *program, char *const *argv)
{
    const char *given = (const char *)getauxval(AT_EXECFN);
    char folder[PATH_MAX];
    int len = -1;

    program->argv = argv;
    program->path[0] = '\0';
    /* A program that was executed by its descriptor has no path of its own. */
    if (!given || strncmp(given, "/dev/fd/", 8) == 0)
        return;
    if (*given == '/')
        len = snprintf(program->path, sizeof(program->path), "%s", given);
    else if (getcwd(folder, sizeof(folder)))
        len = snprintf(program->path, sizeof(program->path), "%s/%s", folder, given);
    if (len < 0 || (size_t)len >= sizeof(program->path))
        program->path[0] = '\0';
}
