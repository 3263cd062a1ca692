/* The readers of both forms; see speech.h. */
#include "data/speech.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "data/audio.h"
#include "data/workers.h"

#define DEPTH_MOST 8 /* folders below the data set's: LibriSpeech has three */

void speech_release(struct speech *s)
{
    for (uint64_t i = 0; i < s->n; i++) {
        free(s->list[i].name);
        free(s->list[i].transcript);
    }
    free(s->list);
    memset(s, 0, sizeof(*s));
}

static int no_memory(const char *file, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory for its utterances", file);
}

/* ---- transcripts ---- */

/* Lower case, one space between words; NULL: not enough memory. */
static char *normalise(const char *text, size_t len)
{
    char *out = malloc(len + 1);
    size_t n = 0, i;

    for (i = 0; out && i < len; i++) {
        char c = text[i] ? (char)tolower((unsigned char)text[i]) : 1; /* as refused as a NUL */

        if (!isspace((unsigned char)c))
            out[n++] = c;
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    if (out)
        out[n && out[n - 1] == ' ' ? n - 1 : n] = 0;
    return out;
}

static int add(struct speech *s, char *name, const char *text, size_t len, uint64_t samples,
               const char *file, struct assay_err *err)
{
    struct utterance u = {name, normalise(text, len), samples}, *grown;
    size_t good;

    if (s->n == s->cap && name && (grown = realloc(s->list, (2 * s->cap + 64) * sizeof(*grown)))) {
        s->list = grown;
        s->cap = 2 * s->cap + 64;
    }
    if (!name || !u.transcript || s->n == s->cap) {
        free(name);
        free(u.transcript);
        return no_memory(file, err);
    }
    s->list[s->n++] = u;
    if (!u.transcript[0])
        return assay_fail(err, ASSAY_EFAIL, "%s: the transcript of '%.100s' is empty", file, name);
    good = strspn(u.transcript, "abcdefghijklmnopqrstuvwxyz' ");
    if (u.transcript[good])
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: the transcript of '%.100s' has the character \\x%02x; wanted: "
                          "letters a to z, apostrophes and spaces",
                          file, name, (unsigned char)u.transcript[good]);
    return ASSAY_OK;
}

/* ---- the reference's list ---- */

static int wrong(const char *file, size_t at, const char *what, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL, "%s: entry %zu %s", file, at, what);
}

/* One entry; what is too long is left out. */
static int read_entry(const json_t *one, size_t at, const char *file, struct speech *s,
                      struct assay_err *err)
{
    const json_t *recording = json_array_get(json_object_get(one, "files"), 0);
    const json_t *duration = json_object_get(one, "original_duration");
    const json_t *samples = json_object_get(recording, "num_samples");
    const char *name = json_string_value(json_object_get(recording, "fname"));
    const char *text = json_string_value(json_object_get(one, "transcript"));

    if (!name || !text || !json_is_number(duration))
        return wrong(file, at,
                     "lacks its recording (files, fname), original_duration or transcript; wanted: "
                     "a list as the reference's " SPEECH_LIST,
                     err);
    if (!name[0] || file_leaves_folder(name))
        return wrong(file, at, "names a recording outside of the list's folder", err);
    if (samples && (!json_is_integer(samples) || json_integer_value(samples) < 1 ||
                    json_integer_value(samples) > AUDIO_MAX_SAMPLES))
        return wrong(file, at, "has a num_samples that is no length of a recording", err);
    if (json_number_value(duration) > SPEECH_MOST_S)
        return ASSAY_OK;
    return add(s, strdup(name), text, strlen(text), (uint64_t)json_integer_value(samples), file,
               err);
}

int speech_parse_list(const char *text, size_t len, const char *file, struct speech *s,
                      struct assay_err *err)
{
    json_error_t e;
    json_t *tree = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    const json_t *one;
    size_t i;
    int rc = ASSAY_OK;

    memset(s, 0, sizeof(*s));
    if (!tree)
        return assay_fail(err, ASSAY_EFAIL, "%s:%d:%d: not valid JSON: %s", file, e.line, e.column,
                          e.text);
    if (!json_is_array(tree))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is no list of utterances", file);
    json_array_foreach(tree, i, one)
    {
        if (!rc)
            rc = read_entry(one, i, file, s, err);
    }
    json_decref(tree);
    if (rc)
        speech_release(s);
    return rc;
}

static bool is_list(const char *name)
{
    static const char end[] = "-wav.json";
    size_t n = strlen(name);

    return name[0] != '.' && n >= sizeof(end) && !strcmp(name + n - (sizeof(end) - 1), end);
}

static int is_list_entry(const struct dirent *e)
{
    return is_list(e->d_name);
}

