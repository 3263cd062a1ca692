/* Synthetic questions: a made-up language of syllables, with as many words a paragraph as SQuAD
 * has, a long paragraph now and then, and a few words of it as the answer. */
#include "bert.h"

enum { ENTRIES = 30522, FIRST_WORD = 1031, EACH_SUFFIX = 4, QUESTIONS = 5, LONG_EACH = 100 };

static uint64_t next(uint64_t *state) /* splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint32_t below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((next(state) >> 32) * n >> 32);
}

/* Two or three syllables, different for different numbers. */
static void add_syllables(struct text *out, uint32_t number, int syllables)
{
    static const char consonants[] = "bcdfghjklmnpqrstvwxz", vowels[] = "aeiou";

    for (; syllables > 0; syllables--, number /= 100)
        text_addf(out, "%c%c", consonants[number % 20], vowels[number / 20 % 5]);
}

/* Of an entry from FIRST_WORD on: every fourth is a suffix. */
static void add_entry(struct text *out, uint32_t entry)
{
    if (entry % EACH_SUFFIX == 0)
        add_syllables(out, entry / EACH_SUFFIX, 2);
    else
        add_syllables(out, entry, 3);
}

/* The places of [UNK], [CLS] … and of the punctuation are those of the real one. */
void synthetic_vocab(struct text *out)
{
    static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
    uint32_t i;

    for (i = 0; i < ENTRIES; i++) {
        if (i == 0 || (i >= 100 && i <= 103))
            text_add(out, i == 0     ? "[PAD]"
                          : i == 100 ? "[UNK]"
                          : i == 101 ? "[CLS]"
                          : i == 102 ? "[SEP]"
                                     : "[MASK]");
        else if (i < 999)
            text_addf(out, "[unused%u]", i < 100 ? i - 1 : i - 5);
        else if (i < FIRST_WORD)
            text_addn(out, &punctuation[i - 999], 1);
        else
            text_add(out, i % EACH_SUFFIX ? "" : "##"), add_entry(out, i);
        text_add(out, "\n");
    }
}

static void add_word(struct text *out, uint64_t *state)
{
    uint32_t entry = FIRST_WORD + below(state, ENTRIES - FIRST_WORD - 8);

    add_entry(out, entry | 1); /* not a suffix */
    if (below(state, 4) == 0)
        add_entry(out, (entry + 3) / EACH_SUFFIX * EACH_SUFFIX);
}

/* Words [from, to) of the paragraph that begins with this state. */
static void add_words(struct text *out, uint64_t state, uint32_t from, uint32_t to)
{
    struct text unused;
    uint32_t i;

    text_init(&unused, 1 << 20);
    for (i = 0; i < from; i++)
        add_word(&unused, &state);
    for (; i < to; i++) {
        if (i > from)
            text_add(out, " ");
        add_word(out, &state);
        if (i % 15 == 14 && i + 1 < to)
            text_add(out, ".");
    }
    text_release(&unused);
}

static void add_question(struct text *out, uint64_t *s, uint64_t context, uint32_t words,
                         uint64_t id)
{
    uint32_t from = below(s, words - 5), to = from + 1 + below(s, 4), i, asked = 6 + below(s, 10);

    text_addf(out, "{\"id\": \"synthetic-%llu\", \"question\": \"", (unsigned long long)id);
    for (i = 0; i < asked; i++) {
        add_word(out, s);
        text_add(out, i + 1 < asked ? " " : "?");
    }
    text_add(out, "\", \"answers\": [{\"text\": \"");
    add_words(out, context, from, to);
    text_add(out, "\"}]}");
}

void synthetic_squad(uint64_t seed, uint64_t n, struct text *out)
{
    uint64_t done = 0, s, context;
    uint32_t words, q;

    text_add(out, "{\"version\": \"1.1\", \"data\": [{\"paragraphs\": [");
    while (done < n && !out->cut) {
        s = seed * 0x2545f4914f6cdd1du + done;
        words = 50 + below(&s, 72) + below(&s, 72);
        words *= below(&s, LONG_EACH) ? 1 : 3;
        context = next(&s);
        text_add(out, done ? ", {\"context\": \"" : "{\"context\": \"");
        add_words(out, context, 0, words);
        text_add(out, "\", \"qas\": [");
        for (q = 0; q < QUESTIONS && done < n; q++, done++) {
            text_add(out, q ? ", " : "");
            add_question(out, &s, context, words, done);
        }
        text_add(out, "]}");
    }
    text_add(out, "]}]}");
}
