/* The assay program: see cli/cli.h. */
#include <signal.h>

#include "cli/cli.h"

int main(int argc, char **argv)
{
    cli_guard_streams();
    /* A reader that goes away is an error with a message, not a silent death in the middle of a
     * run. */
    signal(SIGPIPE, SIG_IGN);
    return cli_finish(cli_main(argc, argv));
}
