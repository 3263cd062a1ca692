/* The readers of LibriSpeech's two forms and of recordings: what they take, and one line for what
 * they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "data/audio.h"
#include "data/speech.h"

#define ENTRY(name, seconds, words)                                                                \
    "{\"files\": [{\"fname\": \"" name                                                             \
    "\", \"num_samples\": 1000}], \"original_duration\": " seconds ", \"transcript\": \"" words    \
    "\"}"

static char folder[] = P_tmpdir "/assay-speech-XXXXXX";

static const char *data_folder(void)
{
    const char *own = getenv("ASSAY_TEST_DATA");

    return own && *own ? own : ASSAY_SOURCE "/../shared/data";
}

static void the_list_is_read_in_its_order(void **state)
{
    static const char text[] = "[" ENTRY("b.wav", "15.0", "  It's  HERE ") ", " ENTRY(
        "long.wav", "15.001", "left out") ", " ENTRY("a.wav", "2", "x") "]";
    struct assay_err err = {0};
    struct speech s;

    (void)state;
    if (speech_parse_list(text, strlen(text), "l", &s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s.n, 2);
    assert_string_equal(s.list[0].name, "b.wav");
    assert_string_equal(s.list[0].transcript, "it's here");
    assert_int_equal(s.list[0].samples, 1000);
    assert_string_equal(s.list[1].name, "a.wav");
    speech_release(&s);
}

static void a_bad_list_is_one_line(void **state)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"[{\"files\": [", "l:1:"},
        {"{}", "l: is no list of utterances"},
        {"[1]", "l: entry 0 lacks its recording"},
        {"[" ENTRY("a.wav", "1", "x") ", {\"files\": []}]", "l: entry 1 lacks its recording"},
        {"[" ENTRY("a.wav", "\\\"1\\\"", "x") "]", "l:1:"},
        {"[" ENTRY("../a.wav", "1", "x") "]", "l: entry 0 names a recording outside"},
        {"[" ENTRY("/a.wav", "1", "x") "]", "l: entry 0 names a recording outside"},
        {"[" ENTRY("", "1", "x") "]", "l: entry 0 names a recording outside"},
        {"[" ENTRY("a.wav", "1", "  ") "]", "l: the transcript of 'a.wav' is empty"},
        {"[" ENTRY("a.wav", "1", "a1") "]", "l: the transcript of 'a.wav' has the character \\x31"},
        {"[" ENTRY("a.wav", "1", "caf\\u00e9") "]",
         "l: the transcript of 'a.wav' has the character \\xc3"},
        {"[{\"files\": [{\"fname\": \"a\", \"num_samples\": 0}], \"original_duration\": 1, "
         "\"transcript\": \"x\"}]",
         "l: entry 0 has a num_samples"}};
    struct speech s;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_err err = {0};

        assert_true(speech_parse_list(cases[i].text, strlen(cases[i].text), "l", &s, &err) < 0);
        if (strncmp(err.text, cases[i].wanted, strlen(cases[i].wanted)) != 0)
            fail_msg("%s: said '%s'", cases[i].wanted, err.text);
    }
}

static void a_trans_file_is_read(void **state)
{
    static const char text[] = "1-2-0000 HE SAID\n1-2-0001 IT'S  TRUE\r\n\n1-2-0002 END";
    struct assay_err err = {0};
    struct speech s = {0};

    (void)state;
    if (speech_parse_trans(text, strlen(text), "t", "1/2", &s, &err))
        fail_msg("%s", err.text);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.list[0].name, "1/2/1-2-0000");
    assert_string_equal(s.list[1].transcript, "it's true");
    assert_string_equal(s.list[2].transcript, "end");
    speech_release(&s);
}

static void a_bad_trans_file_is_one_line(void **state)
{
    static const struct {
        const char *text, *wanted;
        size_t len;
    } cases[] = {{"a HI\nb\n", "t: the transcript of 'f/b' is empty", 7},
                 {" HI\n", "t:1: does not begin", 4},
                 {"a HI\n../b HI\n", "t:2: does not begin", 13},
                 {"a\tHI\n", "t:1: does not begin", 5},
                 {"a H\0I\n", "t: the transcript of 'f/a' has the character \\x01", 6}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct assay_err err = {0};
        struct speech s = {0};

        assert_true(speech_parse_trans(cases[i].text, cases[i].len, "t", "f", &s, &err) < 0);
        if (strncmp(err.text, cases[i].wanted, strlen(cases[i].wanted)) != 0)
            fail_msg("%s: said '%s'", cases[i].wanted, err.text);
        speech_release(&s);
    }
}

/* ---- recordings ---- */

