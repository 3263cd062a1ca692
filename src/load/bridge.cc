/* The one C++ file: puts LoadGen's C++ interface behind the C table of bridge.h.
 *
 * Idea: settings are resolved before they come here, so every field of TestSettings is written
 * directly.  Only what users cannot set (the seeds) comes from LoadGen's built-in configuration, by
 * FromConfig with type 0: type 1 keeps a count for the whole process and loses the seeds from the
 * second run on.
 *
 * LoadGen's IO thread is started by run() and inherits the caller's CPU affinity: who wants it away
 * from the lanes' cores sets the affinity before run() and changes it in the first callback. */
#include <fcntl.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <exception>
#include <string>
#include <thread>
#include <vector>

#include "issue_query_controller.h"
#include "loadgen.h"
#include "query_sample_library.h"
#include "system_under_test.h"
#include "test_settings.h"

extern "C" {
#include "load/bridge.h"
}

/* LoadGen's built-in configuration, defined in its own sources. */
extern const char *mlperf_conf;

static_assert(sizeof(load_sample) == sizeof(mlperf::QuerySample), "sample layout");
static_assert(offsetof(load_sample, id) == offsetof(mlperf::QuerySample, id), "sample layout");
static_assert(offsetof(load_sample, index) == offsetof(mlperf::QuerySample, index),
              "sample layout");
static_assert(sizeof(load_response) == sizeof(mlperf::QuerySampleResponse), "response layout");
static_assert(offsetof(load_response, data) == offsetof(mlperf::QuerySampleResponse, data),
              "layout");
static_assert(offsetof(load_response, size) == offsetof(mlperf::QuerySampleResponse, size),
              "layout");
static_assert(offsetof(load_response, n_tokens) == offsetof(mlperf::QuerySampleResponse, n_tokens),
              "response layout");
static_assert(sizeof(mlperf::QuerySampleIndex) == sizeof(size_t), "index layout");

namespace
{

const char *const scenario_names[SCENARIO_COUNT] = {"SingleStream", "MultiStream", "Server",
                                                    "Offline"};

/* LoadGen writes names into its JSON log without escaping them. */
std::string log_safe(const char *name)
{
    std::string safe(name ? name : "");

    for (char &c : safe)
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20)
            c = '_';
    return safe;
}

class Sut : public mlperf::SystemUnderTest
{
  public:
    explicit Sut(const load_sut &sut) : sut_(sut), name_(log_safe(sut.sut_name))
    {
    }
    const std::string &Name() override
    {
        return name_;
    }
    void IssueQuery(const std::vector<mlperf::QuerySample> &samples) override
    {
        sut_.issue(sut_.ctx, reinterpret_cast<const load_sample *>(samples.data()), samples.size());
    }
    void FlushQueries() override
    {
        sut_.flush(sut_.ctx);
    }

  private:
    const load_sut &sut_;
    const std::string name_;
};

class Qsl : public mlperf::QuerySampleLibrary
{
  public:
    explicit Qsl(const load_sut &sut) : sut_(sut), name_(log_safe(sut.qsl_name))
    {
    }
    const std::string &Name() override
    {
        return name_;
    }
    size_t TotalSampleCount() override
    {
        return sut_.total_samples;
    }
    size_t PerformanceSampleCount() override
    {
        return sut_.performance_samples;
    }
    void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex> &samples) override
    {
        sut_.load(sut_.ctx, samples.data(), samples.size());
    }
    void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex> &samples) override
    {
        sut_.unload(sut_.ctx, samples.data(), samples.size());
    }

  private:
    const load_sut &sut_;
    const std::string name_;
};

/* Timers of this thread, and of threads that it starts, as sharp as the kernel can: the default
 * slack of 50 us would be part of every Server latency. */
class SharpTimers
{
  public:
    SharpTimers() : before_(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0))
    {
        prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    }
    ~SharpTimers()
    {
        if (before_ > 0)
            prctl(PR_SET_TIMERSLACK, before_, 0, 0, 0);
    }

  private:
    const int before_;
};

/* FromConfig's word for the built-in configuration: a number, in 5.0.2 a truth. */
using names = const std::string &;
[[maybe_unused]] int builtin(int (mlperf::TestSettings::*)(names, names, names, int))
{
    return 0;
}

[[maybe_unused]] int builtin(int (mlperf::TestSettings::*)(names, names, names, bool))
{
    return true;
}

