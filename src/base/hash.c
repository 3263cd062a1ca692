/* SHA-256 by OpenSSL. */
#include "base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct hash {
    EVP_MD_CTX *ctx;
};

struct hash *hash_create(void)
{
    struct hash *h = calloc(1, sizeof(*h));

    if (!h)
        return NULL;
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(h->ctx);
        free(h);
        return NULL;
    }
    return h;
}

void hash_add(struct hash *h, const void *data, size_t len)
{
    EVP_DigestUpdate(h->ctx, data, len);
}

void hash_take(struct hash *h, char hex[HASH_HEX])
{
    unsigned char md[32] = {0};
    int i;

    EVP_DigestFinal_ex(h->ctx, md, NULL);
    for (i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", md[i]);
    EVP_MD_CTX_free(h->ctx);
    free(h);
}

void hash_bytes(const void *data, size_t len, char hex[HASH_HEX])
{
    struct hash *h = hash_create();

    memset(hex, '0', HASH_HEX - 1);
    hex[HASH_HEX - 1] = 0;
    if (!h)
        return;
    hash_add(h, data, len);
    hash_take(h, hex);
}

int hash_file(const char *path, char hex[HASH_HEX], struct assay_err *err)
{
    size_t cap = 1 << 18;
    char *buf = malloc(cap);
    struct hash *h = hash_create();
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc = ASSAY_OK;
    ssize_t n = 0;

    if (!buf || !h) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
    } else if (fd < 0) {
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", path, strerror(errno));
    } else {
        while ((n = read(fd, buf, cap)) > 0 || (n < 0 && errno == EINTR))
            if (n > 0)
                hash_add(h, buf, (size_t)n);
        if (n < 0)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    }
    if (h) {
        char got[HASH_HEX];

        hash_take(h, got);
        if (!rc)
            memcpy(hex, got, HASH_HEX);
    }
    if (fd >= 0)
        close(fd);
    free(buf);
    return rc;
}

int hash_tree(const char *path, char hex[HASH_HEX], struct assay_err *err)
{
    struct dirent **list = NULL;
    struct hash *h;
    char got[HASH_HEX];
    int n, i, rc = ASSAY_OK;

    if (!file_is_dir(path))
        return hash_file(path, hex, err);
    n = scandir(path, &list, NULL, alphasort);
    h = hash_create();
    if (n < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
    else if (!h)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
    for (i = 0; i < n; i++) {
        const char *name = list[i]->d_name;
        char *below = NULL;

        if (!rc && strcmp(name, ".") && strcmp(name, "..")) {
            below = file_join(path, name);
            rc = below ? hash_tree(below, got, err)
                       : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
            if (!rc) {
                hash_add(h, name, strlen(name) + 1);
                hash_add(h, got, sizeof(got));
            }
        }
        free(below);
        free(list[i]);
    }
    free(list);
    if (h)
        hash_take(h, got);
    if (!rc)
        memcpy(hex, got, HASH_HEX);
    return rc;
}
