/* Fetching from a server that behaves, and misbehaves: tests/python/loopback_server.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "flow/fetch.h"
#include "server.h"

#define BYTES 300000

static char folder[64], cert[96], key[96], here[96], path[128];
static char sha[HASH_HEX], other_sha[HASH_HEX];
static const char md5_of_word[] = "5d41402abc4b2a76b9719d911017c592"; /* of "hello" */
static struct test_server plain, secure;
static bool have_server;
static struct assay_err err;

static void put(const char *name, const void *data, size_t n)
{
    char *p = file_join(folder, name);

    assert_int_equal(file_write_whole(p, data, n, &err), 0);
    free(p);
}

/* A certificate for 127.0.0.1 that nobody but itself has signed. */
static void make_certificate(void)
{
    EVP_PKEY *pair = EVP_RSA_gen(2048);
    X509 *x = X509_new();
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "IP:127.0.0.1");
    FILE *f;

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, pair);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)"assay test", -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    X509_add_ext(x, ext, -1);
    X509_sign(x, pair, EVP_sha256());
    f = fopen(cert, "w");
    assert_true(f && PEM_write_X509(f, x) && !fclose(f));
    f = fopen(key, "w");
    assert_true(f && PEM_write_PrivateKey(f, pair, NULL, NULL, 0, NULL, NULL) && !fclose(f));
    X509_EXTENSION_free(ext);
    X509_free(x);
    EVP_PKEY_free(pair);
}

static int setup_servers(void **state)
{
    char *data = malloc(BYTES);

    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/assay-fetch-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    snprintf(here, sizeof(here), "%s/here", folder);
    snprintf(path, sizeof(path), "%s/file", here);
    for (int i = 0; i < BYTES; i++)
        data[i] = (char)(i * 7 + i / 251);
    put("data", data, BYTES);
    hash_bytes(data, BYTES, sha);
    data[BYTES - 1] ^= 1;
    hash_bytes(data, BYTES, other_sha);
    put("word", "hello", 5);
    make_certificate();
    free(data);
    have_server =
        server_start(&plain, folder, NULL, NULL) && server_start(&secure, folder, cert, key);
    return 0;
}

static int teardown_servers(void **state)
{
    (void)state;
    server_stop(&plain);
    server_stop(&secure);
    umount2(here, MNT_DETACH); /* of a test that failed */
    return file_remove_tree(folder, NULL);
}

static int setup(void **state)
{
    char *log = file_join(folder, "requests.log");

    (void)state;
    if (!have_server)
        skip();
    unlink(log);
    free(log);
    unsetenv("SSL_CERT_FILE");
    file_remove_tree(here, NULL);
    return mkdir(here, 0755);
}

static char *requests(void)
{
    char *log = file_join(folder, "requests.log"), *text = NULL;
    size_t len;

    if (file_read(log, 1 << 20, &text, &len, NULL))
        text = calloc(1, 1);
    free(log);
    return text;
}

static int count_requests(void)
{
    char *text = requests();
    int n = 0;

    for (char *p = text; (p = strchr(p, '\n')); p++)
        n++;
    free(text);
    return n;
}

static const char *url(const char *what)
{
    static _Thread_local char urls[4][400];
    static _Thread_local int next;
    char *out = urls[next++ % 4];

    snprintf(out, 400, "http://127.0.0.1:%d/%s", plain.port, what);
    return out;
}

static struct fetch_ask asking(int64_t bytes, const char *sha256)
{
    return (struct fetch_ask){.bytes = bytes, .sha256 = sha256, .stall_s = 30};
}

static int fetch(const struct fetch_ask *like, const char *first, const char *second,
                 struct fetch_result *out)
{
    const char *urls[] = {first, second, NULL};
    struct fetch_ask ask = *like;

    ask.urls = urls;
    return fetch_file(&ask, path, out, &err);
}

