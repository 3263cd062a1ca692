/* SHA-256 and MD5 by OpenSSL. */
#include "base/hash.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
/* SHA256_* and not EVP, which first reads a configuration and loads providers: more than 1 ms of a
 * command that hashes but a key. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

struct hash {
    SHA256_CTX ctx;
};

struct hash *hash_create(void)
{
    struct hash *h = malloc(sizeof(*h));

    if (h)
        SHA256_Init(&h->ctx);
    return h;
}

void hash_add(struct hash *h, const void *data, size_t len)
{
    SHA256_Update(&h->ctx, data, len);
}

void hash_take(struct hash *h, char hex[HASH_HEX])
{
    unsigned char md[32];

    SHA256_Final(md, &h->ctx);
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", md[i]);
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

static int read_all(int fd, const char *path, const volatile int *stop, struct hash *sha,
                    EVP_MD_CTX *md5, struct assay_err *err)
{
    size_t cap = 1 << 18;
    char *buf = malloc(cap);
    int rc =
        buf ? ASSAY_OK : assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
    ssize_t n = 1;

    while (!rc && n) {
        n = read(fd, buf, cap);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be read: %s", path, strerror(errno));
        else if (stop && *stop)
            rc = assay_fail(err, ASSAY_ESTOP, "interrupted");
        if (n > 0 && sha)
            hash_add(sha, buf, (size_t)n);
        if (n > 0 && md5)
            EVP_DigestUpdate(md5, buf, (size_t)n);
    }
    free(buf);
    return rc;
}

static void take_md5(EVP_MD_CTX *ctx, char out[HASH_MD5])
{
    unsigned char md[16] = {0};

    EVP_DigestFinal_ex(ctx, md, NULL);
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", md[i]);
}

int hash_file_until(const char *path, const volatile int *stop, char sha256[HASH_HEX],
                    char md5[HASH_MD5], struct assay_err *err)
{
    struct hash *sha = sha256 ? hash_create() : NULL;
    EVP_MD_CTX *ctx = md5 ? EVP_MD_CTX_new() : NULL;
    char scratch[HASH_HEX];
    int fd = open(path, O_RDONLY | O_CLOEXEC), rc;

    if (fd < 0)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: cannot be opened: %s", path, strerror(errno));
    else if ((sha256 && !sha) || (md5 && (!ctx || EVP_DigestInit_ex(ctx, EVP_md5(), NULL) != 1)))
        rc = assay_fail(err, ASSAY_EFAIL, "%s: not enough memory to hash it", path);
    else
        rc = read_all(fd, path, stop, sha, ctx, err);
    if (sha)
        hash_take(sha, rc ? scratch : sha256);
    if (!rc && ctx)
        take_md5(ctx, md5);
    EVP_MD_CTX_free(ctx);
    if (fd >= 0)
        close(fd);
    return rc;
}

int hash_file(const char *path, char hex[HASH_HEX], struct assay_err *err)
{
    return hash_file_until(path, NULL, hex, NULL, err);
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
