/* Spawning and watching the child; see supervise.h.
 *
 * The child runs in its own process group, so a Ctrl-C at the terminal reaches the parent alone,
 * which then decides in what order things end. */
#include "run/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/spawn.h"
#include "engine/host.h"
#include "run/progress.h"

extern char **environ;

#define TICK_MS     250 /* four wake-ups a second take nothing from the run */
#define STOP_WAIT_S 5

const char *const run_phase_names[] = {"starting", "data set", "model",    "warm-up",
                                       "search",   "run",      "accuracy", "finished"};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static int make_shared(struct supervised *s, struct assay_err *err)
{
    s->shared_fd = memfd_create("assay-shared", MFD_CLOEXEC);
    s->latencies_fd = memfd_create("assay-latencies", MFD_CLOEXEC);
    if (s->shared_fd < 0 || s->latencies_fd < 0 ||
        ftruncate(s->shared_fd, sizeof(struct run_shared)) ||
        ftruncate(s->latencies_fd, (off_t)(RUN_LATENCIES_MAX * sizeof(int64_t))))
        return assay_fail(err, ASSAY_ELACK, "shared memory cannot be made: %s", strerror(errno));
    s->shared =
        mmap(NULL, sizeof(struct run_shared), PROT_READ | PROT_WRITE, MAP_SHARED, s->shared_fd, 0);
    s->table = mmap(NULL, RUN_LATENCIES_MAX * sizeof(int64_t), PROT_READ,
                    MAP_SHARED | MAP_NORESERVE, s->latencies_fd, 0);
    if (s->shared == MAP_FAILED || s->table == MAP_FAILED)
        return assay_fail(err, ASSAY_ELACK,
                          "%llu GiB of address space for the latencies cannot be had: %s; is "
                          "`ulimit -v` lower? Memory is taken only for those that come: raise it",
                          (unsigned long long)(RUN_LATENCIES_MAX * sizeof(int64_t) >> 30),
                          strerror(errno));
    return ASSAY_OK;
}

static int spawn(const char *job, const char *dir, const struct supervised *s, pid_t *pid,
                 struct assay_err *err)
{
    char *exe = file_prefix_join("libexec/assay/assay-child"), log[1200];
    char *argv[] = {exe, (char *)"run", (char *)job, NULL};
    posix_spawn_file_actions_t files;
    int rc;

    if (!exe || !file_exists(exe)) {
        assay_fail(err, ASSAY_EFAIL, "%s is missing: the installation is incomplete",
                   exe ? exe : "assay-child");
        free(exe);
        return ASSAY_EFAIL;
    }
    snprintf(log, sizeof(log), "%s/engine.log", dir);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND,
                                     0644);
    posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    posix_spawn_file_actions_adddup2(&files, s->shared_fd, RUN_SHARED_FD);
    posix_spawn_file_actions_adddup2(&files, s->latencies_fd, RUN_LATENCIES_FD);
    rc = spawn_group(pid, exe, &files, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc)
        rc = assay_fail(err, ASSAY_ELACK, "%s cannot be started: %s", exe, strerror(rc));
    free(exe);
    return rc;
}

/* The last line that the child printed, for crashes that explain themselves there. */
static void last_words(const char *dir, char out[300])
{
    char path[1200], *text = NULL, *line;
    const char *less;
    size_t len;

    out[0] = 0;
    snprintf(path, sizeof(path), "%s/engine.log", dir);
    if (file_read(path, 16 << 20, &text, &len, NULL))
        return;
    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        text[--len] = 0;
    line = strrchr(text, '\n');
    line = line ? line + 1 : text;
    less = engine_is_of_memory(line)
               ? " (not enough memory: give a smaller --batch or fewer --lanes)"
               : "";
    if (len)
        snprintf(out, 300, "; its last words%s: %.160s", less, line);
    free(text);
}

static int how_it_ended(int status, const char *dir, const struct supervised *s,
                        struct assay_err *err)
{
    int phase = atomic_load(&s->shared->phase);
    const char *where = run_phase_names[phase >= 0 && phase < PHASE_COUNT ? phase : 0];
    char words[300];