static void must_fail(const struct fetch_ask *ask, const char *first, const char *second,
                      const char *word)
{
    struct fetch_result out;
    int rc = fetch(ask, first, second, &out);

    if (rc != ASSAY_EFAIL)
        fail_msg("%s gave %d", first, rc);
    if (!strstr(err.text, word))
        fail_msg("'%s' does not say '%s'", err.text, word);
    assert_false(file_exists(path));
}

static void must_come(const struct fetch_ask *ask, const char *first, const char *second)
{
    struct fetch_result out;
    char hex[HASH_HEX], beside[140];

    if (fetch(ask, first, second, &out))
        fail_msg("%s", err.text);
    assert_int_equal(hash_file(path, hex, &err), 0);
    assert_string_equal(hex, sha);
    assert_string_equal(out.sha256, sha);
    assert_int_equal(out.bytes, BYTES);
    assert_int_equal(out.first_seen, !ask->sha256);
    snprintf(beside, sizeof(beside), "%s.part", path);
    assert_false(file_exists(beside));
    snprintf(beside, sizeof(beside), "%s.part.json", path);
    assert_false(file_exists(beside));
}

/* What an earlier call left: the first n bytes, or others. */
static void leave_part(size_t n, bool right)
{
    char *from = file_join(folder, "data"), to[140], *data;
    size_t len;

    assert_int_equal(file_read(from, BYTES, &data, &len, &err), 0);
    if (!right)
        data[n / 2] ^= 1;
    snprintf(to, sizeof(to), "%s.part", path);
    assert_int_equal(file_write_whole(to, data, n, &err), 0);
    free(data);
    free(from);
}

/* ---- what is good ---- */

static void test_ways_to_come(void **state)
{
    static const char *const ways[] = {"good/data", "plain/data", "chunked/data", "away/data",
                                       "endless/data"};
    struct fetch_ask ask = asking(BYTES, sha), unknown = asking(-1, sha), bare = asking(-1, NULL);

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        must_come(&ask, url(ways[i]), NULL);
        unlink(path);
        must_come(&unknown, url(ways[i]), NULL);
        unlink(path);
        if (i < 4)
            must_come(&bare, url(ways[i]), NULL);
        unlink(path);
    }
    must_fail(&bare, url("endless/data"), NULL, "neither size nor end");
}

/* A login, or an error that says 200, in the place of a file of which nothing is known. */
static void test_page(void **state)
{
    struct fetch_ask ask = asking(-1, sha), bare = asking(-1, NULL);

    (void)state;
    must_fail(&bare, url("page/data"), NULL, "answers with a web page");
    must_come(&bare, url("page/data"), url("good/data"));
    unlink(path);
    must_come(&ask, url("page/data"), NULL);
}

static void test_there_already(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);

    (void)state;
    must_come(&ask, url("good/data"), NULL);
    must_come(&ask, url("good/data"), NULL);
    assert_int_equal(count_requests(), 1);
    assert_int_equal(file_write_whole(path, "other", 5, &err), 0);
    must_come(&ask, url("good/data"), NULL);
    assert_int_equal(count_requests(), 2);
}

static void test_md5(void **state)
{
    struct fetch_ask ask = {.bytes = 5, .md5 = md5_of_word};
    struct fetch_result out;
    char upper[33];

    (void)state;
    assert_int_equal(fetch(&ask, url("good/word"), NULL, &out), 0);
    assert_true(out.first_seen);
    unlink(path);
    for (int i = 0; i < 33; i++)
        upper[i] = (char)(md5_of_word[i] >= 'a' ? md5_of_word[i] - 32 : md5_of_word[i]);
    ask.md5 = upper;
    assert_int_equal(fetch(&ask, url("good/word"), NULL, &out), 0);
    unlink(path);
    ask.md5 = "00000000000000000000000000000000";
    must_fail(&ask, url("good/word"), NULL, "MD5 5d41402abc4b2a76b9719d911017c592 instead of 0000");
}