static void put(unsigned char *at, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

/* A WAV file of 500 samples 0, 1, 2 … of which `cut` bytes are missing at the end. */
static char *write_wav(uint32_t rate, unsigned channels, unsigned bits, size_t cut)
{
    static unsigned char file[44 + 1000 * 4];
    uint32_t data = 500 * channels * bits / 8;
    char *path = file_join(folder, "a.wav");

    memcpy(file, "RIFF____WAVEfmt ", 16);
    put(file + 4, 36 + data, 4);
    put(file + 16, 16, 4);
    put(file + 20, 1, 2);
    put(file + 22, channels, 2);
    put(file + 24, rate, 4);
    put(file + 28, rate * channels * bits / 8, 4);
    put(file + 32, channels * bits / 8, 2);
    put(file + 34, bits, 2);
    memcpy(file + 36, "data", 4);
    put(file + 40, data, 4);
    for (uint32_t i = 0; i < data / 2; i++)
        put(file + 44 + 2 * i, i, 2);
    assert_non_null(path);
    assert_int_equal(file_write_whole(path, file, 44 + data - cut, NULL), 0);
    return path;
}

static void a_wav_file_is_read(void **state)
{
    int16_t samples[500];
    uint64_t n = 0;
    char *path = write_wav(16000, 1, 16, 0);

    (void)state;
    assert_int_equal(audio_length(path, 16000, &n, NULL), 0);
    assert_int_equal(n, 500);
    assert_int_equal(audio_read(path, 16000, n, samples, NULL), 0);
    for (int i = 0; i < 500; i++)
        assert_int_equal(samples[i], i);
    free(path);
}

static void a_bad_recording_is_one_line(void **state)
{
    static const struct {
        uint32_t rate;
        unsigned channels, bits;
        size_t cut;
        uint64_t wanted_samples;
        const char *wanted;
    } cases[] = {{8000, 1, 16, 0, 500, "has 8000 samples a second; wanted: 16000"},
                 {16000, 2, 16, 0, 500, "has 2 channels; wanted: one"},
                 {16000, 1, 8, 0, 500, "its samples are not integers of 16 bits"},
                 {16000, 1, 16, 2, 500, "is cut off: it has 1042 of 1044 bytes"},
                 {16000, 1, 16, 300, 500, "is cut off: it has 744 of 1044 bytes"},
                 {16000, 1, 16, 1030, 500, "is cut off: it has 14 of 1044 bytes"},
                 {16000, 1, 16, 1040, 500, "is neither WAV nor FLAC"},
                 {16000, 1, 16, 0, 501, "has 500 samples, and the data set's list says 501"}};
    int16_t samples[501];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *path = write_wav(cases[i].rate, cases[i].channels, cases[i].bits, cases[i].cut);
        struct assay_err err = {0};

        assert_true(audio_read(path, 16000, cases[i].wanted_samples, samples, &err) < 0);
        if (!strstr(err.text, cases[i].wanted) || strncmp(err.text, path, strlen(path)) != 0)
            fail_msg("%s: said '%s'", cases[i].wanted, err.text);
        free(path);
    }
}

static void other_forms_are_not_read(void **state)
{
    char *path = file_join(folder, "b.wav");
    struct assay_err err = {0};
    uint64_t n;

    (void)state;
    assert_int_equal(file_write_whole(path, "OggS0123456789", 14, NULL), 0);
    assert_true(audio_length(path, 16000, &n, &err) < 0);
    assert_non_null(strstr(err.text, "b.wav: is neither WAV nor FLAC"));
    assert_int_equal(file_write_whole(path, "fLaC0123456789", 14, NULL), 0);
    assert_true(audio_length(path, 16000, &n, &err) < 0);
    assert_non_null(strstr(err.text, "b.wav: cannot be read as WAV or FLAC"));
    unlink(path);
    assert_true(audio_length(path, 16000, &n, &err) < 0);
    assert_non_null(strstr(err.text, "b.wav: is missing"));
    free(path);
}

