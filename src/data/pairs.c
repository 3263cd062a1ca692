/* MT19937 and the samples' lengths; see pairs.h. */
#include "data/pairs.h"

#include <stdlib.h>
#include <string.h>

enum { WORDS = 624, SHIFT = 397, SEED = 123, LENGTHS = 20, SHORTEST = 100 };

struct twister {
    uint32_t word[WORDS];
    int at;
};

/* The generator's initialisation by one number. */
static void twister_seed(struct twister *t, uint32_t seed)
{
    uint32_t i;

    for (i = 0; i < WORDS; i++) {
        t->word[i] = seed;
        seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
    t->at = WORDS;
}

static void twister_turn(struct twister *t)
{
    int i;

    for (i = 0; i < WORDS; i++) {
        uint32_t y = (t->word[i] & 0x80000000u) | (t->word[(i + 1) % WORDS] & 0x7fffffffu);

        t->word[i] = t->word[(i + SHIFT) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    t->at = 0;
}

static uint32_t twister_next(struct twister *t)
{
    uint32_t y;

    if (t->at == WORDS)
        twister_turn(t);
    y = t->word[t->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

static uint32_t draw_length(struct twister *t)
{
    static const uint16_t lengths[LENGTHS] = {100, 100, 200, 200, 200, 200, 200, 200, 200, 200,
                                              200, 200, 200, 200, 300, 300, 400, 500, 600, 700};
    uint32_t i;

    do
        i = twister_next(t) & 31;
    while (i >= LENGTHS);
    return lengths[i];
}

int pairs_make(uint64_t rows, uint64_t most, struct pairs *p, struct assay_err *err)
{
    uint64_t least = rows / SHORTEST + 1, at = 0;
    struct twister t;

    if (most && most < least)
        least = most;
    p->n = 0;
    p->start = malloc((least + 1) * sizeof(*p->start));
    if (!p->start)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory for the samples of %llu rows",
                          (unsigned long long)rows);
    twister_seed(&t, SEED);
    while (at < rows && p->n < least) {
        p->start[p->n++] = at;
        at += draw_length(&t);
    }
    p->start[p->n] = at < rows ? at : rows;
    return ASSAY_OK;
}

void pairs_release(struct pairs *p)
{
    free(p->start);
    memset(p, 0, sizeof(*p));
}