static void test_file_urls(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    char where[200];

    (void)state;
    snprintf(where, sizeof(where), "file://%s/d%%61ta", folder);
    must_come(&ask, where, NULL);
    unlink(path);
    snprintf(where, sizeof(where), "file://localhost%s/data", folder);
    must_come(&ask, where, NULL);
    unlink(path);
    snprintf(where, sizeof(where), "file:%s/nothing", folder);
    must_fail(&ask, where, NULL, "No such file");
    must_fail(&ask, "file:///", NULL, "is not a file");
    ask.bytes = 7;
    snprintf(where, sizeof(where), "file:%s/data", folder);
    must_fail(&ask, where, NULL, "has 300000 bytes instead of 7");
    must_fail(&ask, "file://elsewhere/data", NULL, "another machine");
}

static void test_check(void **state)
{
    struct fetch_result out;
    char *data = file_join(folder, "data");

    (void)state;
    assert_int_equal(fetch_check(data, BYTES, sha, NULL, NULL, &out, &err), 0);
    assert_int_equal(fetch_check(data, 3, sha, NULL, NULL, &out, &err), ASSAY_EFAIL);
    assert_int_equal(fetch_check(data, -1, other_sha, NULL, NULL, &out, &err), ASSAY_EFAIL);
    assert_int_equal(fetch_check(folder, -1, sha, NULL, NULL, &out, &err), ASSAY_EFAIL);
    free(data);
}

/* ---- resuming ---- */

static void test_cut_off_again_and_again(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    char *text;

    (void)state;
    ask.retries = 3; /* 300000 -> 150000 -> 75000, which is not cut */
    must_come(&ask, url("cut/data"), NULL);
    text = requests();
    assert_non_null(strstr(text, "bytes=150000- \""));
    assert_non_null(strstr(text, "bytes=225000- \""));
    free(text);
}

static void test_resumes_the_part_of_an_earlier_call(void **state)
{
    struct fetch_ask once = asking(BYTES, NULL), ask = asking(BYTES, sha);
    struct fetch_result out;
    char *text;

    (void)state;
    assert_int_equal(fetch(&once, url("cut/data"), NULL, &out), ASSAY_EFAIL);
    assert_non_null(strstr(err.text, "ends too early"));
    must_come(&once, url("cut/data?x"), url("good/data")); /* other URLs, no digest: from nothing */
    text = requests();
    assert_null(strstr(text, "bytes="));
    free(text);
    unlink(path);
    leave_part(100000, true);
    must_come(&ask, url("good/data"), NULL); /* with a digest: whoever gives the rest */
    text = requests();
    assert_non_null(strstr(text, "/good/data bytes=100000- -"));
    free(text);
}

static void test_same_url_without_digest_resumes_by_etag(void **state)
{
    struct fetch_ask once = asking(BYTES, NULL);
    struct fetch_result out;
    char *text;

    (void)state;
    assert_int_equal(fetch(&once, url("cut/data"), NULL, &out), ASSAY_EFAIL);
    assert_int_equal(fetch(&once, url("cut/data"), NULL, &out), ASSAY_EFAIL);
    text = requests();
    assert_non_null(strstr(text, "bytes=150000- \""));
    free(text);
    once.retries = 3;
    must_come(&once, url("cut/data"), NULL);
}

static void test_file_changed_meanwhile(void **state)
{
    struct fetch_ask once = asking(-1, NULL);
    struct fetch_result out;
    char *text = malloc(BYTES), hex[HASH_HEX];

    (void)state;
    memset(text, 'a', BYTES);
    put("changing", text, BYTES);
    assert_int_equal(fetch(&once, url("cut/changing"), NULL, &out), ASSAY_EFAIL);
    memset(text, 'b', BYTES);
    put("changing", text, BYTES);
    hash_bytes(text, BYTES, hex);
    once.retries = 3;
    if (fetch(&once, url("cut/changing"), NULL, &out))
        fail_msg("%s", err.text);
    assert_string_equal(out.sha256, hex); /* nothing of the first half of a's */
    free(text);
}

