/* The reader of SQuAD's JSON; see squad.h.
 *
 *   {"data": [{"paragraphs": [{"context": TEXT, "qas": [{"id": TEXT, "question": TEXT,
 *     "answers": [{"text": TEXT, "answer_start": N}, …]}, …]}, …]}, …]}
 *
 * Two walks: the first counts, so that the arrays are made once; the second fills and checks. */
#include "data/squad.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

void squad_release(struct squad *s)
{
    free(s->paragraphs);
    free(s->questions);
    free(s->answers);
    json_decref(s->tree);
    memset(s, 0, sizeof(*s));
}

/* What the walk carries. */
struct reader {
    struct squad *s;
    const char *file;
    uint32_t answers;
    bool count; /* only */
    struct assay_err *err;
};

static int wrong(const struct reader *r, const char *what, const char *wanted)
{
    return assay_fail(r->err, ASSAY_EFAIL, "%s: %s; wanted: %s (SQuAD v1.1)", r->file, what,
                      wanted);
}

static int read_answers(struct reader *r, const json_t *list, struct squad_question *q)
{
    const json_t *one;
    size_t i;

    if (!json_array_size(list))
        return assay_fail(r->err, ASSAY_EFAIL,
                          "%s: question '%.60s' has no answer; wanted: one or more (SQuAD v1.1)",
                          r->file, q->id);
    q->answers = r->s->answers + r->answers;
    q->answer_count = (uint32_t)json_array_size(list);
    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(json_object_get(one, "text"));

        if (!text)
            return assay_fail(r->err, ASSAY_EFAIL,
                              "%s: question '%.60s': answer %zu has no text (SQuAD v1.1)", r->file,
                              q->id, i);
        r->s->answers[r->answers++] = text;
    }
    return ASSAY_OK;
}

static int read_question(struct reader *r, const json_t *one)
{
    struct squad_question *q;
    const json_t *answers = json_object_get(one, "answers");

    if (r->count) {
        r->s->question_count++;
        r->answers += (uint32_t)json_array_size(answers);
        return ASSAY_OK;
    }
    q = &r->s->questions[r->s->question_count];
    q->id = json_string_value(json_object_get(one, "id"));
    q->text = json_string_value(json_object_get(one, "question"));
    q->paragraph = r->s->paragraph_count - 1;
    if (!q->id || !q->text)
        return wrong(r, "a question lacks its id or text", "'id' and 'question' in every one");
    r->s->question_count++;
    return read_answers(r, answers, q);
}

static bool has_words(const char *context)
{
    return context[strspn(context, " \t\r\n")];
}

static int read_paragraph(struct reader *r, const json_t *one)
{
    const char *context = json_string_value(json_object_get(one, "context"));
    const json_t *qas = json_object_get(one, "qas"), *question;
    size_t i;
    int rc = ASSAY_OK;

    if (!context || !json_is_array(qas))
        return wrong(r, "a paragraph lacks its context or questions",
                     "'context' and 'qas' in every one");
    if (!has_words(context))
        return assay_fail(r->err, ASSAY_EFAIL,
                          "%s: the context of paragraph %u is empty; wanted: text (SQuAD v1.1)",
                          r->file, r->s->paragraph_count);
    if (!r->count)
        r->s->paragraphs[r->s->paragraph_count] = context;
    r->s->paragraph_count++;
    json_array_foreach(qas, i, question)
    {
        if ((rc = read_question(r, question)))
            return rc;
    }
    return ASSAY_OK;
}

static int walk(struct reader *r)
{
    const json_t *data = json_object_get(r->s->tree, "data"), *article, *paragraphs, *one;
    size_t i, k;
    int rc;

    r->s->paragraph_count = r->s->question_count = r->answers = 0;
    if (!json_is_array(data))
        return wrong(r, "has no list 'data'", "{\"data\": [{\"paragraphs\": […]}, …]}");
    json_array_foreach(data, i, article)
    {
        paragraphs = json_object_get(article, "paragraphs");
        if (!json_is_array(paragraphs))
            return wrong(r, "an article has no list 'paragraphs'", "one in every article");
        json_array_foreach(paragraphs, k, one)
        {
            if ((rc = read_paragraph(r, one)))
                return rc;
        }
    }
    return r->s->question_count ? ASSAY_OK : wrong(r, "has no question", "questions");
}

