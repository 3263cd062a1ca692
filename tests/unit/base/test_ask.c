/* test: serial. Asking a child that crashes, hangs or leaves others behind.  This program is its
 * own assay-child. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/ask.h"
#include "base/clock.h"
#include "base/file.h"

static char prefix[64];

static int child(const char *how)
{
    if (!strcmp(how, "daemon")) {
        pid_t pid = fork();

        if (!pid) {
            sleep(60);
            _exit(0);
        }
        dprintf(STDOUT_FILENO, "%d", (int)pid);
    } else if (!strcmp(how, "hang") || !strcmp(how, "close")) {
        if (*how == 'c')
            close(STDOUT_FILENO);
        for (;;)
            pause();
    } else if (!strcmp(how, "crash")) {
        signal(SIGSEGV, SIG_DFL);
        raise(SIGSEGV);
    } else {
        dprintf(STDOUT_FILENO, "%s", how);
    }
    _exit(0);
}

static int begin(struct ask *a, const char *how, int seconds)
{
    const char *const argv[] = {"assay-child", how, NULL};
    struct assay_err err;

    return ask_begin(a, argv, seconds, "it", &err);
}

/* Returns the code, and how long it took. */
static int end(struct ask *a, char answer[64], double *took, struct assay_err *err)
{
    int64_t since = clock_ns();
    struct text t;
    int rc;

    text_init(&t, 60);
    rc = ask_end(a, &t, err);
    snprintf(answer, 64, "%s", t.s);
    text_release(&t);
    *took = (double)(clock_ns() - since) * 1e-9;
    return rc;
}

/* A zombie, where nobody collects orphans, does not. */
static bool runs(pid_t pid)
{
    char path[64], state = 'Z';
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if ((f = fopen(path, "r"))) {
        if (fscanf(f, "%*d %*s %c", &state) != 1)
            state = 'Z';
        fclose(f);
    }
    return state != 'Z';
}

static void what_is_left_behind_is_ended(void **state)
{
    struct assay_err err = {0};
    char answer[64];
    struct ask a;
    double took;
    pid_t left;

    (void)state;
    assert_int_equal(begin(&a, "daemon", 20), 0);
    if (end(&a, answer, &took, &err))
        fail_msg("%s", err.text);
    assert_true(took < 10);
    left = (pid_t)strtol(answer, NULL, 10);
    assert_true(left > 0);
    for (int i = 0; i < 250 && runs(left); i++)
        usleep(20000);
    assert_false(runs(left));
}

static void on_alarm(int number)
{
    (void)number;
}

static void a_limit_is_kept_through_signals(void **state)
{
    struct itimerval often = {{0, 30000}, {0, 30000}}, never = {0};
    const struct sigaction act = {.sa_handler = on_alarm};
    static const char *const hows[] = {"hang", "close"};
    struct assay_err err = {0};
    char answer[64];
    struct ask a;
    double took;

    (void)state;
    sigaction(SIGALRM, &act, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(begin(&a, hows[i], 1), 0);
        setitimer(ITIMER_REAL, &often, NULL);
        assert_int_equal(end(&a, answer, &took, &err), ASSAY_EFAIL);
        setitimer(ITIMER_REAL, &never, NULL);
        assert_string_equal(err.text, "it did not end within 1 s");
        assert_true(took < 5);
    }
}

static void each_has_its_own_time(void **state)
{
    struct assay_err err = {0};
    struct ask hung, more, quick, crash;
    char answer[64];
    double took;

    (void)state;
    assert_int_equal(begin(&hung, "hang", 1), 0);
    assert_int_equal(begin(&more, "hang", 1), 0);
    assert_int_equal(begin(&quick, "good", 1), 0);
    assert_int_equal(begin(&crash, "crash", 1), 0);
    assert_true(end(&hung, answer, &took, &err) < 0);
    assert_true(end(&more, answer, &took, &err) < 0);
    assert_true(took < 0.5);
    usleep(1000000); /* what has answered in time has, whenever it is heard */
    if (end(&quick, answer, &took, &err))
        fail_msg("%s", err.text);
    assert_string_equal(answer, "good");
    assert_true(end(&crash, answer, &took, &err) < 0);
    assert_non_null(strstr(err.text, "it crashed: Segmentation fault"));
}

static int set_up(void **state)
{
    char exe[1024], path[128];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    struct assay_err err;

    (void)state;
    snprintf(prefix, sizeof(prefix), P_tmpdir "/assay-ask-XXXXXX");
    if (n < 0 || !mkdtemp(prefix))
        return -1;
    exe[n] = 0;
    snprintf(path, sizeof(path), "%s/libexec/assay", prefix);
    if (file_make_dirs(path, &err))
        return -1;
    snprintf(path, sizeof(path), "%s/libexec/assay/assay-child", prefix);
    return symlink(exe, path) || setenv("ASSAY_PREFIX", prefix, 1) ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return file_remove_tree(prefix, NULL);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_left_behind_is_ended),
                                       cmocka_unit_test(a_limit_is_kept_through_signals),
                                       cmocka_unit_test(each_has_its_own_time)};

    if (argc == 2)
        return child(argv[1]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
