/* fuzz: links assay_data assay_base */
/* A recording's whole way: header, samples, features.  Whatever is decoded gives finite numbers. */
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "data/audio.h"
#include "data/logmel.h"

#define MOST 40000 /* samples; longer recordings only cost time */

static void check_features(const int16_t *samples, uint64_t n)
{
    static const struct logmel_rule rule = {0.97, 1e-5};
    static float out[(MOST / 480 + 3) * LOGMEL_WIDTH];
    static struct logmel_work *work;
    static struct logmel *m;

    m = m ? m : logmel_create(&rule);
    work = work ? work : logmel_work_create(MOST);
    if (!m || !work)
        abort();
    logmel_make(m, work, samples, n, out);
    for (uint64_t i = 0; i < logmel_rows(n) * LOGMEL_WIDTH; i++)
        if (!isfinite(out[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int16_t samples[MOST];
    struct assay_err err = {0};
    uint64_t n = 0;
    char path[64];
    int fd = memfd_create("recording", MFD_CLOEXEC), rc;

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    rc = audio_length(path, 16000, &n, &err);
    if (!rc && n <= MOST)
        rc = audio_read(path, 16000, n, samples, &err);
    if (rc && (!err.code || !err.text[0]))
        abort();
    if (!rc && n >= LOGMEL_LEAST && n <= MOST)
        check_features(samples, n);
    close(fd);
    return 0;
}
