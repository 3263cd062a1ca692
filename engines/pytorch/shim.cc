// The PyTorch engine's C++ half: a TorchScript module, shared by the lanes.
//
// Everything that libtorch throws becomes an error of one line here; no exception leaves this file.
//
// A batch's inputs are views of the host's memory, its outputs are libtorch's own memory, held
// until done has returned.  On CUDA each lane has a stream; the host packs in pinned memory, and
// copies to and fro run on that stream.
//
// TorchScript files name no shapes.  Ours have them in extra/assay.txt (src/net/torchscript.c); of
// others, inputs are what the benchmark has.  Outputs are seen by running the module once or twice.
#include "shim.h"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/cuda.h>
#include <torch/version.h>

static_assert(TORCH_VERSION_MAJOR > TORCH_MAJOR ||
                  (TORCH_VERSION_MAJOR == TORCH_MAJOR && TORCH_VERSION_MINOR >= TORCH_MINOR),
              "libtorch 2.11 or newer is needed");

namespace
{

constexpr int64_t FREE_DIM = 32; // stands for a free dimension behind the batch, to see the outputs
constexpr uint32_t MAX_TENSORS = 64;

struct named_spec {
    std::string name;
    assay_tensor_spec spec;
};

struct model {
    torch::jit::Module module;
    at::Device device = at::kCPU;
    at::ScalarType compute = at::kFloat; // of the weights; floating inputs are converted to it
    bool channels_last = false;
    int threads = 1;
    std::vector<named_spec> inputs, outputs;
    std::vector<assay_tensor_spec> specs; // inputs, then outputs, as described
    assay_graph_desc graph = {};
    uint32_t max_batch = 0;
    std::string precision, device_name;
    std::vector<std::optional<c10::Stream>> streams; // of the lanes; CUDA only
    std::mutex mutex;                                // over pinned
    std::unordered_map<void *, at::DataPtr> pinned;
};

struct type_row {
    int dtype;
    at::ScalarType scalar;
};
constexpr type_row types[] = {{ASSAY_F32, at::kFloat},     {ASSAY_F16, at::kHalf},
                              {ASSAY_BF16, at::kBFloat16}, {ASSAY_F64, at::kDouble},
                              {ASSAY_I8, at::kChar},       {ASSAY_U8, at::kByte},
                              {ASSAY_I16, at::kShort},     {ASSAY_I32, at::kInt},
                              {ASSAY_I64, at::kLong},      {ASSAY_BOOL, at::kBool}};

int dtype_of(at::ScalarType scalar)
{
    for (const auto &row : types)
        if (row.scalar == scalar)
            return row.dtype;
    return ASSAY_NONE;
}

at::ScalarType scalar_of(int dtype)
{
    for (const auto &row : types)
        if (row.dtype == dtype)
            return row.scalar;
    TORCH_CHECK(false, "tensors of type ", assay_dtype_name(dtype), " are not supported");
}

// ---- errors ----

// The first line that says it: behind "RuntimeError: " where TorchScript's traceback comes first.
std::string first_line(const std::exception &e)
{
    const auto *c10 = dynamic_cast<const c10::Error *>(&e);
    std::string text = c10 ? c10->what_without_backtrace() : e.what();
    size_t at = text.rfind("Error: ");

    text.erase(0, at == std::string::npos ? text.find_first_not_of(" \r\n") : at + 7);
    return text.substr(0, text.find_first_of("\r\n"));
}

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

// ---- running ----

// libtorch keeps the number of threads of an operator for each calling thread: so every lane has
// threads of its own, as many as it was given.
void use_threads(const model &m)
{
    static thread_local int set = 0;

    if (set != m.threads) {
        at::set_num_threads(m.threads);
        set = m.threads;
    }
}

at::Tensor to_device(const model &m, at::Tensor t)
{
    bool convert = at::isFloatingType(t.scalar_type()) && t.scalar_type() != m.compute;

    if (!m.device.is_cpu() || convert)
        t = t.to(t.options().device(m.device).dtype(convert ? m.compute : t.scalar_type()), true);
    if (m.channels_last && t.dim() == 4)
        t = t.contiguous(at::MemoryFormat::ChannelsLast);
    return t;
}

// Contiguous and on the CPU, in a type that is described.  From CUDA: a copy is under way only.
at::Tensor from_device(const model &m, at::Tensor t)
{
    if (t.is_mkldnn())
        t = t.to_dense();
    if (at::isFloatingType(t.scalar_type()) && m.compute != at::kFloat &&
        t.scalar_type() == m.compute)
        t = t.to(at::kFloat);
    t = t.contiguous();
    if (t.is_cpu())
        return t;
    at::Tensor host = at::empty(t.sizes(), t.options().device(at::kCPU).pinned_memory(true));
    return host.copy_(t, true);
}

void flatten(const c10::IValue &value, std::vector<at::Tensor> &out)
{
    if (value.isTensor())
        out.push_back(value.toTensor());
    else if (value.isTuple())
        for (const auto &v : value.toTupleRef().elements())
            flatten(v, out);
    else if (value.isTensorList())
        for (const at::Tensor &t : value.toTensorList())
            out.push_back(t);
    else if (value.isList())
        for (const c10::IValue &v : value.toListRef())
            flatten(v, out);
    else if (value.isGenericDict())
        for (const auto &entry : value.toGenericDict())
            flatten(entry.value(), out);
    else
        TORCH_CHECK(value.isNone(), "forward() gives a ", value.tagKind(),
                    ", which is no tensor and no tuple, list or dictionary of tensors");
}

// inputs are replaced on the way.
std::vector<at::Tensor> run(model &m, std::vector<c10::IValue> inputs,
                            const std::optional<c10::Stream> &stream)
{
    c10::InferenceMode inference;
    c10::OptionalStreamGuard guard;
    std::vector<at::Tensor> out;

    use_threads(m);
    if (stream)
        guard.reset_stream(*stream);
    for (auto &v : inputs)
        v = to_device(m, v.toTensor());
    flatten(m.module.forward(std::move(inputs)), out);
    for (auto &t : out)
        t = from_device(m, t);
    if (stream)
        stream->synchronize();
    return out;
}

// ---- inputs and outputs ----

// "input float32 N,3,224,224 NAME", where a letter is a free dimension: see src/net/torchscript.c.
// Other lines are for others.
void read_facts(model &m, const std::string &text)
{
    std::istringstream lines(text);
    std::string line, what, type, dims, dim;

    while (std::getline(lines, line)) {
        std::istringstream words(line);
        named_spec s = {};

        if (!(words >> what >> type >> dims) || (what != "input" && what != "output"))
            continue;
        std::getline(words >> std::ws, s.name);
        for (const auto &row : types)
            if (type == assay_dtype_name(row.dtype))
                s.spec.dtype = row.dtype;
        std::istringstream numbers(dims);
        while (std::getline(numbers, dim, ',') && s.spec.rank < ASSAY_MAX_RANK)
            s.spec.dims[s.spec.rank++] =
                std::isalpha((unsigned char)dim[0]) ? -1 : std::strtoll(dim.c_str(), nullptr, 10);
        TORCH_CHECK(s.spec.dtype && s.spec.rank && !s.name.empty(), "extra/assay.txt: '", line,
                    "' is not understood");
        (what == "input" ? m.inputs : m.outputs).push_back(s);
    }
}

// What the benchmark has, with the batch in front.
void read_wants(model &m, const assay_engine_config *c)
{
    for (uint32_t i = 0; i < c->want_input_count; i++) {
        const assay_tensor_spec &want = c->want_inputs[i];
        named_spec s = {want.name ? want.name : "input" + std::to_string(i), want};

        TORCH_CHECK(want.rank < ASSAY_MAX_RANK, "input '", s.name, "' has too many dimensions");
        s.spec.rank = want.rank + 1;
        s.spec.dims[0] = -1;
        std::memcpy(s.spec.dims + 1, want.dims, want.rank * sizeof(want.dims[0]));
        m.inputs.push_back(s);
    }
}

std::vector<at::Tensor> dry_run(model &m, int64_t batch)
{
    std::vector<c10::IValue> in;

    for (const auto &i : m.inputs) {
        std::vector<int64_t> dims(i.spec.dims, i.spec.dims + i.spec.rank);

        for (size_t d = 0; d < dims.size(); d++)
            if (dims[d] < 0)
                dims[d] = d ? FREE_DIM : batch;
        in.emplace_back(at::zeros(dims, scalar_of(i.spec.dtype)));
    }
    return run(m, std::move(in),
               m.device.is_cpu()
                   ? std::nullopt
                   : std::optional<c10::Stream>(
                         c10::impl::VirtualGuardImpl(m.device.type()).getDefaultStream(m.device)));
}

// The first output that the benchmark wants, looks like this one and has no name yet: TorchScript
// has none.
std::string wanted_name(const assay_engine_config *c, const assay_tensor_spec &s,
                        const std::vector<named_spec> &taken)
{
    for (uint32_t o = 0; o < c->want_output_count; o++) {
        const assay_tensor_spec &want = c->want_outputs[o];
        bool same = want.name && want.dtype == s.dtype && want.rank + 1 == s.rank;

        for (uint32_t d = 0; d < want.rank && same; d++)
            same = want.dims[d] < 0 || want.dims[d] == s.dims[d + 1];
        for (const auto &t : taken)
            same = same && t.name != want.name;
        if (same)
            return want.name;
    }
    return "output" + std::to_string(taken.size());
}

// Two batches tell which dimension of an output is the batch.
void see_outputs(model &m, const assay_engine_config *c)
{
    std::vector<at::Tensor> one = dry_run(m, 1), two;

    if (c->max_batch > 1) {
        try {
            two = dry_run(m, 2);
        } catch (const std::exception &) {
            m.max_batch = 1; // a module that was traced with a batch of one
        }
    }
    TORCH_CHECK(!one.empty() && one.size() <= MAX_TENSORS, "forward() gives ", one.size(),
                " tensors");
    for (size_t o = 0; o < one.size(); o++) {
        named_spec s = {};

        s.spec.dtype = dtype_of(one[o].scalar_type());
        s.spec.rank = (uint32_t)one[o].dim();
        TORCH_CHECK(s.spec.dtype && s.spec.rank <= ASSAY_MAX_RANK, "output ", o, " is a tensor of ",
                    one[o].scalar_type(), " with ", one[o].dim(),
                    " dimensions, which is not supported");
        for (uint32_t d = 0; d < s.spec.rank; d++) {
            bool varies = two.size() == one.size() && two[o].dim() == one[o].dim()
                              ? two[o].size(d) != one[o].size(d)
                              : d == 0 && one[o].size(0) == 1;

            s.spec.dims[d] = varies ? -1 : one[o].size(d);
        }
        s.name = wanted_name(c, s.spec, m.outputs);
        m.outputs.push_back(s);
    }
}

// A file that says what it gives must give that.
void check_outputs(model &m)
{
    std::vector<at::Tensor> one = dry_run(m, 1);

    TORCH_CHECK(one.size() == m.outputs.size(), "extra/assay.txt describes ", m.outputs.size(),
                " outputs, forward() gives ", one.size());
    for (size_t o = 0; o < one.size(); o++) {
        const assay_tensor_spec &s = m.outputs[o].spec;
        bool same = dtype_of(one[o].scalar_type()) == s.dtype && one[o].dim() == (int64_t)s.rank;

        for (uint32_t d = 0; d < s.rank && same; d++)
            same = s.dims[d] < 0 || s.dims[d] == one[o].size(d);
        TORCH_CHECK(same, "extra/assay.txt describes output '", m.outputs[o].name,
                    "' otherwise than forward() gives it: ", one[o].scalar_type(), " ",
                    one[o].sizes());
    }
}

void find_tensors(model &m, const std::string &facts, const assay_engine_config *c)
{
    size_t takes = m.module.get_method("forward").function().getSchema().arguments().size() - 1;

    read_facts(m, facts);
    if (m.inputs.empty())
        read_wants(m, c);
    TORCH_CHECK(!m.inputs.empty(), "TorchScript names no shapes, and nothing else says what this "
                                   "file takes; run it with its benchmark's manifest");
    TORCH_CHECK(m.inputs.size() <= MAX_TENSORS, "it takes ", m.inputs.size(), " inputs, ",
                MAX_TENSORS, " are supported");
    TORCH_CHECK(takes >= m.inputs.size(), "forward() takes ", takes, " inputs, the benchmark has ",
                m.inputs.size());
    if (m.outputs.empty())
        see_outputs(m, c);
    else
        check_outputs(m);
    for (const auto *list : {&m.inputs, &m.outputs})
        for (const auto &s : *list) {
            m.specs.push_back(s.spec);
            m.specs.back().name = s.name.c_str();
        }
    m.graph = {"main", (uint32_t)m.inputs.size(), (uint32_t)m.outputs.size(), m.specs.data(),
               m.specs.data() + m.inputs.size()};
}

// ---- opening ----

// Every tensor of the module and of the modules in it.
template <class F> void for_tensors(const torch::jit::Module &module, F f)
{
    for (const c10::IValue &v : module.attributes())
        if (v.isTensor() && v.toTensor().defined())
            f(v.toTensor());
}

void set_precision(model &m, const char *asked)
{
    std::optional<at::ScalarType> own;
    std::string want = asked ? asked : "fp32";
    at::ScalarType to = want == "bf16" ? at::kBFloat16 : want == "fp16" ? at::kHalf : at::kFloat;

    for_tensors(m.module, [&](at::Tensor t) {
        if (!own && at::isFloatingType(t.scalar_type()))
            own = t.scalar_type();
    });
    TORCH_CHECK(own || to == at::kFloat, "precision ", want,
                ": the file's weights are frozen; save it before it is frozen");
    m.compute = own.value_or(at::kFloat);
    if (to != at::kFloat) { // fp32 stands for the model's own
        m.compute = to;
        for_tensors(m.module, [&](at::Tensor t) {
            if (at::isFloatingType(t.scalar_type()))
                t.set_data(t.to(to));
        });
    }
    m.precision = m.compute == at::kBFloat16 ? "bf16"
                  : m.compute == at::kHalf   ? "fp16"
                  : m.compute == at::kDouble ? "fp64"
                                             : "fp32";
}

void prepare(model &m, const torch_ask *ask)
{
    m.module.eval();
    set_precision(m, ask->config->precision);
    m.channels_last = ask->channels_last;
    if (m.channels_last)
        for_tensors(m.module, [](at::Tensor t) {
            if (t.dim() == 4)
                t.set_data(t.contiguous(at::MemoryFormat::ChannelsLast));
        });
    if (ask->freeze)
        m.module = torch::jit::freeze(m.module);
    if (ask->optimise)
        m.module = torch::jit::optimize_for_inference(m.module);
}

int set_device(model &m, const assay_engine_config *c, assay_err *err)
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
                          "device %s: libtorch_cuda is there, but finds no NVIDIA GPU or no driver "
                          "for one",
                          c->device);
    if (number >= torch::cuda::device_count())
        return assay_fail(err, ASSAY_EUNSUPPORTED, "device %s: there are %d, from cuda:0 on",
                          c->device, (int)torch::cuda::device_count());
    m.device = at::Device(at::kCUDA, (c10::DeviceIndex)number);
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

