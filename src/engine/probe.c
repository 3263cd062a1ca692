/* Probing in a child process: a vendor library that crashes, hangs or prints takes nothing down.
 *
 * The child is <prefix>/libexec/assay/assay-child, started by posix_spawn (never a fork that goes
 * on: some engines' libraries hang in it).  It writes one JSON object on descriptor
 * ENGINE_PROBE_FD:
 *   {"version", "library", "devices": [{"device", "name"}, …], "note"}   or   {"code", "error"}. */
#include "engine/host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tree.h"

#define PROBE_LIMIT_MS  20000
#define PROBE_MAX_BYTES 65536

extern char **environ;

static int probe_table(const struct assay_engine *t, const char *name, struct assay_engine_probe *p,
                       struct assay_err *err)
{
    char *dir;
    int rc;

    memset(p, 0, sizeof(*p));
    p->size = sizeof(*p);
    if (!t->probe) {
        p->device_count = 1;
        snprintf(p->devices[0], sizeof(p->devices[0]), "cpu");
        return ASSAY_OK;
    }
    dir = engine_runtime_dir(t->name ? t->name : name);
    rc = t->probe(dir ? dir : "", p, err);
    free(dir);
    return rc;
}

static json_t *probe_json(const struct assay_engine_probe *p)
{
    json_t *devices = json_array();

    for (uint32_t i = 0; i < p->device_count && i < ASSAY_PROBE_DEVICES; i++)
        json_array_append_new(
            devices, json_pack("{s:s, s:s}", "device", p->devices[i], "name", p->device_names[i]));
    return json_pack("{s:s, s:s, s:o, s:s}", "version", p->version, "library", p->library,
                     "devices", devices, "note", p->note);
}

/* Keeps fd for the answer alone: what the engine's libraries print on it goes nowhere. */
static int keep_descriptor(int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (nowhere >= 0) {
        dup2(nowhere, fd);
        close(nowhere);
    }
    return own;
}

int engine_probe_here(const char *name, int fd, struct assay_err *err)
{
    const struct assay_engine *t;
    struct assay_engine_probe p;
    struct assay_err words = {0};
    char path[1024];
    json_t *doc;
    int own = keep_descriptor(fd), rc = engine_load(name, &t, path, &words);

    if (!rc)
        rc = probe_table(t, name, &p, &words);
    doc = rc ? json_pack("{s:i, s:s}", "code", rc, "error", words.text) : probe_json(&p);
    rc =
        doc && json_dumpfd(doc, own, JSON_COMPACT) == 0
            ? ASSAY_OK
            : assay_fail(err, ASSAY_EFAIL, "engine %s: the probe's answer cannot be written", name);
    json_decref(doc);
    close(own);
    return rc;
}

static int spawn_child(const char *name, int *from, pid_t *pid, struct assay_err *err)
{
    char *exe = file_prefix_join("libexec/assay/assay-child");
    char *argv[] = {"assay-child", "probe", (char *)name, NULL};
    posix_spawn_file_actions_t actions;
    int ends[2] = {-1, -1}, rc = exe ? 0 : ENOMEM;

    if (!rc && pipe2(ends, O_CLOEXEC) < 0)
        rc = errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (!rc)
        rc = posix_spawn(pid, exe, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (ends[1] >= 0)
        close(ends[1]);
    if (rc) {
        assay_fail(err, ASSAY_EFAIL, "engine %s: cannot be probed: %s: %s", name, exe ? exe : "",
                   strerror(rc));
        if (ends[0] >= 0)
            close(ends[0]);
    }
    *from = ends[0];
    free(exe);
    return rc ? ASSAY_EFAIL : ASSAY_OK;
}

/* Everything until the other end closes; false when that takes too long. */
static bool read_answer(int fd, struct text *answer)
{
    int64_t end = clock_ns() + PROBE_LIMIT_MS * INT64_C(1000000), left;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char piece[4096];
    ssize_t n;

    for (;;) {
        left = (end - clock_ns()) / 1000000;
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return false;
        n = read(fd, piece, sizeof(piece));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return true;
        text_addn(answer, piece, (size_t)n);
    }
}

static int parse_answer(const char *name, const struct text *answer, struct assay_engine_probe *p,
                        struct assay_err *err)
{
    json_t *doc = json_loadb(answer->s, answer->len, 0, NULL), *device;
    size_t i;
    int rc = ASSAY_OK;

    memset(p, 0, sizeof(*p));
    p->size = sizeof(*p);
    if (!json_is_object(doc)) {
        rc = assay_fail(err, ASSAY_EFAIL, "engine %s: its probe ended without an answer", name);
    } else if (json_object_get(doc, "error")) {
        rc = (int)tree_int(doc, "code", ASSAY_EFAIL);
        assay_fail(err, rc, "%s", tree_text(doc, "error", ""));
    } else {
        snprintf(p->version, sizeof(p->version), "%s", tree_text(doc, "version", ""));
        snprintf(p->library, sizeof(p->library), "%s", tree_text(doc, "library", ""));
        snprintf(p->note, sizeof(p->note), "%s", tree_text(doc, "note", ""));
        json_array_foreach(json_object_get(doc, "devices"), i, device)
        {
            if (i >= ASSAY_PROBE_DEVICES)
                break;
            snprintf(p->devices[i], sizeof(p->devices[i]), "%s", tree_text(device, "device", ""));
            snprintf(p->device_names[i], sizeof(p->device_names[i]), "%s",
                     tree_text(device, "name", ""));
            p->device_count++;
        }
    }
    json_decref(doc);
    return rc;
}

int engine_probe(const char *name, struct assay_engine_probe *probe, struct assay_err *err)
{
    struct text answer;
    pid_t pid;
    bool whole;
    int from, status = 0, rc = spawn_child(name, &from, &pid, err);

    if (rc)
        return rc;
    text_init(&answer, PROBE_MAX_BYTES);
    whole = read_answer(from, &answer);
    if (!whole)
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!whole)
        rc = assay_fail(err, ASSAY_EFAIL, "engine %s: its probe did not end within %d s", name,
                        PROBE_LIMIT_MS / 1000);
    else if (WIFSIGNALED(status))
        rc = assay_fail(err, ASSAY_EFAIL, "engine %s: its probe crashed: %s (signal %d)", name,
                        strsignal(WTERMSIG(status)), WTERMSIG(status));
    else
        rc = parse_answer(name, &answer, probe, err);
    close(from);
    text_release(&answer);
    return rc;
}
