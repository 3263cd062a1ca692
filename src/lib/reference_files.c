/* What a reference reads that is not the model's, the data set's or the repository's, written into
 * its working folder: user.conf, the list of the samples, and 3D-UNet's cases. */
#include "lib/reference_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"
#include "data/kits19.h"

/* ---- the list ---- */

/* The first lines of a list. */
static int cut_lines(const char *from, const char *to, int64_t count, struct assay_err *err)
{
    char *text = NULL;
    size_t len, at = 0;
    int rc = file_read(from, 1 << 26, &text, &len, err);

    for (; !rc && at < len && count; count--)
        at += strcspn(text + at, "\n") + 1;
    if (!rc)
        rc = file_write_whole(to, text, at < len ? at : len, err);
    free(text);
    return rc;
}

/* The first images of a list in COCO's form; boxes of others are passed over by its readers. */
static int cut_images(const char *from, const char *to, int64_t count, struct assay_err *err)
{
    json_error_t why;
    json_t *tree = json_load_file(from, 0, &why), *images = json_object_get(tree, "images");
    int rc = tree ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "%s: %s", from, why.text);

    while (!rc && (int64_t)json_array_size(images) > count)
        json_array_remove(images, json_array_size(images) - 1);
    if (!rc && json_dump_file(tree, to, JSON_COMPACT))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be written", to);
    json_decref(tree);
    return rc;
}

/* The reference ends after --count queries when it is told one, so it is given a shorter list. */
int reference_list(struct beside *b, struct assay_err *err)
{
    int64_t count = b->s.count;
    bool images = !strcmp(b->row->benchmark, "retinanet");
    char *to, *from;
    int rc;

    if (!count)
        return ASSAY_OK;
    from = strdup(tree_text(b->names, "list", ""));
    to = file_join(b->work.dir, images ? "list.json" : "list.txt");
    if (!from || !to)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else
        rc = (images ? cut_images : cut_lines)(from, to, count, err);
    reference_name(b, "list", to);
    free(from);
    free(to);
    return rc;
}

int reference_link(char *target, char *path, struct assay_err *err)
{
    int rc = target && path ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc && symlink(target, path))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be linked: %s", path, strerror(errno));
    free(target);
    free(path);
    return rc;
}

/* ---- 3D-UNet ----
 *
 * Its programs take the cases that meta/inference_cases.json in the working folder lists, and
 * preprocess.py compares the digest of each prepared file case*.pkl with meta/checksum_*.json.  For
 * the benchmark's own cases that is the repository's folder, as published.  Of other cases, and of
 * a part, there are no published digests, so these get a list of their own and names that are not
 * compared. */

static int write_meta(const struct beside *b, const json_t *list, struct assay_err *err)
{
    static const char *const files[] = {"inference_cases", "calibration_cases",
                                        "checksum_inference", "checksum_calibration"};
    json_t *none = json_object();
    int rc = ASSAY_OK;

    for (size_t i = 0; !rc && i < sizeof(files) / sizeof(files[0]); i++) {
        char *path = text_format("%s/meta/%s.json", b->work.dir, files[i]);

        rc = path ? tree_write_json(path, i ? none : list, err)
                  : assay_fail(err, ASSAY_EFAIL, "not enough memory");
        free(path);
    }
    json_decref(none);
    return rc;
}

/* raw: links to the cases, under the names that its programs know them by. */
static int link_cases(const struct beside *b, const struct kits19 *k, json_t *list,
                      struct assay_err *err)
{
    const char *before = k->official ? "" : "own_";
    int rc = ASSAY_OK;

    for (uint64_t i = 0; !rc && i < k->n; i++) {
        const struct kits19_case *one = &k->cases[i];

        json_array_append_new(list, json_sprintf("%s%s", before, one->name));
        rc = reference_link(text_format("%s/%s", k->folder, one->from),
                            text_format("%s/raw/%s%s", b->work.dir, before, one->name), err);
    }
    return rc;
}

static int make_dir(const struct beside *b, const char *name, struct assay_err *err)
{
    char *path = file_join(b->work.dir, name);
    int rc = path ? file_make_dirs(path, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    free(path);
    return rc;
}

int reference_cases(struct beside *b, struct assay_err *err)
{
    json_t *list = json_array();
    struct kits19 k;
    int rc = kits19_list(b->dataset, (uint64_t)b->s.count, &k, err);

    if (!rc && !(rc = make_dir(b, "raw", err)))
        rc = link_cases(b, &k, list, err);
    if (!rc && k.official)
        rc = reference_link(text_format("%s/" REFERENCE_UNET "/meta", b->repository),
                            file_join(b->work.dir, "meta"), err);
    else if (!rc && !(rc = make_dir(b, "meta", err)))
        rc = write_meta(b, list, err);
    kits19_release(&k);
    json_decref(list);
    return rc;
}

/* ---- LoadGen's settings ---- */

/* The lines of a user.conf; with any_model those of our model's name are made to be every one's. */
static void add_conf(const struct beside *b, const char *conf, struct text *out)
{
    const char *model = b->r.loadgen_model;
    size_t len = strlen(model), n;

    for (; *conf; conf += n) {
        bool ours = b->row->any_model && !strncmp(conf, model, len) && conf[len] == '.';

        n = strcspn(conf, "\n");
        n += conf[n] != 0;
        text_add(out, ours ? "*" : "");
        text_addn(out, conf + (ours ? len : 0), n - (ours ? len : 0));
    }
}

/* The record's user.conf, which has all but what is LoadGen's own default: with the samples that
 * are in memory, which our harness holds to those that there are. */
static int write_conf(struct beside *b, const json_t *own, struct assay_err *err)
{
    char *from = file_join(tree_text(own, "folder", ""), "user.conf"), *text = NULL;
    const char *model = b->row->any_model ? "*" : b->r.loadgen_model;
    char *to = file_join(b->work.dir, "user.conf"), samples[32];
    struct text all;
    int rc = from && to ? file_read(from, 1 << 20, &text, NULL, err)
                        : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc) {
        snprintf(samples, sizeof(samples), "%lld",
                 (long long)tree_int(json_object_get(own, "dataset"), "performance_samples", 0));
        reference_name(b, "performance-samples", samples);
        text_init(&all, 1 << 20);
        add_conf(b, text, &all);
        text_addf(&all, "%s.*.performance_sample_count_override = %s\n", model, samples);
        if (b->ask->expected_qps > 0 && b->s.scenario == OFFLINE)
            text_addf(&all, "%s.Offline.target_qps = %g\n", model, b->ask->expected_qps);
        rc = file_write_whole(to, all.s, all.len, err);
        text_release(&all);
    }
    free(text);
    free(from);
    free(to);
    return rc;
}

int reference_files(struct beside *b, const json_t *own, struct assay_err *err)
{
    int rc = write_conf(b, own, err);

    if (!rc && b->row->write)
        rc = b->row->write(b, err);
    return rc ? rc : reference_weights(b, err);
}