/* *path stays NULL when there is none. */
static int find_list(const char *folder, char **path, struct assay_err *err)
{
    struct dirent **found = NULL;
    int n, i;

    *path = file_join(folder, SPEECH_LIST);
    if (!*path)
        return no_memory(folder, err);
    if (file_exists(*path))
        return ASSAY_OK;
    free(*path);
    n = scandir(folder, &found, is_list_entry, alphasort);
    *path = n == 1 ? file_join(folder, found[0]->d_name) : NULL;
    for (i = 0; i < n; i++)
        free(found[i]);
    free(found);
    return n > 1 ? assay_fail(err, ASSAY_EFAIL,
                              "%s: has several files *-wav.json; wanted: one, or " SPEECH_LIST,
                              folder)
                 : ASSAY_OK;
}

static int read_list(const char *path, struct speech *s, struct assay_err *err)
{
    char *text;
    size_t len;
    int rc = file_read(path, SPEECH_MAX_BYTES, &text, &len, err);

    if (rc)
        return rc;
    rc = speech_parse_list(text, len, path, s, err);
    free(text);
    return rc;
}

/* ---- LibriSpeech's own form ---- */

int speech_parse_trans(const char *text, size_t len, const char *file, const char *folder,
                       struct speech *s, struct assay_err *err)
{
    const char *end = text + len, *stop;
    unsigned line = 1;
    int rc = ASSAY_OK;

    for (; text < end && !rc; text = stop + 1, line++) {
        size_t id = 0;

        stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        while (text + id < stop && text[id] > ' ' && text[id] < 127 && text[id] != '/')
            id++;
        if (stop == text)
            continue;
        if (!id || id > 200 || text[0] == '.' || (text + id < stop && text[id] != ' '))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "%s:%u: does not begin with an utterance's name and a space", file,
                            line);
        else
            rc = add(s, text_format("%s%s%.*s", folder, folder[0] ? "/" : "", (int)id, text),
                     text + id, (size_t)(stop - text) - id, 0, file, err);
    }
    return rc;
}

/* Puts the recording's ending behind the names from `first` on. */
static int find_recordings(const char *root, struct speech *s, uint64_t first, const char *file,
                           struct assay_err *err)
{
    static const char *const ends[] = {"flac", "wav"};

    for (uint64_t i = first; i < s->n; i++) {
        struct utterance *u = &s->list[i];
        char *found = NULL;

        for (size_t k = 0; k < 2 && !found; k++) {
            char *path = text_format("%s/%s.%s", root, u->name, ends[k]);

            if (path && file_exists(path))
                found = strdup(path + strlen(root) + 1);
            free(path);
        }
        if (!found)
            return assay_fail(err, ASSAY_EFAIL, "%s: its utterance '%s' has no .flac or .wav", file,
                              u->name);
        free(u->name);
        u->name = found;
    }
    return ASSAY_OK;
}

static int read_trans(const char *root, const char *folder, const char *name, struct speech *s,
                      struct assay_err *err)
{
    char *path = text_format("%s/%s%s%s", root, folder, folder[0] ? "/" : "", name), *text = NULL;
    uint64_t first = s->n;
    size_t len;
    int rc = path ? file_read(path, SPEECH_MAX_BYTES, &text, &len, err) : no_memory(root, err);

    if (!rc)
        rc = speech_parse_trans(text, len, path, folder, s, err);
    if (!rc)
        rc = find_recordings(root, s, first, path, err);
    free(text);
    free(path);
    return rc;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* the same order in every language */
}

static bool is_trans(const char *name)
{
    static const char end[] = ".trans.txt";
    size_t n = strlen(name);

    return n >= sizeof(end) && !strcmp(name + n - (sizeof(end) - 1), end);
}

/* A folder on the way down; a link may lead back up. */
struct level {
    const struct level *above;
    dev_t device;
    ino_t inode;
    int depth;
};

/* false: it is one of those above it, or too deep. */
static bool enter(const char *path, const struct level *above, struct level *out)
{
    struct stat st;

    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return false;
    *out = (struct level){above, st.st_dev, st.st_ino, above ? above->depth + 1 : 0};
    for (; above; above = above->above)
        if (above->device == st.st_dev && above->inode == st.st_ino)
            return false;
    return out->depth <= DEPTH_MOST;
}

/* `folder` is below root, "" for root itself. */
static int walk(const char *root, const char *folder, const struct level *above, struct speech *s,
                struct assay_err *err)
{
    char *path = text_format("%s/%s", root, folder);
    struct dirent **list = NULL;
    struct level here;
    int n = 0, i, rc = path ? ASSAY_OK : no_memory(root, err);

