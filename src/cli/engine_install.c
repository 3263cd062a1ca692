/* assay engines install: what `make engine-NAME` does, from anywhere.
 *
 * Only the source tree can do it: the plugin is built there.  The download, its size said first and
 * its progress are tools/fetch.py's. */
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

/* What make prints is no result: it goes to stderr.  *status is as waitpid tells it. */
static int run_make(char *const *argv, int *status, struct assay_err *err)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int rc;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc)
        return assay_fail(err, ASSAY_EFAIL, "make cannot be started: %s", strerror(rc));
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return assay_fail(err, ASSAY_EFAIL, "make was lost: %s", strerror(errno));
    return ASSAY_OK;
}

static int install(const char *name, const char *source, struct assay_err *err)
{
    char *prefix = file_prefix(), *target = text_format("engine-%s", name);
    char *preset = prefix ? text_format("PRESET=%s", file_base(prefix)) : NULL;
    char *const argv[] = {(char *)"make", (char *)"-C", (char *)source, target, preset, NULL};
    int status = 0, rc;

    if (!target || !preset)
        rc = assay_fail(err, ASSAY_EFAIL, "not enough memory");
    else
        rc = run_make(argv, &status, err);
    if (!rc && WIFSIGNALED(status) && WTERMSIG(status) == SIGINT)
        rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
    else if (!rc && status)
        rc = assay_fail(err, ASSAY_EFAIL, "%s is not installed: `make -C %s %s` failed", name,
                        source, target);
    free(prefix);
    free(preset);
    free(target);
    return rc;
}

int cli_engine_install(struct cli_input *in)
{
    const char *name = in->args[0];
    json_t *offer = engine_offer(name);
    char *source = engine_source_dir();
    struct assay_err err;
    int rc;

    if (strncmp(in->settings.device, "cpu", 3))
        rc = assay_fail(&err, ASSAY_EUNSUPPORTED,
                        "tools/deps.lock has libraries for the CPU only; engines/%s/README.md in "
                        "Assay's source tree says how to use one for %s",
                        name, in->settings.device);
    else if (!offer)
        rc = no_offer(name, &err);
    else if (!source)
        rc = engine_offer_check(name, &err);
    else
        rc = install(name, source, &err);
    json_decref(offer);
    free(source);
    return rc ? cli_fail(&err) : EXIT_OK;
}
