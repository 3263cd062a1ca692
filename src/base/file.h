/* Files that appear whole, folders, and where things are kept.
 *
 * Returned strings are malloc'ed unless said otherwise.  All functions may be called from any
 * thread. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "assay/types.h"

/* Reads a whole file of at most max bytes; *data is malloc'ed and NUL-terminated behind its *len
 * bytes. */
int file_read(const char *path, size_t max, char **data, size_t *len, struct assay_err *err);

/* Writes beside, syncs, renames: readers see the old file or the new one, never half.  On failure
 * the old file is as it was.  The new one has the old one's permissions.  A link is followed, and
 * stays; a device, a pipe or a FIFO gets what is written, and stays. */
int file_write_whole(const char *path, const void *data, size_t len, struct assay_err *err);

/* The same for content that is produced piece by piece: begin, write …, then commit or abandon. */
struct file_whole {
    int fd;
    bool direct;   /* not beside: path is no plain file */
    unsigned mode; /* of the old file; 0: a new one, by the umask */
    char path[1024];
    char temp[1100];
};
int file_whole_begin(struct file_whole *w, const char *path, struct assay_err *err);
int file_whole_write(struct file_whole *w, const void *data, size_t len, struct assay_err *err);
int file_whole_commit(struct file_whole *w, struct assay_err *err);
void file_whole_abandon(struct file_whole *w); /* harmless after commit */

int file_make_dirs(const char *path, struct assay_err *err); /* mkdir -p */
int file_remove_tree(const char *path,
                     struct assay_err *err); /* a missing one is fine; follows no link */
bool file_exists(const char *path);
bool file_is_dir(const char *path);
int64_t file_size(const char *path); /* -1: cannot be read */
/* Bytes that are free where a folder is, or will be made; < 0: not known. */
double file_disk_free(const char *folder);

/* "dir/name"; NULL when out of memory. */
char *file_join(const char *dir, const char *name);
/* Absolute form without symbolic links; of a path that does not exist, made absolute by the working
 * folder. */
char *file_absolute(const char *path);
/* A copy with the home folder in the place of a leading "~": what a shell does, but not behind a
 * '=', and nobody does in files. */
char *file_expand_home(const char *path);
/* Whether a name that stands for a file below a folder leads out of it: absolute, or with "..". */
bool file_leaves_folder(const char *name);
/* Points into path: the part behind the last '/'. */
const char *file_base(const char *path);

/* The user's folders, by XDG rules with "assay" added (~/.cache/assay …); ASSAY_CACHE, ASSAY_STORE
 * and ASSAY_CONFIG override.  The home folder is HOME, else the user database's; without either the
 * path cannot be made, and says so.  Not created. */
char *file_cache_dir(void);
char *file_store_dir(void);
char *file_store_at(const char *given); /* that folder, absolute; NULL: the user's own */
char *file_config_dir(void);

/* Where this installation is: the folder above the bin/ or libexec/ folder of the running
 * executable; ASSAY_PREFIX overrides.  Built and installed trees have the same shape: bin/assay,
 * libexec/assay/…, lib/assay/{engines,benchmarks,loadgen,runtimes}, share/assay/models. */
char *file_prefix(void);
char *file_prefix_join(const char *below); /* "<prefix>/below" */

#endif