int from_builtin(mlperf::TestSettings &t, const char *model, int scenario, assay_err *err)
{
    if (scenario < 0 || scenario >= SCENARIO_COUNT)
        return assay_fail(err, ASSAY_EFAIL, "LoadGen: there is no scenario number %d", scenario);
    t.token_latency_scaling_factor = 0; /* LoadGen leaves it uninitialised */
    if (t.FromConfig("", model, scenario_names[scenario],
                     builtin(&mlperf::TestSettings::FromConfig)))
        return assay_fail(err, ASSAY_EFAIL, "LoadGen: its built-in configuration cannot be read");
    t.scenario = static_cast<mlperf::TestScenario>(scenario);
    return 0;
}

/* Whether a line of the built-in configuration starts with "model." */
bool builtin_knows(const char *model)
{
    const std::string start = std::string(model) + ".";
    const char *line = mlperf_conf;

    while (line) {
        if (!strncmp(line, start.c_str(), start.size()))
            return true;
        line = strchr(line, '\n');
        if (line)
            line++;
    }
    return false;
}

/* A value that LoadGen cannot do without in this scenario. */
int need(bool there, const char *name, int scenario, assay_err *err)
{
    if (there)
        return 0;
    return assay_fail(err, ASSAY_EFAIL, "LoadGen: %s is not set for %s; give --%s", name,
                      scenario_names[scenario], name);
}

int need_all(const settings &s, assay_err *err)
{
    const int scenario = static_cast<int>(s.scenario);
    const bool rate = s.scenario == SERVER || s.scenario == OFFLINE;
    int rc = 0;

    if (rate)
        rc = need(s.target_qps > 0, "target-qps", scenario, err);
    if (!rc && s.scenario != OFFLINE)
        rc = need(s.target_latency_ms > 0, "target-latency-ms", scenario, err);
    if (!rc && s.scenario != OFFLINE)
        rc = need(s.target_latency_percentile > 0, "target-latency-percentile", scenario, err);
    if (!rc && s.scenario == MULTI_STREAM)
        rc = need(s.samples_per_query > 0, "samples-per-query", scenario, err);
    return rc;
}

void scenario_fields(mlperf::TestSettings &t, const settings &s)
{
    const double latency_ns = s.target_latency_ms * 1e6;

    switch (s.scenario) {
    case SINGLE_STREAM:
        t.single_stream_expected_latency_ns = latency_ns;
        t.single_stream_target_latency_percentile = s.target_latency_percentile;
        break;
    case MULTI_STREAM:
        t.multi_stream_expected_latency_ns = latency_ns;
        t.multi_stream_target_latency_percentile = s.target_latency_percentile;
        t.multi_stream_samples_per_query = static_cast<uint64_t>(s.samples_per_query);
        break;
    case SERVER:
        t.server_target_qps = s.target_qps;
        t.server_target_latency_ns = static_cast<uint64_t>(std::llround(latency_ns));
        t.server_target_latency_percentile = s.target_latency_percentile;
        t.server_coalesce_queries = s.coalesce_queries != 0;
        t.server_max_async_queries = static_cast<uint64_t>(s.max_async_queries);
        t.server_num_issue_query_threads = static_cast<uint64_t>(s.server_issue_threads);
        break;
    default:
        t.offline_expected_qps = s.target_qps;
    }
}

/* LoadGen would draw indices behind the end of a smaller data set. */
uint64_t at_most(int64_t count, size_t total)
{
    return static_cast<uint64_t>(count) < total ? static_cast<uint64_t>(count) : total;
}

/* LoadGens before 6.0.15 have no such field. */
template <class Settings>
auto set_accuracy_samples(Settings &t, uint64_t n, int)
    -> decltype(t.accuracy_sample_count_override, true)
{
    t.accuracy_sample_count_override = n;
    return true;
}

template <class Settings> bool set_accuracy_samples(Settings &, uint64_t n, ...)
{
    return n == 0;
}

