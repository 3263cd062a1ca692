/* Settings as a command line: see words.h. */
#include "run/words.h"

#include <stdlib.h>
#include <string.h>

#include "run/run.h"

json_t *words_of(const struct settings *s)
{
    json_t *words = json_pack("[s, s, s]", "assay", "run", s->benchmark);
    const struct settings_row *rows;
    char value[4096];
    size_t i, n;

    rows = settings_rows(&n);
    for (i = 0; i < n; i++) {
        if (settings_origin_of(s, rows[i].name) < SETTINGS_USER_FILE ||
            rows[i].group == GROUP_OUTPUT || !strcmp(rows[i].name, "benchmark"))
            continue;
        settings_text(s, &rows[i], value, sizeof(value));
        json_array_append_new(words, json_sprintf("--%s=%s", rows[i].name, value));
    }
    return words;
}

int words_run(const struct settings *s, const json_t *words, json_t **record, struct assay_err *err)
{
    size_t n = json_array_size(words), i;
    char **argv = calloc(n + 1, sizeof(*argv));
    int rc;

    if (!argv)
        return assay_fail(err, ASSAY_EFAIL, "not enough memory");
    for (i = 0; i < n; i++)
        argv[i] = (char *)(uintptr_t)json_string_value(json_array_get(words, i));
    rc = run_job(s, (int)n, argv, record, err);
    free(argv);
    return rc;
}
