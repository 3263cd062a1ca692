/* Runs a fuzz target over files and folders without libFuzzer, so that a corpus is a plain test in
 * every build and a crashing input can be looked at in a debugger: fuzz_NAME PATH...
 *
 * A folder is taken without its subfolders.  Each input is copied to a block of exactly its size,
 * so that the sanitizers see a read past its end.  No input at all is an error: a test that ran
 * nothing must not pass. */
#include "assay/types.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size ? size : 1);
    int rc = -1;

    if (f && data && fread(data, 1, size, f) == size) {
        LLVMFuzzerTestOneInput(data, size);
        rc = 0;
    } else {
        fprintf(stderr, "%s: cannot be read\n", path);
    }
    if (f)
        fclose(f);
    free(data);
    return rc;
}

/* Returns how many inputs ran, -1 when one could not be read. */
static int run_path(const char *path, bool inside)
{
    struct stat st;
    struct dirent *entry;
    DIR *dir;
    int count = 0;

    if (stat(path, &st) != 0) {
        perror(path);
        return -1;
    }
    if (S_ISREG(st.st_mode))
        return run_file(path, (size_t)st.st_size) == 0 ? 1 : -1;
    if (inside || !(dir = opendir(path)))
        return inside ? 0 : -1;
    while (count >= 0 && (entry = readdir(dir))) {
        char below[4096];
        int more;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        more = run_path(below, true);
        count = more < 0 ? -1 : count + more;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    int total = 0;

    for (int i = 1; i < argc; i++) {
        int count = run_path(argv[i], false);

        if (count < 0)
            return 1;
        total += count;
    }
    printf("%d inputs\n", total);
    return total ? 0 : 1;
}
