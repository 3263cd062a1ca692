/* assay dictionaries: what raw Criteo logs are re-indexed by, made of all 24 days. */
#include "cli/cli.h"

#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "data/criteo_make.h"
#include "flow/get.h"
#include "run/child.h"

struct shown {
    int64_t begun, last; /* ns */
    bool line;           /* at a terminal */
    char file[16];
    uint64_t rows;
};

/* One line that is rewritten, or one for each day. */
static void show(void *ctx, const char *file, uint64_t rows, double part)
{
    struct shown *s = ctx;
    int64_t now = clock_ns();

    if (!s->line && s->rows && strcmp(s->file, file) != 0)
        fprintf(stderr, "%s: %llu rows\n", s->file, (unsigned long long)s->rows);
    snprintf(s->file, sizeof(s->file), "%s", file);
    s->rows = rows;
    if (!s->line || now - s->last < 1000000000)
        return;
    s->last = now;
    fprintf(stderr, "\r\033[K%s: %llu rows; %.1f %%, %.0f min left", file, (unsigned long long)rows,
            100 * part, part > 0 ? (double)(now - s->begun) / 6e10 * (1 - part) / part : 0);
}

static int check_free(const struct criteo_make *m, struct assay_err *err)
{
    double memory = memory_available(), disk = 0;
    struct statvfs fs;

    if ((double)m->memory > memory)
        return assay_fail(err, ASSAY_EFAIL,
                          "the dictionaries take up to %.1f GB of memory while they are made, and "
                          "%.1f GB are available: use a machine with more",
                          (double)m->memory * 1e-9, memory * 1e-9);
    if (file_make_dirs(m->output, err))
        return err->code;
    if (!statvfs(m->output, &fs) &&
        (double)m->disk > (disk = (double)fs.f_bavail * (double)fs.f_frsize))
        return assay_fail(err, ASSAY_EFAIL,
                          "%s: the dictionaries%s take up to %.1f GB, and %.1f GB are free: give "
                          "another --output",
                          m->output, m->unpacks ? " and day_23, unpacked," : "",
                          (double)m->disk * 1e-9, disk * 1e-9);
    return ASSAY_OK;
}

static int report(const struct cli_input *in, const struct criteo_make *m)
{
    json_t *counts = json_array();

    fprintf(stderr, "%s: 26 dictionaries of %llu rows; values:", m->output,
            (unsigned long long)m->rows);
    for (int i = 0; i < CRITEO_CATEGORIES; i++) {
        fprintf(stderr, " %u", m->counts[i]);
        json_array_append_new(counts, json_integer(m->counts[i]));
    }
    fputc('\n', stderr);
    if (cli_wants_json(in))
        return cli_json(json_pack("{s:s, s:I, s:I, s:o}", "folder", m->output, "range",
                                  (json_int_t)m->range, "rows", (json_int_t)m->rows, "counts",
                                  counts),
                        "dictionaries");
    json_decref(counts);
    return EXIT_OK;
}

static int cmd_dictionaries(struct cli_input *in)
{
    struct shown shown = {.begun = clock_ns(), .line = isatty(STDERR_FILENO)};
    struct criteo_make m = {
        .folder = in->args[0], .output = cli_value(in, "output"), .progress = show, .ctx = &shown};
    struct assay_err err;
    int64_t range = CRITEO_RANGE;
    int rc = cli_value_int(in, "range", 1, INT32_MAX, &range);

    if (rc)
        return rc;
    m.range = (uint32_t)range;
    m.output = m.output ? m.output : m.folder;
    m.stop = get_listen(true);
    if (!(rc = criteo_make_open(&m, &err)) && !(rc = check_free(&m, &err)))
        rc = criteo_make(&m, &err);
    get_listen(false);
    if (shown.line && shown.last)
        fprintf(stderr, "\r\033[K");
    rc = rc ? cli_fail(&err) : report(in, &m);
    criteo_make_close(&m);
    return rc;
}

static const struct cli_option options[] = {
    {"output", 'o', "DIR", NULL, NULL, "the folder to write to; default: where the logs are"},
    {"range", 0, "N", NULL, NULL, "the model's input.max_index_range; default: 40000000"},
    {NULL, 0, NULL, NULL, NULL, NULL}};

static const char *const settings[] = {"json", NULL};

const struct cli_command cli_cmd_dictionaries = {
    .name = "dictionaries",
    .summary = "make DLRM's dictionaries of Criteo's raw click logs",
    .arguments = "DIR",
    .options = options,
    .settings = settings,
    .help =
        "Reads day_0 to day_23 of a folder once, each as .gz, or else plain, and writes what the "
        "raw "
        "form of DLRM's data set wants beside day_23: day_fea_dict_0.npz to day_fea_dict_25.npz, "
        "each category's values in order of first appearance, as the official pre-processing "
        "makes them, and day_fea_count.npz, how many there are. Where --output has no day_23, it "
        "is unpacked there too, or linked. It takes up to 4.3 GB of memory. Nothing is there "
        "after an error or Ctrl-C.\n"
        "\n"
        "    assay dictionaries criteo --output criteo-raw\n"
        "    assay run dlrm --model dlrm-onnx --dataset criteo-raw --mode accuracy",
    .run = cmd_dictionaries};
