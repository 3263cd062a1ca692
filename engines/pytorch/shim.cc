// The PyTorch engine's C++ half: TorchScript modules (graph.cc), shared by the
// lanes: one, or one for each graph of a model that is a folder.
//
// Everything that libtorch throws becomes an error of one line here; no exception leaves this file.
//
// A batch's inputs are views of the host's memory, its outputs are libtorch's own memory, held
// until done has returned.  On CUDA each lane has a stream; the host packs in pinned memory, and
// copies to and fro run on that stream.
#include "graph.h"

#include "assay/cuda.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <unordered_map>

#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/cuda.h>
#include <torch/version.h>

static_assert(TORCH_VERSION_MAJOR > TORCH_MAJOR ||
                  (TORCH_VERSION_MAJOR == TORCH_MAJOR && TORCH_VERSION_MINOR >= TORCH_MINOR),
              "libtorch 2.11 or newer is needed");

namespace
{

using namespace assay_torch;

struct model {
    place where;
    std::deque<graph> graphs;
    std::vector<assay_graph_desc> descs;
    std::string device_name;
    bool tf32 = false;                               // what fp32 is
    std::vector<std::optional<c10::Stream>> streams; // of the lanes; CUDA only
    std::mutex mutex;                                // over pinned
    std::unordered_map<void *, at::DataPtr> pinned;
};

// Runs f, which may throw, and says what it threw behind the prefix.
template <class F> int guarded(assay_err *err, const std::string &prefix, F f)
{
    try {
        f();
        return ASSAY_OK;
    } catch (const std::exception &e) {
        return assay_fail(err, ASSAY_EFAIL, "%.200s: %.280s", prefix.c_str(),
                          first_line(e).c_str());
    } catch (...) {
        return assay_fail(err, ASSAY_EFAIL, "%.200s: an exception without words", prefix.c_str());
    }
}

// ---- opening ----

int set_device(model &m, const assay_engine_config *c, bool tf32, assay_err *err)
{
    int number =
        std::strncmp(c->device, "cuda:", 5) == 0 ? (int)std::strtol(c->device + 5, nullptr, 10) : 0;

    m.device_name = c->device;
    if (std::strcmp(c->device, "cpu") == 0) {
        if (c->precision && std::strcmp(c->precision, "fp16") == 0)
            return assay_fail(err, ASSAY_EUNSUPPORTED,
                              "precision fp16 is for CUDA; on the CPU there are fp32 and bf16");
        return ASSAY_OK;
    }
    if (std::strcmp(c->device, "cuda") != 0 && std::strncmp(c->device, "cuda:", 5) != 0)
        return assay_fail(err, ASSAY_EUNSUPPORTED, "device '%s': has cpu and cuda:N", c->device);
    if (!torch::cuda::is_available())
        return assay_fail(err, ASSAY_EUNSUPPORTED,
                          "device %s: libtorch_cuda and a driver are there, but it finds no NVIDIA "
                          "GPU (what it printed above may say why)",
                          c->device);
    if (number >= torch::cuda::device_count())
        return assay_fail(err, ASSAY_EUNSUPPORTED, "device %s: there are %d, from cuda:0 on",
                          c->device, (int)torch::cuda::device_count());
    m.where.device = at::Device(at::kCUDA, (c10::DeviceIndex)number);
    // libtorch's own defaults: convolutions in TF32, products not.
    at::globalContext().setAllowTF32CuDNN(tf32);
    at::globalContext().setAllowTF32CuBLAS(tf32);
    m.tf32 = tf32 && assay_cuda_tf32(c->device);
    return ASSAY_OK;
}

// One thread runs independent branches after each other: lanes are what runs at once.  libtorch
// takes the number once in a process.
void no_interop()
{
    static std::once_flag once;

    std::call_once(once, [] {
        try {
            at::set_num_interop_threads(1);
        } catch (const std::exception &) {
        }
    });
}

std::string describe_file(const char *path)
{
    FILE *f = std::fopen(path, "rb");
    long bytes = -1;

    if (f && std::fseek(f, 0, SEEK_END) == 0)
        bytes = std::ftell(f);
    if (f)
        std::fclose(f);
    return "model " + std::string(path) + " (" + std::to_string(bytes) + " bytes)";
}

int load_graph(model &m, const torch_ask *ask, uint32_t i, assay_err *err)
{
    const assay_engine_config own = assay_graphs_config(ask->config, ask->files, i);

    return guarded(err, describe_file(own.model_path), [&] {
        m.graphs.push_back({m.where});
        graph_open(m.graphs.back(), *ask, own, ask->files->name[i]);
        m.descs.push_back(m.graphs.back().desc);
    });
}

int load(model &m, const torch_ask *ask, assay_err *err)
{
    int rc = set_device(m, ask->config, ask->tf32, err);

    m.where.channels_last = ask->channels_last;
    m.where.threads = (int)ask->config->threads;
    m.streams.resize(ask->config->lanes);
    no_interop();
    for (uint32_t i = 0; i < ask->files->count && !rc; i++)
        rc = load_graph(m, ask, i, err);
    return rc;
}

// ---- hooks ----

int shim_open(const torch_ask *ask, void **self, assay_err *err)
{
    model *m = nullptr;
    int rc = guarded(err, "opening", [&] { m = new model; });

    if (rc)
        return rc;
    int loaded = ASSAY_EFAIL;
    rc = guarded(err, "opening", [&] { loaded = load(*m, ask, err); });
    if (!rc)
        rc = loaded;
    if (rc)
        delete m;
    else
        *self = m;
    return rc;
}

int shim_describe(void *self, assay_model_desc *desc, assay_err *)
{
    const auto *m = static_cast<const model *>(self);

    desc->graph_count = (uint32_t)m->descs.size();
    desc->graphs = m->descs.data();
    desc->max_batch = 0;
    desc->precision = nullptr;
    for (const graph &g : m->graphs)
        assay_graphs_join(desc, g.max_batch, g.precision);
    if (m->tf32 && std::strcmp(desc->precision, "fp32") == 0)
        desc->precision = "tf32";
    desc->device = m->device_name.c_str();
    return ASSAY_OK;
}

int shim_lane_open(void *self, uint32_t lane, assay_err *err)
{
    auto *m = static_cast<model *>(self);

    return guarded(err, "a stream for the lane", [&] {
        const at::Device &device = m->where.device;

        if (!device.is_cpu())
            m->streams.at(lane) =
                c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
    });
}

void view_output(const at::Tensor &from, assay_tensor *t)
{
    TORCH_CHECK(from.dim() <= ASSAY_MAX_RANK, "an output has ", from.dim(), " dimensions");
    t->dtype = dtype_of(from.scalar_type());
    t->rank = (uint32_t)from.dim();
    for (int64_t d = 0; d < from.dim(); d++)
        t->dims[d] = from.size(d);
    t->data = from.data_ptr();
    t->bytes = from.nbytes();
}

// libtorch would take images of another size where the layers allow it.
void check_input(const assay_tensor &t, const assay_tensor_spec &spec)
{
    bool same = t.dtype == spec.dtype && t.rank == spec.rank;

    for (uint32_t d = 0; d < t.rank && same; d++)
        same = spec.dims[d] < 0 || spec.dims[d] == t.dims[d];
    TORCH_CHECK(same, "input '", spec.name, "' comes as ", assay_dtype_name(t.dtype), " ",
                at::IntArrayRef(t.dims, t.rank), ", the model takes ", assay_dtype_name(spec.dtype),
                " ", at::IntArrayRef(spec.dims, spec.rank));
}

at::Tensor view_input(const assay_tensor &t, const assay_tensor_spec &spec)
{
    check_input(t, spec);
    return at::from_blob(t.data, at::IntArrayRef(t.dims, t.rank),
                         at::TensorOptions(scalar_of(t.dtype)));
}

int shim_submit(void *self, assay_batch *b, assay_err *err)
{
    auto *m = static_cast<model *>(self);
    std::vector<at::Tensor> out; // lives until done has returned
    int rc = guarded(err, "inference", [&] {
        graph &g = m->graphs[b->graph]; // the host has checked the number
        std::vector<c10::IValue> in;

        TORCH_CHECK(b->input_count == g.desc.input_count && b->output_count == g.desc.output_count,
                    "a batch of ", b->input_count, " inputs and ", b->output_count,
                    " outputs, the model has ", g.desc.input_count, " and ", g.desc.output_count);
        for (uint32_t i = 0; i < b->input_count; i++)
            in.emplace_back(view_input(b->inputs[i], g.desc.inputs[i]));
        out = graph_run(g, std::move(in), m->streams.at(b->lane));
        TORCH_CHECK(out.size() == b->output_count, "forward() gave ", out.size(),
                    " tensors, and at first ", b->output_count);
        for (uint32_t o = 0; o < b->output_count; o++)
            view_output(out[o], &b->outputs[o]);
    });

    if (!rc)
        b->done(b, ASSAY_OK, nullptr);
    return rc;
}

void *shim_alloc(void *self, size_t bytes)
{
    auto *m = static_cast<model *>(self);
    void *memory = nullptr;

    if (m->where.device.is_cpu())
        return posix_memalign(&memory, 64, bytes ? bytes : 1) ? nullptr : memory;
    guarded(nullptr, "", [&] {
        at::DataPtr held = at::globalContext().getPinnedMemoryAllocator(at::kCUDA)->allocate(bytes);
        std::lock_guard<std::mutex> lock(m->mutex);

        memory = held.get();
        m->pinned.emplace(memory, std::move(held));
    });
    return memory;
}

void shim_release(void *self, void *memory)
{
    auto *m = static_cast<model *>(self);

    if (m->where.device.is_cpu()) {
        std::free(memory);
        return;
    }
    guarded(nullptr, "", [&] {
        std::lock_guard<std::mutex> lock(m->mutex);

        m->pinned.erase(memory);
    });
}

void shim_close(void *self)
{
    guarded(nullptr, "", [&] { delete static_cast<model *>(self); });
}

const torch_shim table = {TORCH_VERSION_MAJOR, TORCH_VERSION_MINOR, shim_open,
                          shim_describe,       shim_lane_open,      shim_submit,
                          shim_alloc,          shim_release,        shim_close};

} // namespace

extern "C" ASSAY_EXPORT const torch_shim *assay_torch_shim(void);
extern "C" ASSAY_EXPORT const torch_shim *assay_torch_shim(void)
{
    return &table;
}
