/* The sample cache: made once and whole, noticed when it is not, and named by what went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "data/bench_host.h"
#include "data/cache.h"

#define COUNT  100
#define KEY    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define FILES  "t-0123456789abcdef"
#define NOBODY 65534

static char dir[64];
static atomic_uint filled[COUNT]; /* how often each sample was made */
static volatile int stop;
static int64_t stop_at, fail_at; /* the sample that sets stop, or cannot be made; -1: none */

static const struct assay_tensor_spec inputs[] = {
    {.name = "image", .dtype = ASSAY_F32, .rank = 2, .dims = {3, 7}},
    {.name = "id", .dtype = ASSAY_I64, .rank = 0}};

static int setup(void **state)
{
    int i;

    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/assay-cache-XXXXXX");
    assert_non_null(mkdtemp(dir));
    for (i = 0; i < COUNT; i++)
        atomic_store(&filled[i], 0);
    stop = 0;
    stop_at = fail_at = -1;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return file_remove_tree(dir, NULL);
}

static int fill(void *ctx, uint32_t worker, uint64_t index, void *const *memory,
                struct assay_err *err)
{
    float *image = memory[0];
    int64_t id = (int64_t)index;
    int i;

    (void)ctx;
    (void)worker;
    atomic_fetch_add(&filled[index], 1);
    if (id == fail_at)
        return assay_fail(err, ASSAY_EFAIL, "photo %d: is damaged", (int)id);
    if (id == stop_at)
        __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    while (stop_at >= 0 && id > stop_at && !__atomic_load_n(&stop, __ATOMIC_RELAXED))
        usleep(100); /* the sample that stops is a slow one */
    for (i = 0; i < 21; i++)
        image[i] = (float)(100 * index) + (float)i;
    memcpy(memory[1], &id, sizeof(id));
    return ASSAY_OK;
}

static struct cache_spec spec_of(void)
{
    return (struct cache_spec){.dir = dir,
                               .name = "t",
                               .key = KEY,
                               .count = COUNT,
                               .input_count = 2,
                               .inputs = inputs,
                               .threads = 2,
                               .fill = fill,
                               .stop = &stop};
}

static struct cache *open_good(void)
{
    struct cache_spec spec = spec_of();
    struct cache *c = NULL;
    struct assay_err err;

    if (cache_open(&spec, &c, &err))
        fail_msg("%s", err.text);
    return c;
}

static void open_bad(int code, const char *why)
{
    struct cache_spec spec = spec_of();
    struct cache *c = NULL;
    struct assay_err err = {0};

    assert_int_equal(cache_open(&spec, &c, &err), code);
    if (!strstr(err.text, why))
        fail_msg("'%s' does not say '%s'", err.text, why);
    assert_null(c);
}

static char *sample_path(const char *end)
{
    return text_format("%s/samples/" FILES "%s", dir, end);
}

static bool there(const char *end)
{
    char *path = sample_path(end);
    bool yes = file_exists(path);

    free(path);
    return yes;
}

static void assert_made(unsigned times)
{
    int i;

    for (i = 0; i < COUNT; i++)
        assert_int_equal(atomic_load(&filled[i]), times);
}

static void assert_content(const struct cache *c)
{
    struct assay_tensor image, id;
    struct assay_err err;
    uint64_t i;
    int64_t v;

    for (i = 0; i < COUNT; i++) {
        assert_int_equal(cache_load(c, &i, 1, &err), 0);
        assert_int_equal(cache_input(c, i, 0, &image, &err), 0);
        assert_int_equal(cache_input(c, i, 1, &id, &err), 0);
        assert_true(image.dtype == ASSAY_F32 && image.rank == 2 && image.dims[0] == 3 &&
                    image.dims[1] == 7 && image.bytes == 84);
        assert_true(id.dtype == ASSAY_I64 && id.rank == 0 && id.bytes == 8);
        assert_int_equal((uintptr_t)image.data % 64 + (uintptr_t)id.data % 64, 0);
        memcpy(&v, id.data, sizeof(v));
        assert_int_equal(v, i);
        assert_true(((float *)image.data)[20] == (float)(100 * i) + 20);
        cache_unload(c, &i, 1);
        assert_true(((float *)image.data)[0] == (float)(100 * i)); /* still to be had */
    }
}

static void made_once(void **state)
{
    struct cache *a = open_good(), *b;

    (void)state;
    assert_content(a);
    assert_made(1);
    assert_true(there(".samples") && !there(".part"));
    b = open_good();
    assert_content(b);
    assert_made(1);
    cache_close(a);
    cache_close(b);
    cache_close(NULL);
}

static void wrong_numbers(void **state)
{
    struct cache *c = open_good();
    struct assay_tensor view;
    struct assay_err err;
    uint64_t index = COUNT;

    (void)state;
    assert_int_equal(cache_input(c, COUNT, 0, &view, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "has no input 0 of sample 100"));
    assert_int_equal(cache_input(c, 0, 2, &view, &err), ASSAY_EFAIL);
    assert_int_equal(cache_load(c, &index, 1, &err), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "has no sample 100"));
    cache_unload(c, &index, 1);
    cache_close(c);
}

