// A TorchScript module: read, made ready, described and run; see graph.h.
//
// TorchScript files name no shapes.  Ours have them in extra/assay.txt (src/net/torchscript.c); of
// others, inputs are what the benchmark has.  Outputs are seen by running the module a few times.
#include "graph.h"

#include <cctype>
#include <cstdlib>
#include <cstring>
#include <map>
#include <sstream>

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/inliner.h>

#include "mapped.h"

namespace assay_torch
{

namespace
{

constexpr int64_t FREE_DIM = 32; // stands for a free dimension behind the batch, to see the outputs
constexpr int64_t OTHER_DIM = 48;
constexpr uint32_t MAX_TENSORS = 64;

struct type_row {
    int dtype;
    at::ScalarType scalar;
};
constexpr type_row types[] = {{ASSAY_F32, at::kFloat},     {ASSAY_F16, at::kHalf},
                              {ASSAY_BF16, at::kBFloat16}, {ASSAY_F64, at::kDouble},
                              {ASSAY_I8, at::kChar},       {ASSAY_U8, at::kByte},
                              {ASSAY_I16, at::kShort},     {ASSAY_I32, at::kInt},
                              {ASSAY_I64, at::kLong},      {ASSAY_BOOL, at::kBool}};

} // namespace

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

// The first line that says it: behind "RuntimeError: " where TorchScript's traceback comes first.
std::string first_line(const std::exception &e)
{
    const auto *c10 = dynamic_cast<const c10::Error *>(&e);
    std::string text = c10 ? c10->what_without_backtrace() : e.what();
    size_t at = text.rfind("Error: ");

    text.erase(0, at == std::string::npos ? text.find_first_not_of(" \r\n") : at + 7);
    return text.substr(0, text.find_first_of("\r\n"));
}

namespace
{

// ---- running ----

// libtorch keeps the number of threads of an operator for each calling thread: so every lane has
// threads of its own, as many as it was given.
void use_threads(int threads)
{
    static thread_local int set = 0;

    if (set != threads) {
        at::set_num_threads(threads);
        set = threads;
    }
}

// Converted where it is computed: in one step libtorch would convert on the CPU, and wait.
at::Tensor to_device(const graph &g, at::Tensor t)
{
    if (!g.where.device.is_cpu())
        t = t.to(g.where.device, /*non_blocking=*/true);
    if (at::isFloatingType(t.scalar_type()) && t.scalar_type() != g.compute)
        t = t.to(g.compute);
    if (g.where.channels_last && t.dim() == 4)
        t = t.contiguous(at::MemoryFormat::ChannelsLast);
    return t;
}

// Contiguous and on the CPU, in a type that is described.  From CUDA: a copy is under way only.
at::Tensor from_device(const graph &g, at::Tensor t)
{
    if (t.is_mkldnn())
        t = t.to_dense();
    if (at::isFloatingType(t.scalar_type()) && g.compute != at::kFloat &&
        t.scalar_type() == g.compute)
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

// Waits for the stream also when something is thrown: what was begun still reads the inputs, and
// writes outputs that are gone then.
struct settled {
    const std::optional<c10::Stream> &stream;
    bool waited = false;

    void wait()
    {
        waited = true;
        if (stream)
            stream->synchronize();
    }
    ~settled()
    {
        try {
            if (!waited)
                wait();
        } catch (...) { // what was thrown first says why
        }
    }
};

} // namespace

std::vector<at::Tensor> graph_run(graph &g, std::vector<c10::IValue> inputs,
                                  const std::optional<c10::Stream> &stream)
{
    c10::InferenceMode inference;
    c10::OptionalStreamGuard guard;
    std::vector<at::Tensor> out;
    settled work{stream};

    use_threads(g.where.threads);
    if (stream)
        guard.reset_stream(*stream);
    for (auto &v : inputs) {
        at::Tensor given = v.toTensor(), t = to_device(g, given);

        v = g.writes_input && t.is_alias_of(given) ? t.clone() : t;
    }
    flatten(g.module.forward(std::move(inputs)), out);
    for (auto &t : out)
        t = from_device(g, t);
    work.wait();
    return out;
}

namespace
{

// ---- inputs and outputs ----

// "input float32 N,3,224,224 NAME", where a letter is a free dimension: see src/net/torchscript.c.
// Other lines are for others.
void read_facts(graph &g, const std::string &text)
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
        (what == "input" ? g.inputs : g.outputs).push_back(s);
    }
}

// What the benchmark has, with the batch in front.
void read_wants(graph &g, const assay_engine_config &c)
{
    for (uint32_t i = 0; i < c.want_input_count; i++) {
        const assay_tensor_spec &want = c.want_inputs[i];
        named_spec s = {want.name ? want.name : "input" + std::to_string(i), want};

        TORCH_CHECK(want.rank < ASSAY_MAX_RANK, "input '", s.name, "' has too many dimensions");
        s.spec.rank = want.rank + 1;
        s.spec.dims[0] = -1;
        std::memcpy(s.spec.dims + 1, want.dims, want.rank * sizeof(want.dims[0]));
        g.inputs.push_back(s);
    }
}

// A batch of zeros; free dimensions behind the batch are `length`.
std::vector<at::Tensor> dry_run(graph &g, int64_t batch, int64_t length)
{
    c10::Device device = g.where.device;
    std::vector<c10::IValue> in;

    for (const auto &i : g.inputs) {
        std::vector<int64_t> dims(i.spec.dims, i.spec.dims + i.spec.rank);

        for (size_t d = 0; d < dims.size(); d++)
            if (dims[d] < 0)
                dims[d] = d ? length : batch;
        in.emplace_back(at::zeros(dims, scalar_of(i.spec.dtype)));
    }
    return graph_run(
        g, std::move(in),
        device.is_cpu() ? std::nullopt
                        : std::optional<c10::Stream>(
                              c10::impl::VirtualGuardImpl(device.type()).getDefaultStream(device)));
}

// Nothing, where it fails.
std::vector<at::Tensor> try_run(graph &g, int64_t batch, int64_t length)
{
    try {
        return dry_run(g, batch, length);
    } catch (const std::exception &) {
        return {};
    }
}

// The first output that the benchmark wants, looks like this one and has no name yet: TorchScript
// has none.
std::string wanted_name(const assay_engine_config &c, const assay_tensor_spec &s,
                        const std::vector<named_spec> &taken)
{
    for (uint32_t o = 0; o < c.want_output_count; o++) {
        const assay_tensor_spec &want = c.want_outputs[o];
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

bool has_free_length(const graph &g)
{
    for (const auto &i : g.inputs)
        for (uint32_t d = 1; d < i.spec.rank; d++)
            if (i.spec.dims[d] < 0)
                return true;
    return false;
}

// Output o of another run is of the same kind, and differs in this dimension.
bool differs(const std::vector<at::Tensor> &one, const std::vector<at::Tensor> &other, size_t o,
             uint32_t d)
{
    return other.size() == one.size() && other[o].dim() == one[o].dim() &&
           other[o].size(d) != one[o].size(d);
}

// A batch of two tells which dimension of an output is the batch; longer samples, which ones follow
// the inputs' free dimensions.
void see_outputs(graph &g, const assay_engine_config &c)
{
    std::vector<at::Tensor> one = dry_run(g, 1, FREE_DIM), two, longer;

    if (c.max_batch > 1 && (two = try_run(g, 2, FREE_DIM)).empty())
        g.max_batch = 1; // a module that was traced with a batch of one
    if (has_free_length(g))
        longer = try_run(g, 1, OTHER_DIM);
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
            bool batch = two.size() == one.size() && two[o].dim() == one[o].dim()
                             ? differs(one, two, o, d)
                             : d == 0 && one[o].size(0) == 1;

            s.spec.dims[d] = batch || differs(one, longer, o, d) ? -1 : one[o].size(d);
        }
        s.name = wanted_name(c, s.spec, g.outputs);
        g.outputs.push_back(s);
    }
}

// A file that says what it gives must give that.
void check_outputs(graph &g)
{
    std::vector<at::Tensor> one = dry_run(g, 1, FREE_DIM);

    TORCH_CHECK(one.size() == g.outputs.size(), "extra/assay.txt describes ", g.outputs.size(),
                " outputs, forward() gives ", one.size());
    for (size_t o = 0; o < one.size(); o++) {
        const assay_tensor_spec &s = g.outputs[o].spec;
        bool same = dtype_of(one[o].scalar_type()) == s.dtype && one[o].dim() == (int64_t)s.rank;

        for (uint32_t d = 0; d < s.rank && same; d++)
            same = s.dims[d] < 0 || s.dims[d] == one[o].size(d);
        TORCH_CHECK(same, "extra/assay.txt describes output '", g.outputs[o].name,
                    "' otherwise than forward() gives it: ", one[o].scalar_type(), " ",
                    one[o].sizes());
    }
}

void find_tensors(graph &g, const std::string &facts, const assay_engine_config &c)
{
    size_t takes = g.module.get_method("forward").function().getSchema().arguments().size() - 1;

    read_facts(g, facts);
    if (g.inputs.empty())
        read_wants(g, c);
    TORCH_CHECK(!g.inputs.empty(), "TorchScript names no shapes, and nothing else says what this "
                                   "file takes; run it with its benchmark's manifest");
    TORCH_CHECK(g.inputs.size() <= MAX_TENSORS, "it takes ", g.inputs.size(), " inputs, ",
                MAX_TENSORS, " are supported");
    TORCH_CHECK(takes >= g.inputs.size(), "forward() takes ", takes, " inputs, the benchmark has ",
                g.inputs.size());
    if (g.outputs.empty())
        see_outputs(g, c);
    else
        check_outputs(g);
    for (const auto *list : {&g.inputs, &g.outputs})
        for (const auto &s : *list) {
            g.specs.push_back(s.spec);
            g.specs.back().name = s.name.c_str();
        }
}

// ---- opening ----

// Every tensor of the module and of the modules in it.
template <class F> void for_tensors(const torch::jit::Module &module, F f)
{
    for (const c10::IValue &v : module.attributes())
        if (v.isTensor() && v.toTensor().defined())
            f(v.toTensor());
}

// forward() with everything that it calls.
std::shared_ptr<torch::jit::Graph> whole_graph(const graph &g)
{
    std::shared_ptr<torch::jit::Graph> whole = g.module.get_method("forward").graph()->copy();

    torch::jit::Inline(*whole);
    return whole;
}

// The host's memory is not to be written: it may be read-only, and is the sample itself.  What
// cannot be analysed might do so.
bool may_write_input(const graph &g)
{
    try {
        std::shared_ptr<torch::jit::Graph> whole = whole_graph(g);
        torch::jit::AliasDb aliases(whole);

        for (size_t i = 1; i < whole->inputs().size(); i++) // behind the module itself
            if (aliases.hasWriters(whole->inputs()[i]))
                return true;
        return false;
    } catch (const std::exception &) {
        return true;
    }
}

bool has_quantised(torch::jit::Block *block)
{
    for (torch::jit::Node *node : block->nodes()) {
        if (std::strncmp(node->kind().toQualString(), "quantized::", 11) == 0)
            return true;
        for (torch::jit::Block *inner : node->blocks())
            if (has_quantised(inner))
                return true;
    }
    return false;
}

// The floating type that most of the module's numbers have.
std::optional<at::ScalarType> own_type(const graph &g)
{
    std::map<at::ScalarType, int64_t> numbers;
    std::optional<at::ScalarType> own;

    for_tensors(g.module, [&](const at::Tensor &t) {
        if (at::isFloatingType(t.scalar_type()))
            numbers[t.scalar_type()] += t.numel();
    });
    for (const auto &[type, count] : numbers)
        if (!own || count > numbers[*own])
            own = type;
    return own;
}

void set_precision(graph &g, const char *asked)
{
    std::optional<at::ScalarType> own = own_type(g);
    std::string want = asked ? asked : "fp32";
    at::ScalarType to = want == "bf16" ? at::kBFloat16 : want == "fp16" ? at::kHalf : at::kFloat;

    TORCH_CHECK(own || to == at::kFloat, "precision ", want,
                ": the file's weights are frozen; save it before it is frozen");
    g.compute = own.value_or(at::kFloat);
    if (to != at::kFloat) { // fp32 stands for the model's own
        g.compute = to;
        for_tensors(g.module, [&](at::Tensor t) {
            if (at::isFloatingType(t.scalar_type()))
                t.set_data(t.to(to));
        });
    }
    g.precision = g.compute == at::kBFloat16 ? "bf16"
                  : g.compute == at::kHalf   ? "fp16"
                  : g.compute == at::kDouble ? "fp64"
                                             : "fp32";
    if (to == at::kFloat && has_quantised(whole_graph(g)->block()))
        g.precision = "int8";
}

void prepare(graph &g, const torch_ask &ask)
{
    g.module.eval();
    set_precision(g, ask.config->precision);
    if (g.where.channels_last)
        for_tensors(g.module, [](at::Tensor t) {
            if (t.dim() == 4)
                t.set_data(t.contiguous(at::MemoryFormat::ChannelsLast));
        });
    if (ask.freeze)
        g.module = torch::jit::freeze(g.module);
    if (ask.optimise)
        g.module = torch::jit::optimize_for_inference(g.module);
    g.writes_input = may_write_input(g);
}

// What libtorch says of a broken archive speaks of its own reader alone.
void read_file(graph &g, const char *path, torch::jit::ExtraFilesMap &extra)
{
    try {
        g.module = mapped_load(path, g.where.device, extra);
    } catch (const std::exception &e) {
        static const std::string unknown = "Unknown builtin op: ";
        std::string why = first_line(e);
        size_t op = why.find(unknown);

        TORCH_CHECK(op == std::string::npos, "it calls ",
                    why.substr(op + unknown.size(), why.rfind('.') - op - unknown.size()),
                    ", an operator that this libtorch lacks (those of extensions are not loaded)");
        TORCH_CHECK(why.find("constants.pkl") == std::string::npos,
                    "no TorchScript, but what torch.save or torch.export wrote: save it with "
                    "torch.jit.save; of weights alone `assay net write NET --weights FILE --format "
                    "torchscript` makes a model");
        TORCH_CHECK(why.find("PytorchStreamReader") == std::string::npos &&
                        why.find("Unknown type") == std::string::npos,
                    "cut off, or no TorchScript file: ", why.substr(0, why.find(". This is")));
        throw;
    }
}

} // namespace

void graph_open(graph &g, const torch_ask &ask, const assay_engine_config &own, const char *name)
{
    torch::jit::ExtraFilesMap extra = {{"assay.txt", ""}};
    uint32_t inputs;

    use_threads(g.where.threads);
    read_file(g, own.model_path, extra);
    prepare(g, ask);
    find_tensors(g, extra["assay.txt"], own);
    inputs = (uint32_t)g.inputs.size();
    g.desc = {name, inputs, (uint32_t)g.outputs.size(), g.specs.data(), g.specs.data() + inputs};
}

} // namespace assay_torch