int common_fields(mlperf::TestSettings &t, const settings &s, const load_sut &sut, assay_err *err)
{
    switch (s.mode) {
    case MODE_PERFORMANCE:
        t.mode = mlperf::TestMode::PerformanceOnly;
        break;
    case MODE_ACCURACY:
        t.mode = mlperf::TestMode::AccuracyOnly;
        break;
    case MODE_SUBMISSION:
        t.mode = mlperf::TestMode::SubmissionRun;
        break;
    default:
        return assay_fail(err, ASSAY_EFAIL,
                          "LoadGen: find-peak is a series of performance runs, not one run");
    }
    t.min_duration_ms = static_cast<uint64_t>(s.min_duration_ms);
    t.max_duration_ms = static_cast<uint64_t>(s.max_duration_ms);
    t.min_query_count = static_cast<uint64_t>(s.min_query_count);
    t.max_query_count = static_cast<uint64_t>(s.max_query_count);
    t.sample_concatenate_permutation = s.sample_concatenate_permutation != 0;
    t.performance_sample_count_override = at_most(s.performance_sample_count, sut.total_samples);
    if (!set_accuracy_samples(t, at_most(s.accuracy_sample_count, sut.total_samples), 0))
        return assay_fail(err, ASSAY_EFAIL,
                          "--accuracy-sample-count: LoadGen %s has no such setting; use --count",
                          LOADGEN_VERSION);
    t.print_timestamps = s.print_timestamps != 0;
    t.performance_issue_unique = s.performance_issue_unique != 0;
    t.performance_issue_same = s.performance_issue_same != 0;
    t.performance_issue_same_index = static_cast<uint64_t>(s.performance_issue_same_index);
    t.accuracy_log_rng_seed = s.accuracy_log_rng_seed;
    t.accuracy_log_probability = s.accuracy_log_probability;
    t.accuracy_log_sampling_target = static_cast<uint64_t>(s.accuracy_log_sampling_target);
    return 0;
}

int translate(mlperf::TestSettings &t, const settings &s, const char *model, const load_sut &sut,
              assay_err *err)
{
    int rc = from_builtin(t, model, static_cast<int>(s.scenario), err);

    if (rc)
        return rc;
    if (t.use_token_latencies || t.infer_token_latencies)
        return assay_fail(
            err, ASSAY_EUNSUPPORTED,
            "LoadGen: model '%s' is scored by token latencies, which are not measured", model);
    rc = need_all(s, err);
    if (rc)
        return rc;
    scenario_fields(t, s);
    return common_fields(t, s, sut, err);
}

/* LoadGen returns without a word when it cannot open its files, and dies later. */
int check_outputs(const std::string &outdir, assay_err *err)
{
    static const char *const files[] = {"summary.txt", "detail.txt", "accuracy.json", "trace.json"};

    for (const char *file : files) {
        const std::string path = outdir + "/mlperf_log_" + file;
        const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

        if (fd < 0)
            return assay_fail(err, ASSAY_EFAIL, "%s: cannot be written: %s", path.c_str(),
                              strerror(errno));
        close(fd);
    }
    return 0;
}

int check_run(const load_sut &sut, const std::string &outdir, const char *audit, assay_err *err)
{
    if (!sut.total_samples || !sut.performance_samples)
        return assay_fail(err, ASSAY_EFAIL, "LoadGen: data set '%s' has no samples",
                          sut.qsl_name ? sut.qsl_name : "");
    if (audit && access(audit, R_OK))
        return assay_fail(err, ASSAY_EUSAGE, "--audit-config: %s: %s", audit, strerror(errno));
    return check_outputs(outdir, err);
}

/* StartTest with the issue threads that it expects to register.  LoadGen never forgets registered
 * threads nor that a test has ended: threads work in the first run of a process only, and none may
 * come after it. */
int start_test(Sut &sut, Qsl &qsl, const mlperf::TestSettings &t, const mlperf::LogSettings &log,
               const std::string &audit, assay_err *err)
{
    static bool any_run = false, threads_used = false;
    std::vector<std::thread> threads;

    if (threads_used || (any_run && t.server_num_issue_query_threads))
        return assay_fail(
            err, ASSAY_EFAIL,
            "LoadGen: a run with server-issue-threads must be the only one of its process");
    any_run = true;
    threads_used = t.server_num_issue_query_threads > 0;
    try {
        for (uint64_t i = 0; i < t.server_num_issue_query_threads; i++)
            threads.emplace_back(mlperf::RegisterIssueQueryThread);
        mlperf::StartTest(&sut, &qsl, t, log, audit);
    } catch (...) { // they wait for a test that does not come; the process is about to end
        for (std::thread &thread : threads)
            thread.detach();
        throw;
    }
    for (std::thread &thread : threads)
        thread.join();
    return 0;
}