    if (atomic_load(&s->shared->failed)) {
        *err = s->shared->error;
        return err->code;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && phase == PHASE_DONE)
        return ASSAY_OK;
    last_words(dir, words);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        return assay_fail(err, ASSAY_EFAIL,
                          "the run's process was killed in the phase '%s' (out of memory?)%s",
                          where, words);
    if (WIFSIGNALED(status))
        return assay_fail(err, ASSAY_EFAIL, "the engine%s%s crashed in the phase '%s': %s%s",
                          s->shared->engine[0] ? " " : "", s->shared->engine, where,
                          strsignal(WTERMSIG(status)), words);
    return assay_fail(err, ASSAY_EFAIL,
                      "the run's process ended in the phase '%s' with exit code %d before its work "
                      "was done%s",
                      where, WEXITSTATUS(status), words);
}

/* limit_ns 0: no limit. */
static int wait_for(pid_t pid, struct supervised *s, struct progress *p, int64_t limit_ns)
{
    struct pollfd ends = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    int64_t asked = 0, began = clock_ns();
    int status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
        poll(&ends, 1, TICK_MS); /* without a descriptor (before Linux 5.3) just a pause */
        progress_show(p, s->shared);
        if (interrupted && !asked) {
            atomic_store(&s->shared->stop, 1);
            asked = clock_ns();
        }
        if (asked && clock_ns() - asked > STOP_WAIT_S * (int64_t)1000000000)
            kill(pid, SIGKILL);
        if (limit_ns && clock_ns() - began > limit_ns) {
            s->late = true;
            kill(pid, SIGKILL);
        }
    }
    if (ends.fd >= 0)
        close(ends.fd);
    return ended < 0 ? SIGKILL : status; /* what nobody can say is never good */
}

/* The child may have died between any two of its writes. */
static void find_latencies(struct supervised *s)
{
    uint64_t from = atomic_load(&s->shared->latencies_from),
             end = atomic_load(&s->shared->latencies);

    if (from > end || end > RUN_LATENCIES_MAX)
        from = end = 0;
    s->latencies = s->table + from;
    s->latency_count = end - from;
}

int supervise_run(const char *job, const char *dir, const char *how, double limit_s,
                  struct supervised *out, struct assay_err *err)
{
    /* Where a parent's SIGCHLD was ignored, the kernel would keep no status to wait for. */
    const struct sigaction act = {.sa_handler = on_signal}, usual = {.sa_handler = SIG_DFL};
    const int signals[4] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};
    struct sigaction old[4];
    struct progress progress;
    sigset_t heard, before;
    pid_t pid;
    int i, status, rc;

    memset(out, 0, sizeof(*out));
    out->shared_fd = out->latencies_fd = -1;
    rc = make_shared(out, err);
    if (rc)
        return rc;
    interrupted = 0;
    sigemptyset(&heard);
    for (i = 0; i < 4; i++) {
        sigaction(signals[i], signals[i] == SIGCHLD ? &usual : &act, &old[i]);
        sigaddset(&heard, signals[i]);
    }
    if (old[2].sa_handler == SIG_IGN) /* nohup: the run is to outlive its terminal */
        sigaction(SIGHUP, &old[2], NULL);
    pthread_sigmask(SIG_UNBLOCK, &heard, &before); /* what the caller held back is heard now */
    rc =
        interrupted ? assay_fail(err, ASSAY_ESTOP, "interrupted") : spawn(job, dir, out, &pid, err);
    if (!rc) {
        progress_begin(&progress, how);
        status = wait_for(pid, out, &progress, (int64_t)(limit_s * 1e9));
        progress_end(&progress);
        rc = how_it_ended(status, dir, out, err);
        if (out->late)
            rc = assay_fail(err, ASSAY_EFAIL, "took longer than %.0f s", limit_s);
        out->interrupted = interrupted;
        if (rc && interrupted)
            rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
        find_latencies(out);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL); /* held back again, before the usual end by it */
    for (i = 0; i < 4; i++)
        sigaction(signals[i], &old[i], NULL);
    return rc;
}

void supervise_release(struct supervised *s)
{
    if (s->shared && s->shared != MAP_FAILED)
        munmap(s->shared, sizeof(*s->shared));
    if (s->table && s->table != MAP_FAILED)
        munmap(s->table, RUN_LATENCIES_MAX * sizeof(int64_t));
    if (s->shared_fd >= 0)
        close(s->shared_fd);
    if (s->latencies_fd >= 0)
        close(s->latencies_fd);
    memset(s, 0, sizeof(*s));
    s->shared_fd = s->latencies_fd = -1;
}
