/* assay engines install: what `make engine-NAME` does, from anywhere; with --device cuda, `make
 * engine-NAME DEVICE=cuda`.
 *
 * Only the source tree can do it: the plugin is built there.  The download, its size said first and
 * its progress are tools/fetch.py's; which engines have a library for CUDA says engine/offer.h. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "engine/host.h"
#include "engine/offer.h"

extern char **environ;

struct wish {
    const char *name;
    bool cuda;
    char *source; /* the source tree; NULL: this program is installed */
    json_t *offer;
};

/* No offer: it is here, or it is unknown. */
static int no_offer(const char *name, struct assay_err *err)
{
    const struct assay_engine *table;
    char path[1024];
    int rc = engine_load(name, &table, path, err);

    if (rc)
        return rc;
    return assay_fail(err, ASSAY_EUSAGE, "the engine %s is here already: %s", name, path);
}

static int no_source(const struct wish *w, struct assay_err *err)
{
    char how[1200];
    int rc;

    if (!w->cuda) {
        rc = w->offer ? engine_offer_check(w->name, err) : ASSAY_OK;
        return rc ? rc : no_offer(w->name, err);
    }
    engine_cuda_how(w->name, how, sizeof(how));
    return assay_fail(err, ASSAY_EFAIL, "%s gets %s for cuda", how, w->name);
}

/* The engine may be here already, with another library. */
static int check_cuda(const struct wish *w, struct assay_err *err)
{
    const struct assay_engine *table;
    char where[1024];
    bool known = w->offer || engine_offers_cuda(w->name);
    int rc = known ? ASSAY_OK : engine_load(w->name, &table, where, err);

    return rc ? rc : engine_check_cuda(w->name, err);
}

/* What make prints is no result: with quiet it goes to stderr.  *status is as waitpid tells it. */
static int run(char *const *argv, bool quiet, int *status, struct assay_err *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int rc;

    posix_spawn_file_actions_init(&actions);
    if (quiet)
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc)
        return assay_fail(err, ASSAY_EFAIL, "%s cannot be started: %s", argv[0], strerror(rc));
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return assay_fail(err, ASSAY_EFAIL, "%s was lost: %s", argv[0], strerror(errno));
    if (WIFSIGNALED(*status) && WTERMSIG(*status) == SIGINT)
        return assay_fail(err, ASSAY_ESTOP, "interrupted");
    return ASSAY_OK;
}

static int install(const struct wish *w, struct assay_err *err)
{
    char *prefix = file_prefix(), *target = text_format("engine-%s", w->name);
    char *preset = prefix ? text_format("PRESET=%s", file_base(prefix)) : NULL;
    char *device = w->cuda ? (char *)"DEVICE=cuda" : NULL;
    char *const argv[] = {(char *)"make", (char *)"-C", w->source, target, preset, device, NULL};
    int status = 0, rc;

    if (!target || !preset)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else
        rc = run(argv, true, &status, err);
    if (!rc && status)
        rc = assay_fail(err, ASSAY_EFAIL, "%s is not installed: `make -C %s %s%s` failed", w->name,
                        w->source, target, w->cuda ? " DEVICE=cuda" : "");
    free(prefix);
    free(preset);
    free(target);
    return rc;
}

/* What would be downloaded. */
static int dry_run(const struct wish *w, struct assay_err *err)
{
    char *tool = file_join(w->source, "tools/bootstrap");
    char *engine = text_format("engine:%s%s", w->name, w->cuda ? "-cuda" : "");
    char *const argv[] = {tool, (char *)"--dry-run", engine, NULL};
    int status = 0, rc;

    if (!tool || !engine)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else
        rc = run(argv, false, &status, err);
    if (!rc && status)
        rc = assay_fail(err, ASSAY_EFAIL, "`%s --dry-run %s` failed", tool, engine);
    free(tool);
    free(engine);
    return rc;
}

int cli_engine_install(struct cli_input *in)
{
    const char *device = in->settings.device;
    struct wish w = {in->args[0], !strncmp(device, "cuda", 4), engine_source_dir(),
                     engine_offer(in->args[0])};
    struct assay_err err;
    int rc = ASSAY_OK;

    if (cli_value(in, "offline"))
        setenv("ASSAY_OFFLINE", "1", 1);
    if (!w.cuda && strncmp(device, "cpu", 3))
        rc = assay_fail(&err, ASSAY_EUNSUPPORTED,
                        "device '%s': libraries can be had for cpu and for cuda", device);
    else if (w.cuda)
        rc = check_cuda(&w, &err);
    else if (w.source && !w.offer)
        rc = no_offer(w.name, &err);
    if (!rc && !w.source)
        rc = no_source(&w, &err);
    if (!rc)
        rc = in->settings.dry_run ? dry_run(&w, &err) : install(&w, &err);
    json_decref(w.offer);
    free(w.source);
    return rc ? cli_fail(&err) : EXIT_OK;
}
