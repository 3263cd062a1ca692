/* fuzz: links assay_flow assay_base */
/* Pages of a package index, which anybody may have written: an address that is taken is of the
 * network and ends in no surprise.  The same bytes are read as a pip.conf too. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "flow/index_page.h"
#include "flow/pip.h"

#define SHA "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1), url[INDEX_MAX_URL], out[1024];
    json_t *values = json_object();

    if (!text || !values)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    if (!index_page_find(text, size, "https://i/simple/d/", "d-1.whl", SHA, url, NULL)) {
        if (strncasecmp(url, "https://", 8) || strlen(url) >= INDEX_MAX_URL)
            abort();
        for (const char *p = url; *p; p++)
            if ((unsigned char)*p <= ' ' || *p == 127)
                abort();
    }
    pip_conf_parse(text, size, values);
    pip_help_index(text, out);
    json_decref(values);
    free(text);
    return 0;
}
