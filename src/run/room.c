/* Is there room for the model while it is loaded and for the samples, and on the disk for a net
 * that is to be written?
 *
 * Of the model counts what the benchmark says of it (DLRM's tables: up to 100 GB).  Where it says
 * nothing, the file counts, as often as libraries have it in memory at once while they load it; of
 * a file that is not there yet, a net's numbers, or what its recipe downloads.  Numbers that lie
 * beside an ONNX file (external data) are not counted.
 *
 * A card that cannot be told from others, or is a slice of one, is not compared with. */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/tree.h"
#include "net/net.h"
#include "record/nvml.h"
#include "run/child.h"
#include "run/preflight.h"

/* Resident memory at its peak over the file's size, as records of runs of few samples have it
 * (memory.peak_bytes), less what the library itself takes (by a smaller file).  The least that was
 * seen, as nobody can insist on a run that is refused; a format that was not looked at counts once.
 */
static const struct {
    const char *format, *engine; /* engine NULL: any */
    double peak;
} loading[] = {
    {"onnx", NULL, 2.0}, /* DLRM, 0.09 to 0.28 GB, ONNX Runtime and OpenVINO; ResNet50 3 */
    {"tensorflow", "tensorflow", 6.0}, /* BERT-Large, 1.3 GB; ResNet50 and small DLRMs 12 */
    {"torchscript", NULL, 1.0},        /* DLRM, 0.09 to 0.28 GB; ResNet50 1.9 */
};

static double loading_peak(const struct resolved *r)
{
    for (size_t i = 0; r->format && i < sizeof(loading) / sizeof(loading[0]); i++)
        if (!strcmp(loading[i].format, r->format) &&
            (!loading[i].engine || !strcmp(loading[i].engine, r->engine->name)))
            return loading[i].peak;
    return 1;
}

/* ---- sizes ---- */

/* Of a net's file: about as large as its numbers. */
static double net_bytes(const struct resolved *r, const char *name)
{
    double each = r->net_precision && !strcmp(r->net_precision, "fp16") ? 2 : 4, bytes;
    struct net *net = NULL;

    bytes = net_create(name, &net, NULL) ? 0 : each * (double)net_parameters(net, true);

    net_destroy(net);
    return bytes;
}

/* A folder is a model of several files, without folders in it. */
static double path_bytes(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    double all = 0;

    if (!dir)
        return (double)(file_size(path) > 0 ? file_size(path) : 0);
    while ((e = readdir(dir))) {
        char *file = e->d_name[0] == '.' ? NULL : file_join(path, e->d_name);

        if (file && !file_is_dir(file) && file_size(file) > 0)
            all += (double)file_size(file);
        free(file);
    }
    closedir(dir);
    return all;
}

double room_model_bytes(const struct resolved *r)
{
    const char *graph;
    json_t *net;
    double all = 0;

    if (!r->model_path)
        return 0;
    if (!r->write_net)
        return r->model_download > 0 ? r->model_download : path_bytes(r->model_path);
    json_object_foreach((json_t *)r->manifest.nets, graph, net) all +=
        net_bytes(r, json_string_value(net));
    return r->manifest.nets ? all : net_bytes(r, r->manifest.net);
}

/* ---- comparing ---- */

/* Free and in all; false: not known. */
static bool card_memory(const char *device, struct nvml_memory *memory)
{
    struct nvml n;
    bool known;

    if (nvml_open(&n, device, NULL, NULL, NULL))
        return false;
    known = n.memory && !nvml_sliced(&n) && n.memory(n.device, memory) == 0;
    nvml_close(&n);
    return known;
}

static const char *smaller(const struct resolved *r)
{
    return json_object_get(r->manifest.tree, "sizes") ? "a model with smaller tables (--sizes)"
           : r->look.model_bytes > 0                  ? "a model with smaller tables"
                                                      : "a smaller model";
}

static int check_card(const struct resolved *r, double model, struct assay_err *err)
{
    const char *device = r->s.device;
    struct nvml_memory memory;

    if (strncmp(device, "cuda:", 5) != 0 || !card_memory(device, &memory) ||
        model <= (double)memory.free)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_ELACK,
                      "%s: the model takes %.1f GB, and %s has %.1f GB free of %.1f GB: use "
                      "another card, --device cpu, or %s",
                      r->benchmark->name, model * 1e-9, device, (double)memory.free * 1e-9,
                      (double)memory.total * 1e-9, smaller(r));
}

static int check_disk(const struct resolved *r, double file, struct assay_err *err)
{
    double have = file_disk_free(r->cache);

    /* Of a data set that is here they may be there already: the run itself asks. */
    if (r->dataset_images && have >= 0 && r->look.cached_bytes > have)
        return assay_fail(err, ASSAY_ELACK,
                          "%s: the pre-processed samples take %.1f GB on the disk, and %s has %.1f "
                          "GB free: use another --cache, or fewer samples (--count)",
                          r->benchmark->name, r->look.cached_bytes * 1e-9, r->cache, have * 1e-9);
    if (!r->write_net || have < 0 || file <= have)
        return ASSAY_OK;
    return assay_fail(err, ASSAY_ELACK,
                      "%s: the net takes %.1f GB on the disk, and %s has %.1f GB free: use another "
                      "--cache, or %s",
                      r->benchmark->name, file * 1e-9, r->cache, have * 1e-9, smaller(r));
}

int room_check(const struct resolved *r, struct assay_err *err)
{
    const struct resolved_look *l = &r->look;
    uint64_t loaded = (uint64_t)r->s.performance_sample_count;
    double file = room_model_bytes(r), samples, have;
    bool half = r->net_precision && !strcmp(r->net_precision, "fp16");
    double said = r->model_path ? (half ? l->model_bytes / 2 : l->model_bytes) : 0;
    double model = said > 0 ? said : file * loading_peak(r);
    int rc;

    /* An accuracy run has as many at a time; where LoadGen is to be got first, the run itself asks
     * when it is there. */
    if ((!loaded && r->load) || loaded > l->samples)
        loaded = l->samples;
    samples = (double)loaded * l->loaded_bytes;
    if (strncmp(r->s.device, "cuda", 4) == 0) {
        if ((rc = check_card(r, said > 0 ? said : file, err)))
            return rc;
        model = 0; /* the host's part is over when it is on the card */
    }
    if (model + samples <= (have = memory_available()))
        return check_disk(r, file, err);
    return assay_fail(err, ASSAY_ELACK,
                      "%s: the model takes %.1f GB%s and %llu loaded samples %.1f GB, and %.1f GB "
                      "of memory are available: use a machine with more, %s, or fewer samples "
                      "(--count)",
                      r->benchmark->name, model * 1e-9,
                      said > 0 || model <= 0 ? "" : " while it is loaded",
                      (unsigned long long)loaded, samples * 1e-9, have * 1e-9, smaller(r));
}