    if (!rc && enter(path, above, &here) && (n = scandir(path, &list, NULL, by_name)) < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    for (i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char *below = text_format("%s%s%s", folder, folder[0] ? "/" : "", name);
        char *full = below ? text_format("%s/%s", root, below) : NULL;

        if (!rc && !full)
            rc = no_memory(root, err);
        if (!rc && name[0] != '.' && is_trans(name))
            rc = read_trans(root, folder, name, s, err);
        else if (!rc && name[0] != '.' && file_is_dir(full))
            rc = walk(root, below, &here, s, err);
        free(full);
        free(below);
        free(list[i]);
    }
    free(list);
    free(path);
    return rc;
}

/* ---- both ---- */

/* The list names the reference's own conversions, dev-clean-wav/2277/149896/2277-149896-0000.wav;
 * where such a one is not there, LibriSpeech's file is, as 2277/149896/2277-149896-0000.flac below
 * the list's folder. */
static int find_originals(const char *folder, struct speech *s, struct assay_err *err)
{
    for (uint64_t i = 0; i < s->n; i++) {
        struct utterance *u = &s->list[i];
        const char *base = file_base(u->name);
        size_t speaker = strcspn(base, "-"),
               chapter = base[speaker] ? strcspn(base + speaker + 1, "-") : 0;
        char *own, *path = text_format("%s/%s", folder, u->name);
        bool there = path && file_exists(path);

        free(path);
        if (there || !chapter)
            continue;
        own = text_format("%.*s/%.*s/%.*s.flac", (int)speaker, base, (int)chapter,
                          base + speaker + 1, (int)strcspn(base, "."), base);
        path = own ? text_format("%s/%s", folder, own) : NULL;
        if (!path) {
            free(own);
            return no_memory(folder, err);
        }
        if (file_exists(path)) {
            free(u->name);
            u->name = own;
        } else {
            free(own); /* whoever reads it says that it is missing */
        }
        free(path);
    }
    return ASSAY_OK;
}

static int by_utterance(const void *a, const void *b)
{
    const struct utterance *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static int refuse_twice(const char *folder, const struct speech *s, struct assay_err *err)
{
    const struct utterance **sorted = calloc(s->n + 1, sizeof(*sorted));
    int rc = ASSAY_OK;

    if (!sorted)
        return no_memory(folder, err);
    for (uint64_t i = 0; i < s->n; i++)
        sorted[i] = &s->list[i];
    qsort(sorted, s->n, sizeof(*sorted), by_utterance);
    for (uint64_t i = 1; i < s->n && !rc; i++)
        if (!strcmp(sorted[i]->name, sorted[i - 1]->name))
            rc = assay_fail(err, ASSAY_EFAIL, "%s: has the utterance '%.100s' twice", folder,
                            sorted[i]->name);
    free(sorted);
    return rc;
}

/* ---- lengths ---- */

struct lengths {
    const char *folder;
    struct speech *s;
};

static int find_length(void *ctx, uint32_t worker, uint64_t i, struct assay_err *err)
{
    struct lengths *l = ctx;
    struct utterance *u = &l->s->list[i];
    char *path;
    int rc;

    (void)worker;
    if (u->samples)
        return ASSAY_OK;
    path = file_join(l->folder, u->name);
    rc = path ? audio_length(path, SPEECH_RATE, &u->samples, err) : no_memory(l->folder, err);
    free(path);
    return rc;
}

/* Leaves out what is longer than 15 s; refuses what is too short. */
static int drop_long(struct speech *s, const char *folder, struct assay_err *err)
{
    uint64_t i, n = 0;

    for (i = 0; i < s->n; i++) {
        struct utterance *u = &s->list[i];

        if (u->samples < SPEECH_LEAST)
            return assay_fail(err, ASSAY_EFAIL,
                              "%s/%s: has %llu samples; wanted: at least %u, for features of two "
                              "frames",
                              folder, u->name, (unsigned long long)u->samples, SPEECH_LEAST);
    }
    for (i = 0; i < s->n; i++) {
        struct utterance u = s->list[i];

        if (u.samples <= SPEECH_MAX_SAMPLES) {
            s->list[n++] = u;
            continue;
        }
        free(u.name);
        free(u.transcript);
    }
    s->n = n;
    return ASSAY_OK;
}

static int none(const char *folder, struct assay_err *err)
{
    return assay_fail(err, ASSAY_EFAIL,
                      "%s: has no utterances of at most %.0f s; wanted: the reference's "
                      "list " SPEECH_LIST ", or LibriSpeech's folders with *.trans.txt",
                      folder, SPEECH_MOST_S);
}

int speech_open(const char *folder, uint32_t threads, const volatile int *stop, struct speech *s,
                struct assay_err *err)
{
    struct lengths l = {folder, s};
    struct workers w = {.threads = threads, .job = find_length, .ctx = &l, .stop = stop};
    char *path;
    int rc;

    memset(s, 0, sizeof(*s));
    if ((rc = find_list(folder, &path, err)))
        return rc;
    rc = path ? read_list(path, s, err) : walk(folder, "", NULL, s, err);
    s->listed = path != NULL;
    free(path);
    if (!rc && s->listed)
        rc = find_originals(folder, s, err);
    if (!rc)
        rc = refuse_twice(folder, s, err);
    w.n = s->n;
    if (!rc)
        rc = workers_run(&w, err);
    if (!rc)
        rc = drop_long(s, folder, err);
    if (!rc && !s->n)
        rc = none(folder, err);
    if (rc)
        speech_release(s);
    return rc;
}
