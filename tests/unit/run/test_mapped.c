/* test: no-tsan. The PyTorch engine leaves a net's tables in their file: their pages are the file's
 * and not the process's own, and answers are those of tables that were read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "engine/host.h"
#include "engine/trial.h"
#include "net/net.h"

#define ROWS    4000
#define TABLES  26
#define SAMPLES 64
#define TABLE   (ROWS * 128 * sizeof(float))

/* Those of DLRM that have ROWS rows when they are cut to them. */
static const int large[] = {0, 1, 2, 3, 4, 6, 9, 10, 11, 14, 19, 20, 21, 22, 23};
#define LARGE (sizeof(large) / sizeof(large[0]))

static char path[] = P_tmpdir "/assay-mapped-XXXXXX";
static const struct assay_engine *table;
static char *file; /* what net write has written */
static size_t file_len;

/* What the process has of this file in its memory, in bytes. */
struct pages {
    size_t mapped, present, own; /* own: written to, and so no longer the file's */
};

static struct pages pages_of(const char *name)
{
    FILE *f = fopen("/proc/self/smaps", "re");
    unsigned long long from, to, kb;
    struct pages p = {0};
    bool ours = false;
    char line[1024];

    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        if (sscanf(line, "%llx-%llx ", &from, &to) == 2) {
            ours = strstr(line, name) != NULL;
            p.mapped += ours ? (size_t)(to - from) : 0;
        }
        if (ours && sscanf(line, "Rss: %llu", &kb) == 1)
            p.present += (size_t)kb * 1024;
        if (ours && sscanf(line, "Anonymous: %llu", &kb) == 1)
            p.own += (size_t)kb * 1024;
    }
    fclose(f);
    return p;
}

/* Opens `bytes` as a model and runs SAMPLES samples. */
static struct pages run(const char *bytes, size_t len, float *answers)
{
    struct trial_ask ask = {.table = table,
                            .model = path,
                            .format = "torchscript",
                            .device = "cpu",
                            .lanes = 1,
                            .max_batch = SAMPLES};
    uint32_t samples[SAMPLES];
    struct assay_err err = {0};
    struct pages p;
    struct trial t;
    struct load l;

    assert_int_equal(file_write_whole(path, bytes, len, &err), 0);
    for (uint32_t s = 0; s < SAMPLES; s++)
        samples[s] = s;
    if (trial_open(&t, &ask, &err) || load_init(&l, &t, 0, samples, SAMPLES, &err))
        fail_msg("%s", err.text);
    for (size_t s = 0; s < SAMPLES; s++)
        for (size_t k = 0; k < LARGE; k++)
            ((int64_t *)l.inputs[1].data)[s * TABLES + (size_t)large[k]] =
                (int64_t)((s * 997 + k * 131) % ROWS);
    if (load_run(&l, &err))
        fail_msg("%s", err.text);
    assert_int_equal(l.outputs[0].bytes, SAMPLES * sizeof(*answers));
    memcpy(answers, l.answer[0], l.outputs[0].bytes);
    p = pages_of(path);
    load_release(&l);
    assert_int_equal(trial_close(&t, &err), 0);
    assert_int_equal(pages_of(path).mapped, 0);
    return p;
}

static uint32_t number(const char *p, int n)
{
    uint32_t v = 0;

    while (n--)
        v = v << 8 | (unsigned char)p[n];
    return v;
}

static void add_one(char *p, int n)
{
    uint32_t v = number(p, n) + 1;

    for (int i = 0; i < n; i++)
        p[i] = (char)(v >> 8 * i);
}

/* The same archive with one byte more in front of the first member's bytes, so that no member lies
 * where it can be mapped. */
