/* Latencies in an export: see export_latencies.h. */
#include "record/export_latencies.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/tree.h"

#define MOST_BYTES ((size_t)256 << 20)

static const char *named_hash(const json_t *record)
{
    return tree_text(json_object_get(json_object_get(record, "files"), "latency.bin"), "sha256",
                     NULL);
}

static bool is_named(const json_t *record, const char *bytes, size_t len)
{
    const char *named = named_hash(record);
    char hex[HASH_HEX];

    hash_bytes(bytes, len, hex);
    return named && !strcmp(named, hex);
}

static char *encode(const char *bytes, size_t len)
{
    char *out = malloc((len + 2) / 3 * 4 + 1);

    if (out)
        EVP_EncodeBlock((unsigned char *)out, (const unsigned char *)bytes, (int)len);
    return out;
}

int export_latencies_read(const json_t *record, char **base64, struct assay_err *err)
{
    const char *folder = tree_text(record, "folder", NULL), *id = tree_text(record, "id", "?");
    char *path = folder ? file_join(folder, "latency.bin") : NULL, *bytes = NULL;
    size_t len = 0;
    int rc = ASSAY_OK;

    *base64 = NULL;
    if (path && file_exists(path) && !(rc = file_read(path, MOST_BYTES, &bytes, &len, err))) {
        if (!is_named(record, bytes, len))
            rc = assay_fail(err, ASSAY_EFAIL,
                            "record %.16s: its latency.bin was changed since the run; export it "
                            "without --latencies",
                            id);
        else if (!(*base64 = encode(bytes, len)))
            rc = assay_fail(err, ASSAY_EFAIL, "not enough memory for the export");
    }
    free(bytes);
    free(path);
    return rc;
}

/* NULL when it is no base64 of this very form: no blanks, padded. */
static char *decode(const char *s, size_t n, size_t *len)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t good = strspn(s, letters), padding = n - good;
    char *out;

    if (n % 4 || n / 4 * 3 > MOST_BYTES || padding > 2 || strspn(s + good, "=") != padding)
        return NULL;
    out = malloc(n / 4 * 3 + 1);
    if (out && EVP_DecodeBlock((unsigned char *)out, (const unsigned char *)s, (int)n) < 0) {
        free(out);
        return NULL;
    }
    *len = n / 4 * 3 - padding;
    return out;
}

char *export_latencies_bytes(const json_t *entry, size_t *len)
{
    const json_t *v = json_object_get(entry, "latencies");

    return json_is_string(v) ? decode(json_string_value(v), json_string_length(v), len) : NULL;
}

int export_latencies_check(const json_t *entry, const char *who, struct assay_err *err)
{
    size_t len = 0;
    char *bytes;
    bool good;

    if (!json_object_get(entry, "latencies"))
        return ASSAY_OK;
    bytes = export_latencies_bytes(entry, &len);
    good = bytes && len % 8 == 0 && is_named(json_object_get(entry, "record"), bytes, len);
    free(bytes);
    return good ? ASSAY_OK
                : assay_fail(err, ASSAY_EFAIL,
                             "%s: its latencies are not those that the record names by their "
                             "SHA-256; nothing was taken",
                             who);
}
