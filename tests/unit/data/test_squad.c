/* SQuAD's reader, BERT's tokeniser and the features, against golden values of HuggingFace's
 * tokeniser (tests/python/golden_bert.py makes them), and what each fault is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "data/squad_features.h"

#define GOLDEN ASSAY_SOURCE "/tests/golden/bert"

/* The data set's folder; skips the test where it is missing. */
static const char *data_folder(void)
{
    static char folder[1024];
    const char *data = getenv("ASSAY_TEST_DATA");

    snprintf(folder, sizeof(folder), "%s/squad-mini", data ? data : ASSAY_SOURCE "/../shared/data");
    if (!file_is_dir(folder))
        skip();
    return folder;
}

static void read_data_set(struct vocab *v, struct squad *s)
{
    const char *folder = data_folder();
    char *vocab = file_join(folder, "vocab.txt"), *questions = NULL;
    struct assay_err err;

    if (vocab_read(vocab, v, &err) || squad_find(folder, &questions, &err) ||
        squad_read(questions, s, &err))
        fail_msg("%s", err.text);
    free(vocab);
    free(questions);
}

/* ---- golden ---- */

/* The first half of the SHA-256 of n values as int64. */
static void digest(const int32_t *values, char hex[33])
{
    int64_t wide[SQUAD_LENGTH];
    char whole[HASH_HEX];
    int i;

    for (i = 0; i < SQUAD_LENGTH; i++)
        wide[i] = values[i];
    hash_bytes(wide, sizeof(wide), whole);
    snprintf(hex, 33, "%.32s", whole);
}

static void check_feature(const struct squad_features *f, uint64_t index, const char *line)
{
    int32_t rows[4][SQUAD_LENGTH];
    unsigned question, window, length;
    char want[4][33], found[33];
    uint32_t i;

    assert_int_equal(sscanf(line, "%u %u %u %32s %32s %32s %32s", &question, &window, &length,
                            want[0], want[1], want[2], want[3]),
                     7);
    assert_int_equal(f->features[index].question, question);
    assert_int_equal(f->features[index].window, window);
    assert_int_equal(f->features[index].length, length);
    squad_feature_fill(f, index, rows[0], rows[1], rows[2]);
    for (i = 0; i < SQUAD_LENGTH; i++) {
        int64_t token = squad_feature_token(f, index, i);

        rows[3][i] = token >= 0 && squad_feature_owns(f, index, (uint32_t)token);
    }
    for (i = 0; i < 4; i++) {
        digest(rows[i], found);
        if (strcmp(found, want[i]) != 0)
            fail_msg("feature %llu: row %u differs", (unsigned long long)index, i);
    }
}

static void features_are_as_by_the_reference(void **state)
{
    FILE *golden = fopen(GOLDEN "/features.txt", "r");
    struct squad_features f;
    struct assay_err err;
    struct vocab v;
    struct squad s;
    char line[512];
    uint64_t n = 0;

    (void)state;
    assert_non_null(golden);
    read_data_set(&v, &s);
    assert_int_equal(squad_features_make(&s, &v, 2, &f, &err), 0);
    while (fgets(line, sizeof(line), golden))
        if (line[0] != '#') {
            assert_true(n < f.n);
            check_feature(&f, n++, line);
        }
    assert_int_equal(n, 235);
    assert_int_equal(f.n, 235);
    fclose(golden);
    squad_features_release(&f);
    squad_release(&s);
    vocab_release(&v);
}

static size_t from_hex(const char *hex, char *out)
{
    unsigned byte;
    size_t n = 0;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (char)byte;
    return n;
}

/* A line "hex id id …" of texts.txt. */
static void check_text(const struct vocab *v, char *line)
{
    struct wordpiece_ids ids = {0};
    struct text scratch;
    struct assay_err err;
    char text[2048], *rest, *word = strtok_r(line, " \n", &rest);
    size_t n = from_hex(word, text), i = 0;

    text_init(&scratch, 1 << 20);
    assert_int_equal(wordpiece_tokenise(v, text, n, &scratch, &ids, &err), 0);
    while ((word = strtok_r(NULL, " \n", &rest))) {
        if (i >= ids.n || ids.ids[i] != strtoul(word, NULL, 10))
            fail_msg("'%.*s': token %zu is not %s", (int)n, text, i, word);
        i++;
    }
    assert_int_equal(i, ids.n);
    text_release(&scratch);
    free(ids.ids);
}

static void hard_texts_are_as_by_the_reference(void **state)
{
    FILE *golden = fopen(GOLDEN "/texts.txt", "r");
    char *path = file_join(data_folder(), "vocab.txt"), line[8192];
    struct assay_err err;
    struct vocab v;
    unsigned n = 0;

    (void)state;
    assert_non_null(golden);
    assert_int_equal(vocab_read(path, &v, &err), 0);
    for (; fgets(line, sizeof(line), golden); n++)
        if (line[0] != '#')
            check_text(&v, line);
    assert_true(n > 400);
    fclose(golden);
    vocab_release(&v);
    free(path);
}

/* ---- the two variants ---- */

static void check_basic(enum wordpiece_variant variant, const char *text, const char *want)
{
    struct text out;

    text_init(&out, 1 << 20);
    wordpiece_basic(variant, text, strlen(text), &out);
    assert_string_equal(out.s, want);
    text_release(&out);
}