static void test_wrong_part_is_thrown_away(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);

    (void)state;
    leave_part(100000, false);
    must_come(&ask, url("good/data"), NULL);
    assert_int_equal(count_requests(), 2);
    unlink(path);
    leave_part(BYTES, false); /* as long as it should be */
    must_come(&ask, url("good/data"), NULL);
    unlink(path);
    leave_part(BYTES, true);
    must_come(&ask, url("missing/data"), NULL); /* all there: nobody is asked */
    unlink(path);
    ask.bytes = -1;
    leave_part(BYTES, true);
    must_come(&ask, url("good/data"), NULL); /* all there, as the server says */
    unlink(path);
    ask.bytes = BYTES;
    leave_part(100000, true);
    must_come(&ask, url("plain/data"), NULL); /* knows no ranges */
    unlink(path);
    leave_part(100000, true);
    must_come(&ask, url("wrong206/data"), url("good/data"));
    unlink(path);
    must_come(&ask, url("only206/data"), url("good/data"));
    unlink(path);
    leave_part(100000, true);
    must_come(&ask, url("only206/data"), url("good/data"));
}

/* What is here already may be large, and is read first. */
static void test_interrupted_while_the_part_is_read(void **state)
{
    const volatile int stop = 1;
    struct fetch_ask ask = asking(BYTES, sha);
    struct fetch_result out;

    (void)state;
    ask.stop = &stop;
    leave_part(BYTES, true);
    assert_int_equal(fetch(&ask, url("missing/data"), NULL, &out), ASSAY_ESTOP);
    ask.stop = NULL;
    must_come(&ask, url("missing/data"), NULL); /* it is still there */
}

/* ---- what is not good ---- */

static void test_wrong_hash(void **state)
{
    struct fetch_ask ask = asking(BYTES, other_sha);

    (void)state;
    must_fail(&ask, url("good/data"), NULL, "gives another file: SHA-256");
    assert_non_null(strstr(err.text, sha));
    assert_non_null(strstr(err.text, other_sha));
    assert_int_equal(count_requests(), 1);
    leave_part(100000, true);
    must_fail(&ask, url("good/data"), NULL, "gives another file: SHA-256");
    assert_int_equal(count_requests(), 3); /* with the part, then once without */
}

static void test_wrong_size(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha), unknown = asking(-1, sha);

    (void)state;
    must_fail(&ask, url("shorter/data"), NULL, "has 150000 bytes instead of 300000");
    must_fail(&unknown, url("shorter/data"), NULL, "gives another file");
    must_fail(&ask, url("longer/data"), NULL, "more than the 300000 bytes");
    ask.bytes = BYTES + 1;
    ask.retries = 1;
    must_fail(&ask, url("chunked/data"), NULL, "300000");
    must_fail(&ask, url("cut/data"), NULL, "has 300000 bytes instead of 300001");
}

static void test_statuses(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);

    (void)state;
    ask.retries = 1;
    must_fail(&ask, url("missing/data"), NULL, "answers 404 (not there)");
    must_fail(&ask, url("refused/data"), NULL, "answers 403 (not allowed)");
    assert_int_equal(count_requests(), 2);
    must_fail(&ask, url("broken/data"), NULL, "answers 500");
    assert_int_equal(count_requests(), 4);
    must_fail(&ask, url("later/data"), NULL, "come back in 3600 s");
    assert_int_equal(count_requests(), 5); /* nobody waits for that */
    ask.retries = 2;
    must_come(&ask, url("busy/data"), NULL);
}

static void test_mirrors_in_order(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    struct fetch_result out;
    char *text;

    (void)state;
    assert_int_equal(fetch(&ask, url("missing/data"), url("good/data"), &out), 0);
    assert_string_equal(out.url, url("good/data"));
    unlink(path);
    assert_int_equal(fetch(&ask, url("shorter/data"), url("good/data?token=abc&x=1"), &out), 0);
    assert_non_null(strstr(out.url, "/good/data?token=***&x=1"));
    text = requests();
    assert_non_null(strstr(text, "token=abc"));
    free(text);
    unlink(path);
    assert_int_equal(fetch(&ask, url("good/data"), url("missing/data"), &out), 0);
    unlink(path);
    must_fail(&ask, url("missing/data"), url("refused/data"), "403");
    assert_non_null(strstr(err.text, "404"));
}

