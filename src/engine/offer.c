/* Engines that can be had; see offer.h. */
#include "engine/offer.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

#define FOLDER "share/assay/engines"

json_t *engine_offers(void)
{
    char *pattern = file_prefix_join(FOLDER "/*.yaml");
    json_t *all = json_array(), *offer;
    glob_t files;

    if (pattern && !glob(pattern, 0, NULL, &files)) {
        for (size_t i = 0; i < files.gl_pathc; i++)
            if (!tree_read_yaml(files.gl_pathv[i], &offer, NULL))
                json_array_append_new(all, offer);
        globfree(&files);
    }
    free(pattern);
    return all;
}

json_t *engine_offer(const char *name)
{
    json_t *all = engine_offers(), *offer, *found = NULL;
    size_t i;

    json_array_foreach(all, i, offer)
    {
        if (!found && !strcmp(tree_text(offer, "name", ""), name))
            found = json_incref(offer);
    }
    json_decref(all);
    return found;
}

bool engine_offers_cuda(const char *name)
{
    char *below = text_format(FOLDER "/%s.cuda", name);
    char *file = below ? file_prefix_join(below) : NULL;
    bool offers = file && file_exists(file);

    free(below);
    free(file);
    return offers;
}

int engine_check_cuda(const char *name, struct assay_err *err)
{
    char *pattern = file_prefix_join(FOLDER "/*.cuda");
    struct text others;
    glob_t files;

    if (engine_offers_cuda(name)) {
        free(pattern);
        return ASSAY_OK;
    }
    text_init(&others, 400);
    if (pattern && !glob(pattern, 0, NULL, &files)) {
        for (size_t i = 0; i < files.gl_pathc; i++) {
            const char *file = file_base(files.gl_pathv[i]);

            text_addf(&others, "%s%.*s", i ? ", " : "", (int)strcspn(file, "."), file);
        }
        globfree(&files);
    }
    assay_fail(err, ASSAY_EUNSUPPORTED,
               "Assay knows no library of %s for cuda; it knows one of: %s", name,
               others.len ? others.s : "no engine");
    text_release(&others);
    free(pattern);
    return ASSAY_EUNSUPPORTED;
}

/* Built in SOURCE/build/PRESET. */
char *engine_source_dir(void)
{
    char *up = file_prefix_join("../.."), *dir = up ? file_absolute(up) : NULL;
    char *lock = dir ? file_join(dir, "tools/deps.lock") : NULL;

    if (!lock || !file_exists(lock)) {
        free(dir);
        dir = NULL;
    }
    free(lock);
    free(up);
    return dir;
}

void engine_offer_how(const json_t *offer, char *out, size_t size)
{
    const char *name = tree_text(offer, "name", "");
    double megabytes = (double)tree_int(offer, "bytes", 0) / 1e6;
    char *source = engine_source_dir(), *prefix = file_prefix();

    if (source)
        snprintf(out, size, "`assay engines install %s`, or `make engine-%s` (%.0f MB)", name, name,
                 megabytes);
    else
        snprintf(out, size, "`make engine-%s install PREFIX=%s` in Assay's source tree (%.0f MB)",
                 name, prefix ? prefix : "", megabytes);
    free(source);
    free(prefix);
}

void engine_cuda_how(const char *name, char *out, size_t size)
{
    char *source = engine_source_dir(), *prefix = file_prefix();

    if (source)
        snprintf(out, size, "`assay engines install %s --device cuda`", name);
    else
        snprintf(out, size, "`make engine-%s install DEVICE=cuda PREFIX=%s` in Assay's source tree",
                 name, prefix ? prefix : "");
    free(source);
    free(prefix);
}

int engine_offer_check(const char *name, struct assay_err *err)
{
    json_t *offer = engine_offer(name);
    char how[300];

    if (!offer)
        return ASSAY_OK;
    engine_offer_how(offer, how, sizeof(how));
    json_decref(offer);
    return assay_fail(err, ASSAY_EFAIL, "the engine %s is not installed: %s gets it", name, how);
}
