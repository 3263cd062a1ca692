/* The tests' web server (tests/python/loopback_server.py), as a child that ends with us. */
#ifndef TESTS_FLOW_SERVER_H
#define TESTS_FLOW_SERVER_H

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct test_server {
    pid_t pid;
    int input, port;
};

/* false: there is no python3 here.  cert and key may be NULL. */
static inline bool server_start(struct test_server *s, char *folder, char *cert, char *key)
{
    char *argv[] = {"python3", ASSAY_SOURCE "/tests/python/loopback_server.py", folder, cert, key,
                    NULL};
    posix_spawn_file_actions_t actions;
    int in[2], out[2], rc;
    char line[32] = "";
    size_t len = 0;

    if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
        return false;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    rc = posix_spawnp(&s->pid, "python3", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    /* To the line's end: an unbuffered Python writes that by itself, and dies when nobody reads it.
     */
    while (!rc && len < sizeof(line) - 1 && !strchr(line, '\n') && read(out[0], line + len, 1) == 1)
        len++;
    close(out[0]);
    s->input = in[1];
    s->port = (int)strtol(line, NULL, 10);
    setenv("no_proxy", "*", 1); /* whatever proxy this machine has: not for loopback */
    return s->port > 0;
}

static inline void server_stop(struct test_server *s)
{
    close(s->input);
    waitpid(s->pid, NULL, 0);
}

#endif
