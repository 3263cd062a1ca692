/* BERT's features from SQuAD's questions, on one thread, from the parsed JSON to the three inputs.
 *
 *     tokenise VOCABULARY QUESTIONS
 *
 * For every line on standard input one pass over all questions; the answer is its seconds.  The
 * peer is official_tokenise.py. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/squad_features.h"

static _Noreturn void die(const char *text)
{
    fprintf(stderr, "tokenise: %s\n", text);
    exit(3);
}

static double pass(const struct squad *questions, const struct vocab *vocab)
{
    static int32_t ids[SQUAD_LENGTH], mask[SQUAD_LENGTH], types[SQUAD_LENGTH];
    double start = (double)clock_ns() * 1e-9;
    struct squad_features f;
    struct assay_err err;
    uint64_t i;

    if (squad_features_make(questions, vocab, 1, &f, &err))
        die(err.text);
    for (i = 0; i < f.n; i++)
        squad_feature_fill(&f, i, ids, mask, types);
    squad_features_release(&f);
    return (double)clock_ns() * 1e-9 - start;
}

int main(int argc, char **argv)
{
    struct squad questions;
    struct vocab vocab;
    struct assay_err err;
    char line[16];

    if (argc != 3)
        die("which vocabulary, which questions?");
    if (vocab_read(argv[1], &vocab, &err) || squad_read(argv[2], &questions, &err))
        die(err.text);
    while (fgets(line, sizeof(line), stdin)) {
        printf("%.9f\n", pass(&questions, &vocab));
        fflush(stdout);
    }
    return 0;
}