static void variants_differ_where_they_should(void **state)
{
    (void)state;
    check_basic(WORDPIECE_FEATURES,
                "A [SEP] b\xee\x80\x80"
                "c",
                "a [SEP] bc");
    check_basic(WORDPIECE_ALIGN,
                "A [SEP] b\xee\x80\x80"
                "c",
                "a [ sep ] b\xee\x80\x80"
                "c");
    check_basic(WORDPIECE_ALIGN,
                "d\xe2\x80\x8b"
                "e\x01"
                "f",
                "def");
    check_basic(WORDPIECE_FEATURES, "(a)--b", "( a ) - - b");
}

static void rare_characters_follow_the_standard(void **state)
{
    (void)state;
    /* The ends of the ranges of ideographs. */
    check_basic(WORDPIECE_FEATURES, "x\u3400y\u4dbfz\u4e00w\u9fffv",
                "x \u3400 y \u4dbf z \u4e00 w \u9fff v");
    check_basic(WORDPIECE_FEATURES, "x\ufa0ey\u33ffz\ua000w", "x \ufa0e y\u33ffz\ua000w");
    check_basic(WORDPIECE_FEATURES, "x\uf900y", "x \u8c48 y"); /* decomposes to U+8C48 */
    /* A sigma behind what has case without being a letter of either case. */
    check_basic(WORDPIECE_FEATURES, "\u00aa\u03a3 \u2163\u03a3 1\u03a3",
                "\u00aa\u03c2 \u2173\u03c2 1\u03c3");
    /* Marks that stay (Mc) are put in canonical order. */
    check_basic(WORDPIECE_FEATURES, "a\u302e\U0001d165", "a\U0001d165\u302e");
}

/* ---- faults ---- */

static void bad_questions(void **state)
{
#define FRAME(context, qas)                                                                        \
    "{\"data\": [{\"paragraphs\": [{\"context\": \"" context "\", \"qas\": [" qas "]}]}]}"
#define ASKED(id, answers) "{\"id\": \"" id "\", \"question\": \"who\", \"answers\": [" answers "]}"
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"{\"data\": [", "f.json:1:10: not valid JSON: "},
        {"[1]", "f.json: has no list 'data'; wanted: "},
        {"{\"data\": [{}]}", "f.json: an article has no list 'paragraphs'"},
        {"{\"data\": [{\"paragraphs\": [{}]}]}", "f.json: a paragraph lacks its context or"},
        {"{\"data\": []}", "f.json: has no question; wanted: questions (SQuAD v1.1)"},
        {FRAME("text", "{}"), "f.json: a question lacks its id or text; wanted: "},
        {FRAME("text", ASKED("q1", "")), "f.json: question 'q1' has no answer; wanted: one or"},
        {FRAME("text", ASKED("q1", "{}")), "f.json: question 'q1': answer 0 has no text"},
        {FRAME(" \\n", ASKED("q1", "{\"text\": \"x\"}")), "f.json: the context of paragraph 0 is "},
        {FRAME("text", ASKED("q1", "{\"text\": \"x\"}") ", " ASKED("q1", "{\"text\": \"x\"}")),
         "f.json: question id 'q1' is there twice"},
    };
    struct assay_err err;
    struct squad s;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(squad_parse(bad[i].text, strlen(bad[i].text), "f.json", &s, &err),
                         ASSAY_EFAIL);
        if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
            fail_msg("questions %zu: '%s', not '%s'", i, err.text, bad[i].why);
        assert_null(s.questions); /* nothing is left to release */
    }
}

static void bad_vocabularies(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"[UNK]\n[SEP]\n", "v.txt: has no token [CLS]; wanted: "},
        {"", "v.txt: has no token [UNK]; wanted: "},
        {"[UNK]\n[CLS]\na\n[SEP]\na\n", "v.txt:5: token 'a' is that of line 3 too"},
        {"[UNK]\n\n[SEP]\n", "v.txt:2: is empty; wanted: a token a line"},
    };
    static const char good[] = "[UNK]\r\n[CLS]\r\n[SEP]\r\nx\r\n";
    struct assay_err err;
    struct vocab v;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(vocab_parse(bad[i].text, strlen(bad[i].text), "v.txt", &v, &err),
                         ASSAY_EFAIL);
        if (strncmp(err.text, bad[i].why, strlen(bad[i].why)) != 0)
            fail_msg("vocabulary %zu: '%s', not '%s'", i, err.text, bad[i].why);
        assert_null(v.tokens);
    }
    assert_int_equal(vocab_parse("a\0b\n", 4, "v.txt", &v, &err), ASSAY_EFAIL);
    assert_string_equal(err.text, "v.txt:1: holds a NUL byte; wanted: a token a line");
    assert_int_equal(vocab_parse(good, strlen(good), "v.txt", &v, &err), 0);
    assert_int_equal(v.n, 4);
    assert_int_equal(vocab_find(&v, "x", 1), 3);
    assert_int_equal(vocab_find(&v, "y", 1), -1);
    vocab_release(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_as_by_the_reference),
        cmocka_unit_test(hard_texts_are_as_by_the_reference),
        cmocka_unit_test(variants_differ_where_they_should),
        cmocka_unit_test(rare_characters_follow_the_standard),
        cmocka_unit_test(bad_questions),
        cmocka_unit_test(bad_vocabularies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
