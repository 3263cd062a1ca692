/* Where recipes of others come from, as it is typed, and a repository's files by git.
 *
 * git is a program of the user's with his set-up (proxies, credentials, ssh), but a repository
 * makes it run nothing: no hooks, no submodules, no helpers of addresses, no filter of git-lfs; and
 * it asks nothing. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "flow/sources_inside.h"
#include "flow/tool.h"

#define MAX_NAME 64
#define MAX_SAID (64u << 10)
#define LETTERS  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

extern char **environ;

/* ---- what is typed ---- */

static const char *const schemes[] = {"https://", "ssh://", "file:///", "git@"};

static bool is_address(const char *s)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
        if (!strncmp(s, schemes[i], strlen(schemes[i])))
            return true;
    return false;
}

bool source_is_ref(const char *ref)
{
    size_t n = strlen(ref);

    return n && n <= 200 && strspn(ref, LETTERS "._+-") == n && strchr(LETTERS, ref[0]);
}

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    return n && n <= MAX_NAME && strspn(name, LETTERS "._+-") == n && strchr(LETTERS, name[0]);
}

/* The host is what ssh is given as a word: it may not look like an option.  A password would stay
 * on the disk. */
static int check_address(const char *url, struct assay_err *err)
{
    const char *host = strstr(url, "://"), *user;
    size_t n;

    if (strchr(url, ' '))
        return assay_fail(err, ASSAY_EUSAGE, "an address has no spaces: '%.200s'", url);
    if (!strncmp(url, "file:", 5))
        return ASSAY_OK;
    host = host ? host + 3 : url;
    n = strcspn(host, *url == 'g' ? ":" : "/");
    user = memchr(host, '@', n);
    if (user && (*url == 'h' || memchr(host, ':', (size_t)(user - host))))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%.8s…: an address with a user or password in it would stay on the disk; "
                          "leave it out, and let git's credential helper give it",
                          url);
    user = user ? user + 1 : host;
    if (user >= host + n || *user == '-' || !host[n] || !host[n + 1] || host[n + 1] == '-')
        return assay_fail(err, ASSAY_EUSAGE, "%.200s: is no address of a repository", url);
    return ASSAY_OK;
}

/* "…@COMMIT", behind the last '/' and ':'. */
static int split_ref(char *url, const char **ref, struct assay_err *err)
{
    char *at = strrchr(url, '@');

    *ref = NULL;
    if (!at || strpbrk(at, "/:"))
        return ASSAY_OK;
    *at = 0;
    *ref = at + 1;
    return source_is_ref(*ref)
               ? ASSAY_OK
               : assay_fail(err, ASSAY_EUSAGE,
                            "'%.100s' is no commit: behind the @ stands its hash, or a tag or "
                            "branch without '/'",
                            *ref);
}

/* "https://host/group/my-recipes.git" -> "my-recipes" */
static void name_of(const char *from, char out[MAX_NAME + 2])
{
    size_t n = strlen(from), begin;

    while (n && from[n - 1] == '/')
        n--;
    if (n > 4 && !memcmp(from + n - 4, ".git", 4))
        n -= 4;
    for (begin = n; begin && from[begin - 1] != '/' && from[begin - 1] != ':'; begin--)
        ;
    snprintf(out, MAX_NAME + 2, "%.*s", (int)(n - begin), from + begin);
}

static int parse_address(const char *from, json_t **source, struct assay_err *err)
{
    char *url = strdup(from);
    const char *ref = NULL;
    int rc = url ? split_ref(url, &ref, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc && !(rc = check_address(url, err)))
        *source = json_pack("{s:s, s:s*}", "url", url, "ref", ref);
    free(url);
    return rc;
}

int source_parse(const char *from, const char *name, json_t **source, struct assay_err *err)
{
    char own[MAX_NAME + 2], *path;
    int rc = ASSAY_OK;

    *source = NULL;
    for (const char *p = from; *p; p++)
        if ((unsigned char)*p < ' ')
            return assay_fail(err, ASSAY_EUSAGE,
                              "a name with control characters in it is no source of recipes");
    if (is_address(from)) {
        rc = parse_address(from, source, err);
    } else if (*from == '-' || !file_is_dir(from)) {
        rc = assay_fail(err, ASSAY_EUSAGE,
                        "'%.200s' is no folder here, and no address that is taken: https://…, "
                        "ssh://…, file:///…, git@HOST:PATH",
                        from);
    } else {
        path = file_absolute(from);
        *source = path ? json_pack("{s:s}", "path", path) : NULL;
        free(path);
    }
    if (rc)
        return rc;
    if (!*source)
        return assay_fail(err, ASSAY_EUSAGE, "'%.200s' is not UTF-8", from);
    from = json_string_value(json_object_get(*source, "url"));
    name_of(from ? from : json_string_value(json_object_get(*source, "path")), own);
    if (!name)
        name = own;
    if (is_name(name))
        return json_object_set_new(*source, "name", json_string(name));
    json_decref(*source);
    *source = NULL;
    return assay_fail(
        err, ASSAY_EUSAGE,
        "'%.70s' cannot be the name of a source (letters, digits and . _ + -, at most "
        "%d): give it one with --name",
        name, MAX_NAME);
}

