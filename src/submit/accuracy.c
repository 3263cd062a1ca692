/* Finds each metric's figure in accuracy.txt: the mark that stands before it is a table row. */
#include "submit/accuracy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The figure follows the mark, behind any of the characters " ' : = and blanks. */
static const struct metric_row {
    const char *name;
    const char *marks[2];
    bool at_start; /* of the line */
} metric_rows[] = {
    {"acc", {"accuracy", "{\"accuracy"}, true},
    {"AUC", {"AUC", NULL}, true},
    {"mAP", {"mAP=", "'Total'"}, false},
    {"F1", {"\"f1\"", "'f1'"}, false},
    {"DICE", {"Accuracy: mean", "Accuracy:mean"}, true},
    {"ACCURACY", {", accuracy=", NULL}, false},
    {"ROUGE1", {"'rouge1'", NULL}, false},
    {"ROUGE2", {"'rouge2'", NULL}, false},
    {"ROUGEL", {"'rougeL'", NULL}, false},
    {"ROUGELSUM", {"'rougeLsum'", NULL}, false},
    {"GEN_LEN", {"'gen_len'", NULL}, false},
    {"TOKENS_PER_SAMPLE", {"'tokens_per_sample'", NULL}, false},
    {"CLIP_SCORE", {"'CLIP_SCORE'", NULL}, false},
    {"FID_SCORE", {"'FID_SCORE'", NULL}, false},
    {"gsm8k_accuracy", {"'gsm8k'", NULL}, false},
    {"mbxp_accuracy", {"'mbxp'", NULL}, false},
    {"exact_match", {"'exact_match'", NULL}, false},
    {"vbench_score", {"'vbench_score'", NULL}, false},
    {"F1_HIERARCHICAL", {"\"f1\"", NULL}, false},
    {"E2E_ACCURACY", {"Accuracy", NULL}, true},
    {"DLRM_NE", {"metric/lifetime_ne/rating", NULL}, false},
    {"DLRM_ACC", {"metric/lifetime_accuracy/rating", NULL}, false},
    {"DLRM_AUC", {"metric/lifetime_gauc/rating", NULL}, false},
};

static const struct metric_row *row_of(const char *name)
{
    for (size_t i = 0; i < sizeof(metric_rows) / sizeof(metric_rows[0]); i++)
        if (!strcmp(metric_rows[i].name, name))
            return &metric_rows[i];
    return NULL;
}

/* A plain decimal number, and nothing before it but what may stand there. */
static bool take_figure(const char *at, const char *end, double *value)
{
    char digits[64];
    size_t n = 0;

    while (at < end && strchr(" \t\"':=", *at) && *at)
        at++;
    while (at < end && n + 1 < sizeof(digits) && (isdigit((unsigned char)*at) || *at == '.'))
        digits[n++] = *at++;
    digits[n] = 0;
    if (!n || !isdigit((unsigned char)digits[0]))
        return false;
    *value = strtod(digits, NULL);
    return true;
}

static bool find(const struct metric_row *row, const char *line, const char *end, double *value)
{
    for (size_t i = 0; i < 2 && row->marks[i]; i++) {
        size_t n = strlen(row->marks[i]), len = (size_t)(end - line);
        const char *at = row->at_start ? (len >= n && !memcmp(line, row->marks[i], n) ? line : NULL)
                                       : memmem(line, len, row->marks[i], n);

        if (at && take_figure(at + n, end, value))
            return true;
    }
    return false;
}

static void take_line(const char *line, const char *end, const struct submit_metric *metrics,
                      struct submit_accuracy *out)
{
    const struct metric_row *row;
    double value;

    if (end - line > 5 && !memcmp(line, "hash=", 5))
        snprintf(out->hash, sizeof(out->hash), "%.*s", (int)(end - line - 5), line + 5);
    for (size_t i = 0; i < SUBMIT_METRICS && metrics[i].name; i++) {
        row = row_of(metrics[i].name);
        if (!row || !find(row, line, end, &value))
            continue;
        if (!out->seen[i] || value < out->least[i])
            out->least[i] = value;
        if (!out->seen[i] || value > out->most[i])
            out->most[i] = value;
        out->seen[i] = true;
    }
}

void submit_accuracy_parse(const char *text, size_t len, const struct submit_metric *metrics,
                           struct submit_accuracy *out)
{
    const char *line, *next, *end = text + len, *stop;

    memset(out, 0, sizeof(*out));
    for (line = text; line < end; line = next + 1) {
        next = memchr(line, '\n', (size_t)(end - line));
        if (!next)
            next = end;
        stop = next > line && next[-1] == '\r' ? next - 1 : next;
        take_line(line, stop, metrics, out);
    }
}

bool submit_accuracy_reached(const struct submit_metric *metrics, const struct submit_accuracy *a,
                             char *why, size_t size)
{
    for (size_t i = 0; i < SUBMIT_METRICS && metrics[i].name; i++) {
        const struct submit_metric *m = &metrics[i];

        if (!a->seen[i])
            snprintf(why, size, "no line says %s", m->name);
        else if (a->least[i] < m->least)
            snprintf(why, size, "%s is %.7g, the target is %.7g", m->name, a->least[i], m->least);
        else if (m->most > 0 && a->most[i] > m->most)
            snprintf(why, size, "%s is %.7g, the most is %.7g", m->name, a->most[i], m->most);
        else
            continue;
        return false;
    }
    return true;
}
