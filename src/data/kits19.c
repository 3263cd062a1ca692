/* The list of cases; see kits19.h. */
#include "data/kits19.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

enum { COPY = 400, COPY_OF = 185 };

/* The benchmark's own, in the order of LoadGen's indices.  Case 400 is a copy of 185. */
static const uint16_t official[] = {0,   3,   5,   6,   12,  24,  34,  41,  44,  49,  52,
                                    56,  61,  65,  66,  70,  76,  78,  80,  84,  86,  87,
                                    92,  111, 112, 125, 128, 138, 157, 160, 161, 162, 169,
                                    171, 176, 185, 187, 189, 198, 203, 206, 207, 400};

enum { OFFICIAL = sizeof(official) / sizeof(official[0]) };

void kits19_release(struct kits19 *k)
{
    free(k->folder);
    free(k->cases);
    memset(k, 0, sizeof(*k));
}

static int no_memory(struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "kits19: not enough memory");
}

static bool has_case(const char *folder, unsigned number)
{
    char *path = text_format("%s/case_%05u/imaging.nii.gz", folder, number);
    bool there = path && file_exists(path);

    free(path);
    return there;
}

/* How many of the benchmark's cases are not there, and the first of them. */
static int missing_official(const char *folder, unsigned *first)
{
    int i, missing = 0;

    for (i = 0; i < OFFICIAL; i++)
        if (!has_case(folder, official[i]) && (official[i] != COPY || !has_case(folder, COPY_OF)))
            *first = missing++ ? *first : official[i];
    return missing;
}

static int incomplete(const char *folder, int missing, unsigned first, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: has %d of the benchmark's %d cases, and case_%05u/imaging.nii.gz is "
                      "missing: get the rest, or take most of them out for a data set of other "
                      "cases",
                      folder, OFFICIAL - missing, OFFICIAL, first);
}

static int name_official(struct kits19 *k, struct assay_err *err)
{
    if (!(k->cases = calloc(OFFICIAL, sizeof(*k->cases))))
        return no_memory(err);
    for (k->n = 0; k->n < OFFICIAL; k->n++) {
        struct kits19_case *one = &k->cases[k->n];
        unsigned number = official[k->n];

        snprintf(one->name, sizeof(one->name), "case_%05u", number);
        if (number == COPY && !has_case(k->folder, COPY))
            number = COPY_OF;
        snprintf(one->from, sizeof(one->from), "case_%05u", number);
    }
    k->official = true;
    return ASSAY_OK;
}

static int is_case(const struct dirent *e)
{
    return !strncmp(e->d_name, "case_", 5) &&
           strlen(e->d_name) < sizeof(((struct kits19_case *)0)->name);
}

static int name_all(struct kits19 *k, struct assay_err *err)
{
    struct dirent **found = NULL;
    int n = scandir(k->folder, &found, is_case, alphasort), i;

    if (n < 0)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", k->folder, strerror(errno));
    k->cases = calloc((size_t)n + 1, sizeof(*k->cases));
    for (i = 0; i < n; i++) {
        if (k->cases) {
            struct kits19_case *one = &k->cases[k->n++];

            snprintf(one->name, sizeof(one->name), "%.31s", found[i]->d_name);
            memcpy(one->from, one->name, sizeof(one->from));
        }
        free(found[i]);
    }
    free(found);
    if (!n)
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: has no cases; wanted: KiTS19's data, a folder case_NNNNN for each "
                          "with imaging.nii.gz and segmentation.nii.gz",
                          k->folder);
    return k->cases ? ASSAY_OK : no_memory(err);
}

/* count samples of what was found; 0: all. */
static int limit(struct kits19 *k, uint64_t count, struct assay_err *err)
{
    if (count > k->n)
        return assay_fail(err, ASSAY_EUSAGE, "%s: has %llu cases, %llu were asked for", k->folder,
                          (unsigned long long)k->n, (unsigned long long)count);
    if (count)
        k->n = count;
    k->official = k->official && k->n == OFFICIAL;
    return ASSAY_OK;
}

int kits19_list(const char *dataset, uint64_t count, struct kits19 *k, struct assay_err *err)
{
    char *data = file_join(dataset, "data");
    unsigned first = 0;
    int rc, missing;

    memset(k, 0, sizeof(*k));
    k->folder = data && file_is_dir(data) ? strdup(data) : strdup(dataset);
    free(data);
    if (!data || !k->folder)
        return no_memory(err);
    missing = missing_official(k->folder, &first);
    if (missing && missing < OFFICIAL / 2)
        rc = incomplete(k->folder, missing, first, err);
    else
        rc = missing ? name_all(k, err) : name_official(k, err);
    return rc ? rc : limit(k, count, err);
}