/* ---- git ---- */

static const char *const always[] = {
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false",    "-c", "core.autocrlf=false",
    "-c", "protocol.ext.allow=never", "-c", "submodule.recurse=false", "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",   NULL};

/* SSH_ASKPASS keeps ssh from asking at the terminal, which is not this group's. */
static const char *const own_variables[] = {"GIT_ALLOW_PROTOCOL=https:ssh:file",
                                            "GIT_TERMINAL_PROMPT=0",
                                            "GIT_LFS_SKIP_SMUDGE=1",
                                            "SSH_ASKPASS=false",
                                            "SSH_ASKPASS_REQUIRE=force",
                                            "LC_ALL=C.UTF-8",
                                            NULL};

/* Of git's own variables those that say how to reach a server; GIT_DIR and its like, which a hook
 * has around it, would make it work elsewhere. */
static bool is_kept(const char *variable)
{
    static const char *const kept[] = {"GIT_SSH",
                                       "GIT_SSL_",
                                       "GIT_PROXY_",
                                       "GIT_CONFIG_GLOBAL=",
                                       "GIT_CONFIG_SYSTEM=",
                                       "GIT_CONFIG_NOSYSTEM="};

    if (!strncmp(variable, "SSH_ASKPASS", 11) || !strncmp(variable, "LC_ALL=", 7))
        return false;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (!strncmp(variable, kept[i], strlen(kept[i])))
            return true;
    return strncmp(variable, "GIT_", 4) != 0;
}

static char **environment(void)
{
    size_t n = 0, at = 0;
    char **env;

    while (environ[n])
        n++;
    env = calloc(n + sizeof(own_variables) / sizeof(own_variables[0]), sizeof(*env));
    for (size_t i = 0; env && i < n; i++)
        if (is_kept(environ[i]))
            env[at++] = environ[i];
    for (size_t i = 0; env && own_variables[i]; i++)
        env[at++] = (char *)(uintptr_t)own_variables[i];
    return env;
}

struct git {
    const char *url, *dir; /* dir: where it runs */
    const volatile int *stop;
    struct text said;
};

static void hear(void *ctx, const char *text, size_t len)
{
    text_addn(ctx, text, len);
}

/* The last lines up to what git says is wrong: what ssh said of it stands before that. */
static void complaint(struct text *said, char out[320])
{
    const char *lines[3] = {"", "", ""};
    char *p = strstr(said->s, "fatal: "), *save = NULL;
    size_t n = 0;

    if (p)
        p[strcspn(p, "\n")] = 0;
    for (p = strtok_r(said->s, "\r\n", &save); p; p = strtok_r(NULL, "\r\n", &save)) {
        lines[0] = lines[1];
        lines[1] = lines[2];
        lines[2] = p;
    }
    out[0] = 0;
    for (size_t i = 0; i < 3; i++)
        if (*lines[i] && n < 320)
            n += (size_t)snprintf(out + n, 320 - n, "%s%.130s", n ? "; " : "", lines[i]);
    text_clear(said);
}

/* args: NULL-terminated; what it prints is in g->said. */
static int git(struct git *g, const char *const *args, struct assay_err *err)
{
    const char *path = getenv("PATH"), *argv[40] = {"git"};
    struct tool t = {.argv = (char *const *)(uintptr_t)argv,
                     .path = path ? path : "/usr/bin:/bin",
                     .dir = g->dir,
                     .said = hear,
                     .ctx = &g->said,
                     .stop = g->stop};
    struct assay_err why = {0};
    char **env = environment(), said[320];
    size_t n = 1;
    int rc;

    for (size_t i = 0; always[i]; i++)
        argv[n++] = always[i];
    for (size_t i = 0; args[i] && n < 39; i++)
        argv[n++] = args[i];
    t.env = env;
    text_clear(&g->said);
    rc = env ? tool_run(&t, &why) : assay_fail(&why, ASSAY_EFAIL, "not enough memory");
    free(env);
    if (!rc)
        return rc;
    complaint(&g->said, said);
    return rc == ASSAY_ESTOP
               ? assay_fail(err, rc, "interrupted")
               : assay_fail(err, rc, "%.150s: git: %s", g->url, *said ? said : why.text);
}