static char *shifted(const char *from, size_t len)
{
    size_t name = number(from + 26, 2), start = 30 + name + number(from + 28, 2);
    char *to = malloc(len + 1), *end = to + len + 1 - 22, *entry;

    assert_non_null(to);
    memcpy(to, from, start);
    to[start] = 'Z';
    memcpy(to + start + 1, from + start, len - start);
    add_one(to + 28, 2);            /* the extra field */
    add_one(to + 30 + name + 2, 2); /* the padding in it */
    assert_int_equal(number(end, 4), 0x06054b50);
    add_one(end + 16, 4);
    for (entry = to + number(end + 16, 4); number(entry, 4) == 0x02014b50;
         entry += 46 + number(entry + 28, 2) + number(entry + 30, 2))
        if (number(entry + 42, 4))
            add_one(entry + 42, 4);
    return to;
}

/* Two tables of one size change their names: they are read in another order than they lie. */
static char *swapped(const char *from, size_t len)
{
    static const char six[] = "/data/6", seven[] = "/data/7";
    size_t n = strlen(six), found = 0;
    char *to = malloc(len);

    assert_non_null(to);
    memcpy(to, from, len);
    for (size_t i = 0; i + n <= len; i++)
        if (to[i] == '/' && (!memcmp(to + i, six, n) || !memcmp(to + i, seven, n))) {
            to[i + n - 1] = (char)(to[i + n - 1] ^ 1);
            found++;
        }
    assert_int_equal(found, 4);
    return to;
}

static void same_when_read(const char *bytes, size_t len, const float *mapped)
{
    float read[SAMPLES];
    char *other = shifted(bytes, len);

    assert_int_equal(run(other, len + 1, read).mapped, 0);
    assert_memory_equal(read, mapped, sizeof(read));
    free(other);
}

static void tables_stay_in_the_file(void **state)
{
    float answers[SAMPLES];
    struct pages p = run(file, file_len, answers);

    (void)state;
    assert_true(p.mapped >= LARGE * TABLE);
    assert_true(p.present >= LARGE * TABLE);
    assert_int_equal(p.own, 0);
    same_when_read(file, file_len, answers);
}

static void another_order_is_read_right(void **state)
{
    float straight[SAMPLES], answers[SAMPLES];
    char *other = swapped(file, file_len);
    struct pages p;

    (void)state;
    run(file, file_len, straight);
    p = run(other, file_len, answers);
    assert_memory_not_equal(answers, straight, sizeof(answers));
    assert_true(p.own >= TABLE && p.own < 2 * TABLE);
    same_when_read(other, file_len, answers);
    free(other);
}

static void what_is_cut_off_is_refused(void **state)
{
    const size_t lengths[] = {file_len - 20, file_len / 2, 1};
    struct trial_ask ask = {.table = table,
                            .model = path,
                            .format = "torchscript",
                            .device = "cpu",
                            .lanes = 1,
                            .max_batch = 1};
    struct assay_err err = {0};
    struct trial t;

    (void)state;
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        assert_int_equal(file_write_whole(path, file, lengths[i], &err), 0);
        assert_true(trial_open(&t, &ask, &err) < 0);
        if (!strstr(err.text, "bytes): cut off, or no TorchScript file: "))
            fail_msg("%s", err.text);
        assert_int_equal(pages_of(path).mapped, 0);
    }
}

static int begin(void **state)
{
    struct assay_err err = {0};
    char from[1024];
    int fd = mkstemp(path);

    (void)state;
    if (fd < 0)
        return -1;
    close(fd);
    return net_write("dlrm:rows=4000", "torchscript", "fp32", 1, path, &err) ||
           file_read(path, 1 << 28, &file, &file_len, &err) ||
           engine_load("pytorch", &table, from, &err);
}

static int end(void **state)
{
    (void)state;
    free(file);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tables_stay_in_the_file),
                                       cmocka_unit_test(another_order_is_read_right),
                                       cmocka_unit_test(what_is_cut_off_is_refused)};
    struct assay_engine_probe p = {.size = sizeof(p)};
    char from[1024], *runtime = engine_runtime_dir("pytorch");
    struct assay_err err = {0};

    if (!engine_load("pytorch", &table, from, &err))
        table->probe(runtime, &p, &err);
    free(runtime);
    if (!p.version[0]) {
        fprintf(stderr, "skipped: %s%s\n", err.text, p.note);
        return 77;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