static void test_redirects(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    char where[300];

    (void)state;
    ask.retries = 3;
    must_fail(&ask, url("loop/data"), NULL, "redirects more than 10 times");
    assert_int_equal(count_requests(), 11);
    must_fail(&ask, url("to/data?file:///etc/passwd"), NULL, "not followed");
    setenv("SSL_CERT_FILE", cert, 1);
    snprintf(where, sizeof(where), "https://127.0.0.1:%d/to/data?%s", secure.port,
             url("good/data"));
    must_fail(&ask, where, NULL, "from https only https");
    snprintf(where, sizeof(where), "to/data?https://127.0.0.1:%d/good/data", secure.port);
    must_come(&ask, url(where), NULL);
}

static void test_certificate(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    char where[100];

    (void)state;
    ask.retries = 3;
    snprintf(where, sizeof(where), "https://127.0.0.1:%d/good/data", secure.port);
    must_fail(&ask, where, NULL, "certificate is not trusted");
    setenv("SSL_CERT_FILE", cert, 1);
    must_come(&ask, where, NULL);
    unlink(path);
    snprintf(where, sizeof(where), "https://localhost:%d/good/data", secure.port);
    must_fail(&ask, where, NULL, "certificate is not trusted"); /* it is 127.0.0.1's */
}

static void test_stalls(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    int64_t began = clock_ns();

    (void)state;
    ask.stall_s = 1;
    must_fail(&ask, url("stall/data"), NULL, "stalls: less than 1 KiB in 1 s");
    must_fail(&ask, url("silent/data"), NULL, "stalls");
    must_fail(&ask, url("drip/data"), NULL, "stalls");
    assert_true(clock_ns() - began < 60000000000);
    ask.stall_s = 5; /* a busy machine may need a while to begin */
    must_come(&ask, url("stall/data"), url("good/data"));
}

static void test_nobody_there(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);

    (void)state;
    must_fail(&ask, "http://127.0.0.1:1/x", NULL, "http://127.0.0.1:1/x");
}

static void test_what_cannot_be_asked(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    struct fetch_result out;

    (void)state;
    assert_int_equal(fetch(&ask, "ftp://u:secret@x/y", NULL, &out), ASSAY_EUSAGE);
    assert_null(strstr(err.text, "secret"));
    assert_int_equal(fetch(&ask, NULL, NULL, &out), ASSAY_EUSAGE);
    ask.sha256 = "abc";
    assert_int_equal(fetch(&ask, url("good/data"), NULL, &out), ASSAY_EUSAGE);
}

/* A stop from the progress of the transfer itself. */
static volatile int stop;
static int64_t told, told_total;

static void on_progress(void *ctx, int64_t done, int64_t total)
{
    told = done;
    told_total = total;
    stop = ctx && done > 0;
}

static void test_progress_and_stop(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    struct fetch_result out;
    char part[140];

    (void)state;
    stop = 0;
    ask.stop = &stop;
    ask.progress = on_progress;
    must_come(&ask, url("good/data"), NULL);
    assert_int_equal(told, BYTES);
    assert_int_equal(told_total, BYTES);
    unlink(path);
    leave_part(1000, true);
    ask.ctx = &told; /* stop after the first bytes */
    assert_int_equal(fetch(&ask, url("stall/data"), NULL, &out), ASSAY_ESTOP);
    snprintf(part, sizeof(part), "%s.part", path);
    assert_true(file_size(part) >= 1000);
    stop = 0;
    ask.ctx = NULL;
    must_come(&ask, url("good/data"), NULL);
}