/* Its full hash, by the first of the names that is one. */
static int find_commit(struct git *g, const char *ref, char commit[65], struct assay_err *err)
{
    char *names[] = {text_format("%s^{commit}", ref ? ref : "HEAD"),
                     ref ? text_format("refs/remotes/origin/%s^{commit}", ref) : NULL};
    int rc = ASSAY_EFAIL;

    for (size_t i = 0; rc && rc != ASSAY_ESTOP && i < 2 && names[i]; i++) {
        const char *const args[] = {"rev-parse",        "--verify", "--quiet",
                                    "--end-of-options", names[i],   NULL};

        rc = git(g, args, err);
    }
    for (size_t i = 0; i < 2; i++)
        free(names[i]);
    if (rc == ASSAY_ESTOP)
        return rc;
    if (!rc && strspn(g->said.s, "0123456789abcdef") >= 40) {
        snprintf(commit, 65, "%.*s", (int)strspn(g->said.s, "0123456789abcdef"), g->said.s);
        return ASSAY_OK;
    }
    return ref ? assay_fail(err, ASSAY_EUSAGE, "%.200s has no commit, tag or branch '%s'", g->url,
                            ref)
               : assay_fail(err, ASSAY_EFAIL, "%.200s has no commit", g->url);
}

/* What is in a repository leads nowhere else: its hash would be of other people's files, or without
 * end.  dir is real. */
static int refuse_links_out(const char *dir, const char *below, struct assay_err *err)
{
    struct dirent **list = NULL;
    int n = scandir(below, &list, NULL, alphasort), i, rc = ASSAY_OK;
    size_t len = strlen(dir);

    for (i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char *path = text_format("%s/%s", below, name), *real = NULL;
        struct stat st;

        if (!rc && path && strcmp(name, ".") && strcmp(name, "..") && strcmp(name, ".git") &&
            !lstat(path, &st)) {
            if (S_ISDIR(st.st_mode))
                rc = refuse_links_out(dir, path, err);
            else if (S_ISLNK(st.st_mode) && (real = realpath(path, NULL)) &&
                     (strncmp(real, dir, len) || real[len] != '/'))
                rc = assay_fail(err, ASSAY_EUSAGE, "%s: is a link that leads out of the repository",
                                path + len + 1);
        }
        free(real);
        free(path);
        free(list[i]);
    }
    free(list);
    return rc;
}

int source_clone(const char *url, const char *ref, const char *dir, const volatile int *stop,
                 char commit[65], struct assay_err *err)
{
    const char *path = getenv("PATH"),
               *checkout[] = {"checkout", "--quiet", "--detach", commit, NULL};
    /* Any commit may be asked for, so with one all of them are wanted. */
    const char *clone[] = {"clone",
                           "--quiet",
                           "--no-checkout",
                           "--template=",
                           "--no-recurse-submodules",
                           ref ? "--no-single-branch" : "--depth=1",
                           "--",
                           url,
                           dir,
                           NULL};
    char *program = tool_find("git", path ? path : "/usr/bin:/bin"),
         *hidden = file_join(dir, ".git");
    struct git g = {.url = url, .dir = "/", .stop = stop};
    char *real;
    int rc;

    text_init(&g.said, MAX_SAID);
    if (!program)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "git is not installed, and %.150s is fetched with it (Debian, Ubuntu: apt "
                        "install git); or name a folder that has the recipes",
                        url);
    else
        rc = hidden ? git(&g, clone, err) : assay_fail(err, ASSAY_EFAIL, "not enough memory");
    g.dir = dir;
    if (!rc)
        rc = find_commit(&g, ref, commit, err);
    if (!rc)
        rc = git(&g, checkout, err);
    if (!rc)
        rc = file_remove_tree(hidden, err);
    real = rc ? NULL : realpath(dir, NULL);
    if (real)
        rc = refuse_links_out(real, real, err);
    free(real);
    text_release(&g.said);
    free(hidden);
    free(program);
    return rc;
}
