/* test: serial */
/* A report of 200 records, each with 100000 latencies and a machine of its own, takes less than 2 s
 * of a processor's time and is below 2 MB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"
#include "report/pages.h"

#define RECORDS 200
#define SAMPLES 100000
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT 60
#else
#define LIMIT 2
#endif

static char folder[] = "/tmp/assay-pages-XXXXXX";

/* One file for all: what is read again is in the page cache either way. */
static void make_latencies(char hex[HASH_HEX])
{
    int64_t *ns = malloc(SAMPLES * sizeof(*ns));
    char path[200];
    uint64_t x = 1;

    for (size_t i = 0; i < SAMPLES; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        ns[i] = 1000000 + (int64_t)(x >> 40) / ((int64_t)(i % 1000) + 1);
    }
    snprintf(path, sizeof(path), "%s/latency.bin", folder);
    assert_int_equal(file_write_whole(path, ns, SAMPLES * sizeof(*ns), NULL), 0);
    hash_bytes(ns, SAMPLES * sizeof(*ns), hex);
    free(ns);
}

static json_t *make_records(const char *sha256)
{
    json_t *one = json_load_file(ASSAY_SOURCE "/tests/golden/report/pages/one.json", 0, NULL);
    json_t *records = json_array(), *r, *system;
    char id[17];

    for (int i = 0; i < RECORDS; i++) {
        r = json_deep_copy(json_array_get(one, 0));
        system = json_object_get(r, "system");
        snprintf(id, sizeof(id), "%016x", i);
        json_object_set_new(r, "id", json_string(id));
        json_object_set_new(r, "folder", json_string(folder));
        json_object_set_new(json_object_get(json_object_get(r, "files"), "latency.bin"), "sha256",
                            json_string(sha256));
        json_object_set_new(json_object_get(system, "cores"), "value", json_integer(i));
        /* as many facts as a real record has */
        for (int k = 0; k < 20; k++)
            json_object_set_new(system, (char[]){'f', (char)('a' + k), 0},
                                json_pack("{s:s, s:s, s:s}", "from", "detected", "value",
                                          "a value of usual length", "source",
                                          "/sys/devices/system/somewhere"));
        json_array_append_new(records, r);
    }
    json_decref(one);
    return records;
}

static void two_hundred(void **state)
{
    struct assay_err err = {0};
    char hex[HASH_HEX], *text = NULL;
    json_t *records;
    size_t len = 0;
    clock_t began;
    FILE *out;
    double seconds;

    (void)state;
    assert_non_null(mkdtemp(folder));
    make_latencies(hex);
    records = make_records(hex);
    out = open_memstream(&text, &len);
    began = clock();
    if (report_html(records, out, &err))
        fail_msg("%s", err.text);
    fclose(out);
    seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
    print_message("%d records of %d samples: %.3f s, %zu bytes\n", RECORDS, SAMPLES, seconds, len);
    assert_true(len < 2000000);
    assert_non_null(strstr(text, "id=\"m200\""));
    assert_non_null(strstr(text, "Latency distribution</title>"));
    assert_true(seconds < LIMIT);
    free(text);
    json_decref(records);
    file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(two_hundred)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
