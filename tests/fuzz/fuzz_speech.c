/* fuzz: links assay_data assay_base */
/* LibriSpeech's lists in both forms (the first byte chooses): what is taken has a name within the
 * folder and a transcript that can be scored. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/speech.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    struct assay_err err = {0};
    struct speech s = {0};
    uint64_t i;
    int rc;

    if (!size)
        return 0;
    rc = data[0] == 'j' ? speech_parse_list(text, size - 1, "list", &s, &err)
                        : speech_parse_trans(text, size - 1, "a.trans.txt", "1/2", &s, &err);
    if (rc && (!err.code || !err.text[0]))
        abort();
    for (i = 0; i < s.n && !rc; i++) {
        const char *words = s.list[i].transcript;

        if (!s.list[i].name[0] || file_leaves_folder(s.list[i].name) || !words[0] ||
            words[0] == ' ' || words[strspn(words, "abcdefghijklmnopqrstuvwxyz' ")] ||
            strstr(words, "  "))
            abort();
    }
    speech_release(&s);
    return 0;
}