static void test_secrets(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    char where[200], shown[200];

    (void)state;
    snprintf(where, sizeof(where), "http://me:hush@127.0.0.1:%d/missing/data?X-Sig=hush&a=b",
             plain.port);
    must_fail(&ask, where, NULL, "404");
    assert_null(strstr(err.text, "hush"));
    fetch_url_public("https://a@b:c@host/p@q?x=1&api_key=2#f", shown, sizeof(shown));
    assert_string_equal(shown, "https://host/p@q?x=1&api_key=***#f");
    fetch_url_public("file:/a/b", shown, sizeof(shown));
    assert_string_equal(shown, "file:/a/b");
}

static void test_full_disk(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha), unknown = asking(-1, sha);

    (void)state;
    if (mount("none", here, "tmpfs", 0, "size=128k") < 0)
        skip();
    ask.retries = unknown.retries = 3;
    must_fail(&ask, url("good/data"), url("plain/data"), "the disk is too full");
    must_fail(&unknown, url("chunked/data"), url("plain/data"), "the disk is full");
    assert_int_equal(umount2(here, MNT_DETACH), 0);
    assert_int_equal(count_requests(), 2); /* no second source could help */
}

/* Four processes ask for one path: one of them fetches it. */
static void test_several_processes(void **state)
{
    struct fetch_ask ask = asking(BYTES, sha);
    struct fetch_result out;
    pid_t pids[4];
    int status;

    (void)state;
    for (int i = 0; i < 4; i++)
        if (!(pids[i] = fork()))
            _exit(fetch(&ask, url("good/data"), NULL, &out) ? 1 : 0);
    for (int i = 0; i < 4; i++) {
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    must_come(&ask, url("missing/data"), NULL);
    assert_int_equal(count_requests(), 1);
}

static void *in_thread(void *ctx)
{
    const char *urls[] = {url("good/data"), NULL};
    struct fetch_ask ask = {.urls = urls, .bytes = BYTES, .sha256 = sha, .stall_s = 30};
    struct fetch_result out;
    struct assay_err why;
    char to[140];

    snprintf(to, sizeof(to), "%s/thread-%d", here, *(int *)ctx);
    return fetch_file(&ask, to, &out, &why) ? ctx : NULL;
}

static void test_several_threads(void **state)
{
    pthread_t threads[4];
    int numbers[4];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, in_thread, &numbers[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(count_requests(), 4);
}

static void test_empty_file(void **state)
{
    struct fetch_ask ask = asking(-1, NULL);
    struct fetch_result out;

    (void)state;
    put("empty", "", 0);
    assert_int_equal(fetch(&ask, url("good/empty"), NULL, &out), 0);
    assert_int_equal(out.bytes, 0);
    assert_int_equal(file_size(path), 0);
    unlink(path);
    ask.bytes = 1;
    must_fail(&ask, url("good/empty"), NULL, "has 0 bytes instead of 1");
}

#define CASE(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_several_processes),
                                       CASE(test_several_threads),
                                       CASE(test_empty_file),
                                       CASE(test_ways_to_come),
                                       CASE(test_there_already),
                                       CASE(test_page),
                                       CASE(test_md5),
                                       CASE(test_file_urls),
                                       CASE(test_check),
                                       CASE(test_cut_off_again_and_again),
                                       CASE(test_resumes_the_part_of_an_earlier_call),
                                       CASE(test_same_url_without_digest_resumes_by_etag),
                                       CASE(test_file_changed_meanwhile),
                                       CASE(test_wrong_part_is_thrown_away),
                                       CASE(test_interrupted_while_the_part_is_read),
                                       CASE(test_wrong_hash),
                                       CASE(test_wrong_size),
                                       CASE(test_statuses),
                                       CASE(test_mirrors_in_order),
                                       CASE(test_redirects),
                                       CASE(test_certificate),
                                       CASE(test_stalls),
                                       CASE(test_nobody_there),
                                       CASE(test_what_cannot_be_asked),
                                       CASE(test_progress_and_stop),
                                       CASE(test_secrets),
                                       CASE(test_full_disk)};

    return cmocka_run_group_tests(tests, setup_servers, teardown_servers);
}