/* A file cut off, grown or with another header is no cache: it is made again. */
static void damaged_files_are_remade(void **state)
{
    static const struct {
        long size, at; /* cut to size (0: one byte longer); or one byte changed at */
    } damage[] = {{1, -1}, {4096, -1}, {20000, -1}, {0, -1},  {-1, 0},
                  {-1, 8}, {-1, 16},   {-1, 40},    {-1, 100}};
    char *path = sample_path(".samples");
    struct cache *c = open_good();
    size_t i;
    uint8_t byte;
    int fd;

    (void)state;
    for (i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
        cache_close(c);
        fd = open(path, O_RDWR);
        assert_true(fd >= 0);
        if (damage[i].at >= 0) {
            assert_int_equal(pread(fd, &byte, 1, damage[i].at), 1);
            byte ^= 0x10;
            assert_int_equal(pwrite(fd, &byte, 1, damage[i].at), 1);
        } else {
            off_t size = damage[i].size ? damage[i].size : lseek(fd, 0, SEEK_END) + 1;

            assert_int_equal(ftruncate(fd, size), 0);
        }
        close(fd);
        c = open_good();
        assert_made((unsigned)i + 2);
        assert_content(c);
    }
    cache_close(c);
    free(path);
}

/* One changed bit in a sample, or in its check sum, is seen when the sample is loaded. */
static void damaged_samples_are_noticed(void **state)
{
    static const int from_end[] = {1, 8 * COUNT, 8 * COUNT + 1, 8 * COUNT + 128};
    static const uint64_t sample[] = {99, 0, 99, 99};
    char *path = sample_path(".samples");
    struct assay_err err;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(from_end) / sizeof(from_end[0]); i++) {
        struct cache *c = open_good();
        int fd = open(path, O_RDWR);
        off_t at = lseek(fd, 0, SEEK_END) - from_end[i];
        uint64_t other = 50;
        uint8_t byte;

        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
        assert_int_equal(cache_load(c, &other, 1, &err), 0);
        assert_int_equal(cache_load(c, &sample[i], 1, &err), ASSAY_EFAIL);
        assert_non_null(strstr(err.text, path));
        assert_non_null(strstr(err.text, "is damaged"));
        assert_non_null(strstr(err.text, "run again"));
        assert_false(file_exists(path));
        cache_close(c);
        c = open_good();
        assert_content(c);
        cache_close(c);
    }
    free(path);
}

/* What a builder left that was killed: a part of a file and a lock that nobody holds. */
static void a_dead_builder_is_no_obstacle(void **state)
{
    char *part = sample_path(".part"), *lock = sample_path(".lock"),
         *folder = file_join(dir, "samples");
    struct cache *c;

    (void)state;
    assert_int_equal(file_make_dirs(folder, NULL), 0);
    assert_int_equal(file_write_whole(part, "half", 4, NULL), 0);
    assert_int_equal(truncate(part, 1 << 20), 0); /* larger than the whole */
    assert_int_equal(file_write_whole(lock, "", 0, NULL), 0);
    c = open_good();
    assert_content(c);
    assert_false(file_exists(part));
    cache_close(c);
    free(part);
    free(lock);
    free(folder);
}

static void *open_in_thread(void *out)
{
    struct cache_spec spec = spec_of();

    return cache_open(&spec, out, NULL) ? "failed" : NULL;
}

static void two_at_once_make_it_once(void **state)
{
    enum { THREADS = 4 };
    struct cache *c[THREADS];
    pthread_t thread[THREADS];
    void *why;
    int i;

    (void)state;
    for (i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, open_in_thread, &c[i]), 0);
    for (i = 0; i < THREADS; i++) {
        pthread_join(thread[i], &why);
        assert_null(why);
        assert_content(c[i]);
        cache_close(c[i]);
    }
    assert_made(1);
}

static void a_sample_that_cannot_be_made(void **state)
{
    struct cache *c;

    (void)state;
    fail_at = 60;
    open_bad(ASSAY_EFAIL, "photo 60: is damaged");
    assert_false(there(".samples") || there(".part"));
    fail_at = -1;
    c = open_good();
    assert_content(c);
    cache_close(c);
}

static void stopping(void **state)
{
    char *lock = sample_path(".lock");
    int fd;

    (void)state;
    stop_at = 10;
    open_bad(ASSAY_ESTOP, "interrupted");
    assert_true(atomic_load(&filled[COUNT - 1]) == 0);
    assert_false(there(".samples") || there(".part"));
    /* Also while another process has the lock. */
    fd = open(lock, O_RDWR);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    open_bad(ASSAY_ESTOP, "interrupted");
    close(fd);
    free(lock);
}

