/* Records opened, and their runs made again; see rerun.h. */
#include "cli/rerun.h"

#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "record/record.h"
#include "run/again.h"
#include "run/run.h"

int rerun_open(const struct cli_input *in, const char *name, struct rerun *out)
{
    char *store = cli_store(&in->settings);
    struct assay_err err;
    int rc = store ? record_open(store, name, &out->dir, &out->record, &err)
                   : assay_fail(&err, ASSAY_EFAIL, "not enough memory");

    free(store);
    return rc ? cli_fail(&err) : EXIT_OK;
}

void rerun_release(struct rerun *a)
{
    json_decref(a->record);
    free(a->dir);
    *a = (struct rerun){NULL, NULL};
}

struct compare_run rerun_as_run(const struct rerun *a)
{
    return (struct compare_run){a->record, a->dir};
}

/* A run that failed is a record too, but not one to compare. */
static int check_done(const json_t *record)
{
    const char *status = tree_text(record, "status", "error");

    if (!strcmp(status, "done"))
        return EXIT_OK;
    cli_warn("%s", tree_text(json_object_get(record, "error"), "text", "the run failed"));
    return strcmp(status, "interrupted") ? EXIT_COULD_NOT : EXIT_INTERRUPTED;
}

int rerun_run(const struct cli_input *in, const json_t *record, const char *what, struct rerun *out)
{
    const char *progress = in->settings.progress;
    struct assay_err err;
    struct settings s;
    int rc = again_settings(record, &in->settings, &s, &err);

    if (rc)
        return cli_fail(&err);
    if (!progress || strcmp(progress, "none") != 0)
        fprintf(stderr, "%s\n", what);
    rc = run_job(&s, in->argc, in->argv, &out->record, &err);
    settings_release(&s);
    if (rc)
        return cli_fail(&err);
    out->dir = strdup(tree_text(out->record, "folder", ""));
    return out->dir ? check_done(out->record) : EXIT_COULD_NOT;
}
