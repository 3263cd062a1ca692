/* A record's run made once more; see again.h. */
#include <stdlib.h>
#include <string.h>

#include "base/tree.h"
#include "run/again.h"
#include "run/progress.h"
#include "run/run.h"

void again_release(struct again_made *made)
{
    json_decref(made->record);
    free(made->dir);
    *made = (struct again_made){NULL, NULL};
}

/* A run that failed is a record too, but not one to compare. */
static int check_done(const json_t *record, struct assay_err *err)
{
    const char *status = tree_text(record, "status", "error");

    if (!strcmp(status, "done"))
        return ASSAY_OK;
    return assay_fail(err, strcmp(status, "interrupted") ? ASSAY_EFAIL : ASSAY_ESTOP, "%s",
                      tree_text(json_object_get(record, "error"), "text", "the run failed"));
}

int again_run(const json_t *record, const struct settings *own, const char *what, int argc,
              char **argv, struct again_made *out, struct assay_err *err)
{
    struct settings s;
    int rc = again_settings(record, own, &s, err);

    if (rc)
        return rc;
    progress_line(own->progress, "again", 0, what);
    rc = run_job(&s, argc, argv, &out->record, err);
    settings_release(&s);
    if (rc)
        return rc;
    out->dir = strdup(tree_text(out->record, "folder", ""));
    return out->dir ? check_done(out->record, err)
                    : assay_fail(err, ASSAY_EFAIL, "not enough memory");
}
