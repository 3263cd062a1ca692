/* Mirrors of what recipes fetch; see mirror.h. */
#include "flow/mirror.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"

#define MAX_FILE ((size_t)1 << 20)
#define BLANKS   " \t\r\n"

static bool is_address(const char *word)
{
    return !strncmp(word, "https://", 8) || !strncmp(word, "http://", 7) ||
           !strncmp(word, "file:/", 6);
}

/* text is taken apart. */
static int read_pairs(char *text, const char *name, json_t *mirrors, struct assay_err *err)
{
    const char *from = NULL;
    int line = 0, at = 0;

    for (char *end, *next = text; next; next = end ? end + 1 : NULL) {
        char *save = NULL, *word;

        line++;
        if ((end = strchr(next, '\n')))
            *end = 0;
        if (*next == '#')
            continue;
        for (word = strtok_r(next, BLANKS, &save); word; word = strtok_r(NULL, BLANKS, &save)) {
            if (!is_address(word))
                return assay_fail(err, ASSAY_EUSAGE,
                                  "%s:%d: '%.100s' is the beginning of no address (https://…, "
                                  "http://…, file:///…)",
                                  name, line, word);
            if (from)
                json_array_append_new(mirrors, json_pack("[s, s]", from, word));
            from = from ? NULL : word;
            at = line;
        }
    }
    return from
               ? assay_fail(err, ASSAY_EUSAGE,
                            "%s:%d: behind '%.100s' its mirror is missing: FROM TO", name, at, from)
               : ASSAY_OK;
}

int mirror_read(json_t **mirrors, struct assay_err *err)
{
    const char *variable = getenv("ASSAY_MIRRORS");
    char *config = file_config_dir(), *file = config ? file_join(config, "mirrors") : NULL;
    char *said = strdup(variable ? variable : ""), *text = NULL;
    json_t *list = json_array();
    int rc = said && file ? read_pairs(said, "ASSAY_MIRRORS", list, err)
                          : assay_fail(err, ASSAY_EFAIL, "not enough memory");

    if (!rc && file && file_exists(file))
        rc = file_read(file, MAX_FILE, &text, NULL, err);
    if (!rc && text)
        rc = read_pairs(text, file, list, err);
    if (rc) {
        json_decref(list);
        list = NULL;
    }
    *mirrors = list;
    free(text);
    free(said);
    free(file);
    free(config);
    return rc;
}

json_t *mirror_urls(const json_t *mirrors, const json_t *urls)
{
    json_t *all = json_array(), *url, *pair;
    size_t i, k;

    json_array_foreach(urls, i, url)
    {
        const char *own = json_string_value(url);

        json_array_foreach(mirrors, k, pair)
        {
            const char *from = json_string_value(json_array_get(pair, 0)),
                       *to = json_string_value(json_array_get(pair, 1));

            if (!strncmp(own, from, strlen(from)))
                json_array_append_new(all, json_sprintf("%s%s", to, own + strlen(from)));
        }
    }
    json_array_extend(all, (json_t *)(uintptr_t)urls);
    return all;
}
