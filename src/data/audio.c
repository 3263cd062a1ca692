/* libsndfile, held to what the data set promises; see audio.h.
 *
 * It is loaded when the first recording is opened: it brings eight more libraries, and most
 * commands have no recordings and should start fast. */
#include "data/audio.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sndfile.h>
#include <string.h>

#include "base/file.h"

#define LIBRARY "libsndfile.so.1"

static struct {
    SNDFILE *(*open)(const char *path, int mode, SF_INFO *info);
    sf_count_t (*readf_short)(SNDFILE *file, short *out, sf_count_t frames);
    int (*error)(SNDFILE *file);
    const char *(*strerror)(SNDFILE *file);
    int (*close)(SNDFILE *file);
} snd;
static char why[200]; /* it could not be loaded */

static void load(void)
{
    static const char *const names[] = {"sf_open", "sf_readf_short", "sf_error", "sf_strerror",
                                        "sf_close"};
    void *const functions[] = {&snd.open, &snd.readf_short, &snd.error, &snd.strerror, &snd.close};
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL), *symbol = library;

    for (size_t i = 0; symbol && i < sizeof(names) / sizeof(names[0]); i++) {
        symbol = dlsym(library, names[i]);
        memcpy(functions[i], &symbol, sizeof(symbol));
    }
    if (!symbol)
        snprintf(why, sizeof(why), "%s", dlerror());
}

static int load_once(struct assay_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load);
    return why[0] ? assay_fail(err, ASSAY_EFAIL,
                               LIBRARY ", which reads recordings, cannot be loaded: %s: install it "
                                       "(Debian's package libsndfile1)",
                               why)
                  : ASSAY_OK;
}

static uint32_t little(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Before libsndfile, which reads many other forms, gets it.  It also makes do with what there is of
 * a WAV file, whose first chunk says what there should be (0 and all ones: whoever wrote it did not
 * know). */
static int check_head(const char *path, struct assay_err *err)
{
    unsigned char head[8] = {0};
    int64_t have = file_size(path), says;
    FILE *f = have < 0 ? NULL : fopen(path, "rb");
    size_t n = f ? fread(head, 1, sizeof(head), f) : 0;

    if (f)
        fclose(f);
    if (!f)
        return assay_fail(err, ASSAY_EFAIL, "%s: is missing, or cannot be read", path);
    if (n < sizeof(head) || (memcmp(head, "RIFF", 4) && memcmp(head, "fLaC", 4)))
        return assay_fail(err, ASSAY_EFAIL, "%s: is neither WAV nor FLAC", path);
    says = head[0] == 'R' ? (int64_t)little(head + 4) : 0;
    if (!says || says == UINT32_MAX || says + 8 <= have)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_EFAIL, "%s: is cut off: it has %lld of %lld bytes", path,
                      (long long)have, (long long)says + 8);
}

static int check_format(const char *path, const SF_INFO *info, uint32_t rate, struct assay_err *err)
{
    int type = info->format & SF_FORMAT_TYPEMASK;

    if (type != SF_FORMAT_WAV && type != SF_FORMAT_WAVEX && type != SF_FORMAT_FLAC)
        return assay_fail(err, ASSAY_EFAIL, "%s: is neither WAV nor FLAC", path);
    if (info->samplerate != (int)rate)
        return assay_fail(err, ASSAY_EFAIL, "%s: has %d samples a second; wanted: %u", path,
                          info->samplerate, rate);
    if (info->channels != 1)
        return assay_fail(err, ASSAY_EFAIL, "%s: has %d channels; wanted: one", path,
                          info->channels);
    if ((info->format & SF_FORMAT_SUBMASK) != SF_FORMAT_PCM_16)
        return assay_fail(err, ASSAY_EFAIL, "%s: its samples are not integers of 16 bits", path);
    if (info->frames < 1 || info->frames > AUDIO_MAX_SAMPLES)
        return assay_fail(err, ASSAY_EFAIL, "%s: has no samples, or does not say how many", path);
    return ASSAY_OK;
}

static int open_file(const char *path, uint32_t rate, SNDFILE **file, uint64_t *samples,
                     struct assay_err *err)
{
    SF_INFO info = {0};
    int rc = check_head(path, err);

    if (!rc)
        rc = load_once(err);
    if (rc)
        return rc;
    *file = snd.open(path, SFM_READ, &info);
    if (!*file)
        return assay_fail(err, ASSAY_EFAIL, "%s: cannot be read as WAV or FLAC: %.100s", path,
                          snd.strerror(NULL));
    if ((rc = check_format(path, &info, rate, err))) {
        snd.close(*file);
        return rc;
    }
    *samples = (uint64_t)info.frames;
    return ASSAY_OK;
}

int audio_length(const char *path, uint32_t rate, uint64_t *samples, struct assay_err *err)
{
    SNDFILE *file;
    int rc = open_file(path, rate, &file, samples, err);

    if (!rc)
        snd.close(file);
    return rc;
}

int audio_read(const char *path, uint32_t rate, uint64_t samples, int16_t *out,
               struct assay_err *err)
{
    uint64_t says;
    SNDFILE *file;
    sf_count_t got;
    int rc = open_file(path, rate, &file, &says, err);

    if (rc)
        return rc;
    got = says == samples ? snd.readf_short(file, out, (sf_count_t)samples) : 0;
    if (says != samples)
        rc = assay_fail(err, ASSAY_EFAIL, "%s: has %llu samples, and the data set's list says %llu",
                        path, (unsigned long long)says, (unsigned long long)samples);
    else if (got != (sf_count_t)samples)
        rc = assay_fail(err, ASSAY_EFAIL,
                        "%s: is cut off or damaged: %lld of %llu samples can be read", path,
                        (long long)(got < 0 ? 0 : got), (unsigned long long)samples);
    else if (snd.error(file)) /* near the end a lost frame is silence, and all samples are there */
        rc = assay_fail(err, ASSAY_EFAIL, "%s: is damaged: %.100s", path, snd.strerror(file));
    snd.close(file);
    return rc;
}
