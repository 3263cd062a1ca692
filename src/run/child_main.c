/* assay-child: the helper process of assay.  `run JOB` does one run, `probe ENGINE RUNTIME` asks
 * an engine about itself, `conform ENGINE …` tries one case of the conformance suite, `answer
 * ENGINE …` runs samples through a model, `load PATH SYMBOL` tries to load a plugin, `guard GROUP`
 * ends a group of processes when its parent has died.  Only ever spawned by assay, so its arguments
 * are not for people. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/plugin.h"
#include "base/spawn.h"
#include "engine/host.h"
#include "run/run.h"

int main(int argc, char **argv)
{
    struct assay_err err = {0};
    int rc = ASSAY_EUSAGE;

    if (argc == 3 && !strcmp(argv[1], "guard")) { /* this one outlives its parent */
        spawn_guard_here(argv[2]);
        _exit(0);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    plugin_load_here();
    if (argc == 3 && !strcmp(argv[1], "run"))
        rc = run_child(argv[2], &err);
    else if (argc == 4 && !strcmp(argv[1], "probe"))
        rc = engine_probe_here(argv[2], argv[3], STDOUT_FILENO, &err);
    else if (argc == 9 && !strcmp(argv[1], "conform"))
        rc = engine_conform_here(argv + 2, STDOUT_FILENO, &err);
    else if (argc == 10 && !strcmp(argv[1], "answer"))
        rc = engine_answer_here(argv + 2, STDOUT_FILENO, &err);
    else if (argc == 4 && !strcmp(argv[1], "load"))
        exit(plugin_try_here(argv[2], argv[3], STDOUT_FILENO, &err) ? 3 : 0);
    else
        assay_fail(&err, ASSAY_EUSAGE, "assay-child is started by assay, not by hand");
    if (rc)
        fprintf(stderr, "%s\n", err.text);
    _exit(rc ? 3 : 0);
}