// What libtorch says of a broken archive speaks of its own reader alone.
void read_file(model &m, const char *path, torch::jit::ExtraFilesMap &extra)
{
    try {
        m.module = torch::jit::load(path, m.device, extra);
    } catch (const std::exception &e) {
        std::string why = first_line(e);

        TORCH_CHECK(why.find("PytorchStreamReader") == std::string::npos &&
                        why.find("Unknown type") == std::string::npos,
                    "cut off, or no TorchScript file: ", why.substr(0, why.find(". This is")));
        throw;
    }
}

int load(model &m, const torch_ask *ask, assay_err *err)
{
    const assay_engine_config *c = ask->config;
    std::string file = describe_file(c->model_path);
    torch::jit::ExtraFilesMap extra = {{"assay.txt", ""}};
    int rc = set_device(m, c, err);

    m.threads = (int)c->threads;
    m.streams.resize(c->lanes);
    if (!rc)
        rc = guarded(err, file, [&] { read_file(m, c->model_path, extra); });
    if (!rc)
        rc = guarded(err, file, [&] {
            use_threads(m);
            no_interop();
            prepare(m, ask);
            find_tensors(m, extra["assay.txt"], c);
        });
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

    desc->graph_count = 1;
    desc->graphs = &m->graph;
    desc->max_batch = m->max_batch;
    desc->precision = m->precision.c_str();
    desc->device = m->device_name.c_str();
    return ASSAY_OK;
}

int shim_lane_open(void *self, uint32_t lane, assay_err *err)
{
    auto *m = static_cast<model *>(self);

    return guarded(err, "a stream for the lane", [&] {
        if (!m->device.is_cpu())
            m->streams.at(lane) =
                c10::impl::VirtualGuardImpl(m->device.type()).getStreamFromGlobalPool(m->device);
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
        std::vector<c10::IValue> in;

        TORCH_CHECK(
            b->input_count == m->graph.input_count && b->output_count == m->graph.output_count,
            "a batch of ", b->input_count, " inputs and ", b->output_count,
            " outputs, the model has ", m->graph.input_count, " and ", m->graph.output_count);
        for (uint32_t i = 0; i < b->input_count; i++)
            in.emplace_back(view_input(b->inputs[i], m->graph.inputs[i]));
        out = run(*m, std::move(in), m->streams.at(b->lane));
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

    if (m->device.is_cpu())
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

    if (m->device.is_cpu()) {
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