int bridge_run(const settings *s, const char *model, const load_sut *c_sut, const char *outdir,
               const char *audit, assay_err *err)
{
    static std::atomic_flag running = ATOMIC_FLAG_INIT;
    int rc;

    if (running.test_and_set())
        return assay_fail(err, ASSAY_EFAIL, "LoadGen: a run is going on in this process already");
    try {
        mlperf::TestSettings t;
        mlperf::LogSettings log;
        Sut sut(*c_sut);
        Qsl qsl(*c_sut);

        log.log_output.outdir = outdir;
        log.enable_trace = false;
        rc = translate(t, *s, model, *c_sut, err);
        if (!rc)
            rc = check_run(*c_sut, outdir, audit, err);
        if (!rc) {
            const SharpTimers sharp;
            /* Without a name LoadGen would take any audit.config of the working folder. */
            rc = start_test(sut, qsl, t, log, audit ? audit : "/dev/null/none", err);
        }
    } catch (const std::exception &e) {
        rc = assay_fail(err, ASSAY_EFAIL, "LoadGen: %s", e.what());
    } catch (...) {
        rc = assay_fail(err, ASSAY_EFAIL, "LoadGen: unknown exception");
    }
    running.clear();
    return rc;
}

void official_of(const mlperf::TestSettings &t, load_official *out)
{
    out->min_duration_ms = t.min_duration_ms;
    out->min_query_count = t.min_query_count;
    out->samples_per_query = 1;
    out->performance_sample_count = t.performance_sample_count_override;
    out->sample_concatenate_permutation = t.sample_concatenate_permutation;
    out->qsl_rng_seed = t.qsl_rng_seed;
    out->sample_index_rng_seed = t.sample_index_rng_seed;
    out->schedule_rng_seed = t.schedule_rng_seed;
    switch (t.scenario) {
    case mlperf::TestScenario::SingleStream:
        out->target_latency_ms = t.single_stream_expected_latency_ns * 1e-6;
        out->target_latency_percentile = t.single_stream_target_latency_percentile;
        break;
    case mlperf::TestScenario::MultiStream:
        out->target_latency_ms = t.multi_stream_expected_latency_ns * 1e-6;
        out->target_latency_percentile = t.multi_stream_target_latency_percentile;
        out->samples_per_query = t.multi_stream_samples_per_query;
        break;
    case mlperf::TestScenario::Server:
        out->target_latency_ms = static_cast<double>(t.server_target_latency_ns) * 1e-6;
        out->target_latency_percentile = t.server_target_latency_percentile;
        break;
    case mlperf::TestScenario::Offline:
        out->target_latency_ms = 0;
        out->target_latency_percentile = 0;
        break;
    }
}

int bridge_official(const char *model, int scenario, load_official *out, int *known, assay_err *err)
{
    try {
        mlperf::TestSettings t;
        const int rc = from_builtin(t, model, scenario, err);

        if (rc)
            return rc;
        official_of(t, out);
        if (known)
            *known = builtin_knows(model);
        return 0;
    } catch (const std::exception &e) {
        return assay_fail(err, ASSAY_EFAIL, "LoadGen: %s", e.what());
    }
}

void bridge_complete(const load_response *responses, size_t n)
{
    mlperf::QuerySamplesComplete(
        reinterpret_cast<mlperf::QuerySampleResponse *>(const_cast<load_response *>(responses)), n);
}

/* A sample's id is the address of LoadGen's own record of it. */
const mlperf::loadgen::SampleMetadata *sample_of(uintptr_t id)
{
    return reinterpret_cast<const mlperf::loadgen::SampleMetadata *>(id);
}

uint64_t bridge_sequence(uintptr_t id)
{
    return sample_of(id)->sequence_id;
}

int64_t nanoseconds(mlperf::PerfClock::time_point t)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count();
}

/* LoadGen counts every latency from scheduled_time; where nothing is scheduled it writes the time
 * of issue (streams) or of the start (Offline) there. */
int64_t bridge_start_ns(uintptr_t id, int)
{
    return nanoseconds(sample_of(id)->query_metadata->scheduled_time);
}

int64_t bridge_now()
{
    return nanoseconds(mlperf::PerfClock::now());
}

/* Samples of one query share the start, so the two look-ups of each hit what LoadGen reads anyway.
 */
uint64_t bridge_latencies(const load_response *responses, size_t n, int64_t *table,
                          uint64_t capacity)
{
    const int64_t now = bridge_now();
    uint64_t top = 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t at = bridge_sequence(responses[i].id);

        if (at >= capacity)
            continue;
        table[at] = now - bridge_start_ns(responses[i].id, 0);
        if (at >= top)
            top = at + 1;
    }
    return top;
}

} // namespace

extern "C" __attribute__((visibility("default"))) const load_bridge *assay_load_bridge(void)
{
    static const load_bridge bridge = {
        LOAD_BRIDGE_ABI, LOADGEN_VERSION, bridge_official, bridge_run,       bridge_complete,
        bridge_sequence, bridge_start_ns, bridge_now,      bridge_latencies,
    };

    return &bridge;
}