static void real_flac_and_wav_are_the_same(void **state)
{
    char *path = text_format("%s/speech-mini/2412/153948/2412-153948-0000.flac", data_folder());
    char *cut = file_join(folder, "cut.flac"), *bytes;
    int16_t *flac = malloc(186560 * sizeof(*flac)), *wav = malloc(186560 * sizeof(*wav));
    struct assay_err err = {0};
    size_t len;

    (void)state;
    if (!path || !file_exists(path))
        skip();
    assert_true(flac && wav && cut);
    if (audio_read(path, 16000, 186560, flac, &err))
        fail_msg("%s", err.text);
    assert_int_equal(file_read(path, 1u << 20, &bytes, &len, NULL), 0);
    memcpy(path + strlen(path) - 4, "wav", 4);
    assert_int_equal(audio_read(path, 16000, 186560, wav, NULL), 0);
    assert_memory_equal(flac, wav, 186560 * sizeof(*flac));
    assert_int_equal(file_write_whole(cut, bytes, len / 2, NULL), 0);
    assert_true(audio_read(cut, 16000, 186560, flac, &err) < 0);
    assert_non_null(strstr(err.text, "cut.flac: is cut off or damaged"));
    /* Near the end a frame that is lost becomes silence, and the number of samples is right. */
    for (int bit = 0; bit < 8; bit++) {
        bytes[199869] ^= (char)(1 << bit);
        assert_int_equal(file_write_whole(cut, bytes, len, NULL), 0);
        assert_true(audio_read(cut, 16000, 186560, flac, &err) < 0 ||
                    !memcmp(flac, wav, 186560 * sizeof(*flac)));
        bytes[199869] ^= (char)(1 << bit);
    }
    free(bytes);
    free(path);
    free(cut);
    free(flac);
    free(wav);
}

/* The reference's list, whose conversions are not there. */
static void the_list_beside_the_originals(const char *speaker)
{
    static const char text[] =
        "[{\"files\": [{\"fname\": \"dev-clean-wav/2412/153948/2412-153948-0000.wav\"}], "
        "\"original_duration\": 11.66, \"transcript\": \"a\"}]";
    char *list = file_join(folder, SPEECH_LIST), *link = file_join(folder, "2412");
    struct assay_err err = {0};
    struct speech s;

    assert_int_equal(file_write_whole(list, text, sizeof(text) - 1, NULL), 0);
    assert_int_equal(symlink(speaker, link), 0);
    if (speech_open(folder, 1, NULL, &s, &err))
        fail_msg("%s", err.text);
    assert_string_equal(s.list[0].name, "2412/153948/2412-153948-0000.flac");
    assert_int_equal(s.list[0].samples, 186560);
    speech_release(&s);
    unlink(list);
    unlink(link);
    free(list);
    free(link);
}

static void both_forms_of_the_test_data(void **state)
{
    char *mini = text_format("%s/speech-mini", data_folder()), *own;
    struct assay_err err = {0};
    struct speech list, walked;

    (void)state;
    if (!mini || !file_exists(mini))
        skip();
    if (speech_open(mini, 2, NULL, &list, &err))
        fail_msg("%s", err.text);
    assert_int_equal(list.n, 6);
    assert_string_equal(list.list[5].name, "2412/153948/2412-153948-0000.wav");
    /* The folder below has no list: the other form, FLAC before WAV. */
    own = file_join(mini, "2412");
    if (speech_open(own, 2, NULL, &walked, &err))
        fail_msg("%s", err.text);
    assert_int_equal(walked.n, 1);
    assert_string_equal(walked.list[0].name, "153948/2412-153948-0000.flac");
    assert_int_equal(walked.list[0].samples, 186560);
    assert_string_equal(walked.list[0].transcript, list.list[5].transcript);
    assert_true(list.listed && !walked.listed);
    speech_release(&list);
    speech_release(&walked);
    the_list_beside_the_originals(own);
    free(own);
    free(mini);
}

static void a_folder_without_speech(void **state)
{
    struct assay_err err = {0};
    struct speech s;

    (void)state;
    assert_true(speech_open(folder, 1, NULL, &s, &err) < 0);
    assert_non_null(strstr(err.text, "has no utterances"));
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return file_remove_tree(folder, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_read_in_its_order),
        cmocka_unit_test(a_bad_list_is_one_line),
        cmocka_unit_test(a_trans_file_is_read),
        cmocka_unit_test(a_bad_trans_file_is_one_line),
        cmocka_unit_test(a_wav_file_is_read),
        cmocka_unit_test(a_bad_recording_is_one_line),
        cmocka_unit_test(other_forms_are_not_read),
        cmocka_unit_test(real_flac_and_wav_are_the_same),
        cmocka_unit_test(both_forms_of_the_test_data),
        cmocka_unit_test(a_folder_without_speech),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