static int by_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int refuse_same_ids(const struct squad *s, const char *file, struct assay_err *err)
{
    const char **ids = malloc(s->question_count * sizeof(*ids));
    int rc = ASSAY_OK;
    uint32_t i;

    if (!ids)
        return assay_fail(err, ASSAY_EFAIL, "%s: not enough memory", file);
    for (i = 0; i < s->question_count; i++)
        ids[i] = s->questions[i].id;
    qsort(ids, s->question_count, sizeof(*ids), by_id);
    for (i = 1; i < s->question_count && !rc; i++)
        if (!strcmp(ids[i - 1], ids[i]))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "%s: question id '%.60s' is there twice; answers are kept by id", file,
                            ids[i]);
    free(ids);
    return rc;
}

static int fill(struct reader *r)
{
    struct squad *s = r->s;
    int rc;

    r->count = true;
    if ((rc = walk(r)))
        return rc;
    s->paragraphs = calloc(s->paragraph_count, sizeof(*s->paragraphs));
    s->questions = calloc(s->question_count, sizeof(*s->questions));
    s->answers = calloc(r->answers + 1u, sizeof(*s->answers));
    if (!s->paragraphs || !s->questions || !s->answers)
        return assay_fail(r->err, ASSAY_EFAIL, "%s: not enough memory for %u questions", r->file,
                          s->question_count);
    r->count = false;
    rc = walk(r);
    return rc ? rc : refuse_same_ids(s, r->file, r->err);
}

int squad_parse(const char *text, size_t len, const char *file, struct squad *s,
                struct assay_err *err)
{
    struct reader r = {.s = s, .file = file, .err = err};
    json_error_t e;
    int rc;

    memset(s, 0, sizeof(*s));
    s->tree = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    if (!s->tree)
        return assay_fail(err, ASSAY_EFAIL, "%s:%d:%d: not valid JSON: %s", file, e.line, e.column,
                          e.text);
    rc = fill(&r);
    if (rc)
        squad_release(s);
    return rc;
}

int squad_read(const char *path, struct squad *s, struct assay_err *err)
{
    char *text;
    size_t len;
    int rc = file_read(path, SQUAD_MAX_BYTES, &text, &len, err);

    if (rc)
        return rc;
    rc = squad_parse(text, len, path, s, err);
    free(text);
    return rc;
}

static int is_squad_file(const struct dirent *e)
{
    static const char end[] = "-v1.1.json";
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && n >= sizeof(end) &&
           !strcmp(e->d_name + n - (sizeof(end) - 1), end);
}

int squad_find(const char *folder, char **path, struct assay_err *err)
{
    struct dirent **found = NULL;
    char *usual;
    int n, i;

    if (!file_is_dir(folder))
        return assay_fail(err, ASSAY_EUSAGE,
                          "%s: is no folder; wanted: the folder with dev-v1.1.json and vocab.txt",
                          folder);
    usual = file_join(folder, "dev-v1.1.json");
    if (usual && file_exists(usual)) {
        *path = usual;
        return ASSAY_OK;
    }
    free(usual);
    n = scandir(folder, &found, is_squad_file, alphasort);
    *path = n == 1 ? file_join(folder, found[0]->d_name) : NULL;
    for (i = 0; i < n; i++)
        free(found[i]);
    free(found);
    if (*path)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL, "%s: has %s; wanted: SQuAD's dev-v1.1.json", folder,
                      n > 1 ? "several files *-v1.1.json" : "no dev-v1.1.json");
}
