/*
 * Stands in for libFuzzer where the compiler has none: runs a fuzz target over the files of the
 * folders that it is given.  `target MIN CORPUS [REGRESSIONS...]`: CORPUS must hold at least MIN
 * files, so that a lost corpus does not pass for a good one; the other folders may be missing.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");

    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    size_t len = (size_t)ftell(file);
    /* Exactly as long as the input, so that the sanitizer sees the first byte read past it. */
    uint8_t *data = malloc(len ? len : 1);

    rewind(file);
    if (!data || fread(data, 1, len, file) != len) {
        perror(path);
        exit(1);
    }
    fclose(file);
    fprintf(stderr, "replay %s (%zu bytes)\n", path, len);
    LLVMFuzzerTestOneInput(data, len);
    free(data);
}

static int replay_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;

    if (!dir)
        return errno == ENOENT ? 0 : -1;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        replay_file(path);
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: %s MIN CORPUS [REGRESSIONS...]\n", argv[0]);
        return 64;
    }
    for (int index = 2; index < argc; index++) {
        int count = replay_folder(argv[index]);

        printf("%s: %d files\n", argv[index], count);
        if (count < 0 || (index == 2 && count < strtol(argv[1], NULL, 10))) {
            fprintf(stderr, "%s: %d files, at least %s are expected\n", argv[index], count,
                    argv[1]);
            return 1;
        }
    }
    return 0;
}
