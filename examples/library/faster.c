/* Which engine is faster here?  Runs a benchmark on two engines and prints both rates.
 *
 *     faster BENCHMARK ENGINE ENGINE [SETTING=VALUE …]
 *
 * Exit code 0, or 1 when something could not be done. */
#include <assay/assay.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* The rate in samples/s; negative: it could not be measured, and why was said. */
static double measure(const char *benchmark, const char *engine, char **more, int n)
{
    const char **settings = calloc((size_t)n + 5, sizeof(*settings));
    char first[256], second[256], *text = NULL;
    struct assay_err err;
    double rate = -1;
    json_t *record;

    if (!settings)
        return -1;
    snprintf(first, sizeof(first), "benchmark=%s", benchmark);
    snprintf(second, sizeof(second), "engine=%s", engine);
    settings[0] = first;
    settings[1] = second;
    settings[2] = "scenario=Offline";
    settings[3] = "progress=none";
    for (int i = 0; i < n; i++)
        settings[4 + i] = more[i];
    if (assay_run(settings, &text, &err)) {
        fprintf(stderr, "faster: %s\n", err.text);
    } else {
        record = json_loads(text, 0, NULL);
        rate = json_number_value(json_object_get(json_object_get(record, "performance"), "value"));
        printf("%-16s %10.4g samples/s  %s  record %s\n", engine, rate,
               json_string_value(json_object_get(json_object_get(record, "verdict"), "word")),
               json_string_value(json_object_get(record, "id")));
        json_decref(record);
    }
    assay_free(text);
    free(settings);
    return rate;
}

int main(int argc, char **argv)
{
    double a, b;

    if (argc < 4) {
        fprintf(stderr, "usage: faster BENCHMARK ENGINE ENGINE [SETTING=VALUE ...]\n");
        return 1;
    }
    a = measure(argv[1], argv[2], argv + 4, argc - 4);
    b = measure(argv[1], argv[3], argv + 4, argc - 4);
    if (a <= 0 || b <= 0)
        return 1;
    printf("%s is %.2f times as fast as %s\n", a > b ? argv[2] : argv[3], a > b ? a / b : b / a,
           a > b ? argv[3] : argv[2]);
    return 0;
}