/* As somebody who may not write there; root becomes nobody for a moment. */
static void read_only_folders(void **state)
{
    char *folder = file_join(dir, "samples");
    bool root = geteuid() == 0;
    struct cache *c;

    (void)state;
    assert_int_equal(chmod(dir, 0555), 0);
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    open_bad(ASSAY_EFAIL, dir);
    open_bad(ASSAY_EFAIL, "Permission denied");
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(dir, 0755), 0);
    assert_int_equal(mkdir(folder, 0555), 0);
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    open_bad(ASSAY_EFAIL, ".lock: cannot be written: Permission denied");
    if (root)
        assert_int_equal(seteuid(0), 0);
    /* What is whole needs no writing. */
    assert_int_equal(chmod(folder, 0755), 0);
    cache_close(open_good());
    assert_int_equal(chmod(folder, 0555), 0);
    if (root)
        assert_int_equal(seteuid(NOBODY), 0);
    c = open_good();
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_content(c);
    cache_close(c);
    assert_int_equal(chmod(folder, 0755), 0);
    free(folder);
}

/* ---- the key, which the benchmark makes ---- */

static void copy_golden(const char *name, const char *to)
{
    char *from = file_join(ASSAY_SOURCE "/tests/golden/resnet50", name), *path = file_join(dir, to),
         *data;
    struct assay_err err;
    size_t len;

    assert_int_equal(file_read(from, 1 << 20, &data, &len, &err), 0);
    assert_int_equal(file_write_whole(path, data, len, &err), 0);
    free(data);
    free(from);
    free(path);
}

static void write_list(const char *text)
{
    char *path = file_join(dir, "val_map.txt");

    assert_int_equal(file_write_whole(path, text, strlen(text), NULL), 0);
    free(path);
}

/* Prepares the data set and returns how many cache files there are. */
static int prepare(const char *manifest, uint64_t count, char hash[65])
{
    struct assay_benchmark_config config = {.size = sizeof(config),
                                            .dataset = dir,
                                            .manifest = manifest,
                                            .cache_dir = dir,
                                            .threads = 1,
                                            .count = count};
    struct assay_benchmark_desc desc = {.size = sizeof(desc)};
    const struct assay_benchmark *b = NULL;
    char path[1024], *folder = file_join(dir, "samples");
    struct dirent *e;
    struct assay_err err;
    void *self = NULL;
    DIR *d;
    int n = 0;

    if (bench_load("resnet50", &b, path, &err) || b->open(&config, &self, &err) ||
        b->describe(self, &desc, &err) || b->prepare(self, &err))
        fail_msg("%s", err.text);
    snprintf(hash, 65, "%s", desc.dataset_hash);
    b->close(self);
    d = opendir(folder);
    assert_non_null(d);
    while ((e = readdir(d)))
        n += strstr(e->d_name, ".samples") != NULL;
    closedir(d);
    free(folder);
    return n;
}

static void the_key_is_the_content(void **state)
{
    char first[65], now[65];

    (void)state;
    copy_golden("exif1.jpg", "a.jpg");
    copy_golden("grey.jpg", "b.jpg");
    write_list("a.jpg 1\nb.jpg 2\n");
    assert_int_equal(prepare("{}", 0, first), 1);
    assert_int_equal(prepare("{}", 0, now), 1); /* the same again */
    assert_string_equal(first, now);
    write_list("# a remark\r\na.jpg 1\r\nb.jpg 2\r\n"); /* says the same */
    assert_int_equal(prepare("{}", 0, now), 1);
    assert_string_equal(first, now);
    assert_int_equal(
        prepare("{\"input\": {\"name\": \"x\"}, \"output\": {\"name\": \"y\"}}", 0, now), 1);
    /* The rule: another file, the same data set. */
    assert_int_equal(prepare("{\"input\": {\"method\": \"pytorch\"}}", 0, now), 2);
    assert_int_equal(prepare("{\"input\": {\"mean\": 127}}", 0, now), 3);
    assert_int_equal(prepare("{\"input\": {\"layout\": \"NHWC\"}}", 0, now), 4);
    assert_int_equal(prepare("{\"input\": {\"color\": \"BGR\"}}", 0, now), 5);
    assert_int_equal(prepare("{\"input\": {\"resize\": 257}}", 0, now), 6);
    assert_string_equal(first, now);
    /* The data set: fewer, another label, another order, another image of the same name and size.
     */
    assert_int_equal(prepare("{}", 1, now), 7);
    assert_string_not_equal(first, now);
    write_list("a.jpg 1\nb.jpg 3\n");
    assert_int_equal(prepare("{}", 0, now), 8);
    assert_string_not_equal(first, now);
    write_list("b.jpg 2\na.jpg 1\n");
    assert_int_equal(prepare("{}", 0, now), 9);
    assert_string_not_equal(first, now);
    write_list("a.jpg 1\nb.jpg 2\n");
    copy_golden("exif3.jpg", "a.jpg");
    assert_int_equal(prepare("{}", 0, now), 10);
    assert_string_not_equal(first, now);
    copy_golden("exif1.jpg", "a.jpg");
    assert_int_equal(prepare("{}", 0, now), 10);
    assert_string_equal(first, now);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(made_once),
        EACH(wrong_numbers),
        EACH(damaged_files_are_remade),
        EACH(damaged_samples_are_noticed),
        EACH(a_dead_builder_is_no_obstacle),
        EACH(two_at_once_make_it_once),
        EACH(a_sample_that_cannot_be_made),
        EACH(stopping),
        EACH(read_only_folders),
        EACH(the_key_is_the_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
