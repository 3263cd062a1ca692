/* A null SUT straight on LoadGen's own C++ interface: what LoadGen itself costs, without Assay.
 *
 *   bare_loadgen SCENARIO [--handover] [--duration-ms N] [--qps X] [--latency-ms X] [--queries N]
 *                [--samples N] [--chunk N] [--work-us X] --outdir DIR
 *
 * It is the peer that Assay is held against, so it does all that is known to make LoadGen fast:
 * trace off, timer slack 1 ns, memory for the responses taken before the clock runs.  Settings come
 * from LoadGen's built-in configuration for resnet50, as in Assay's runs, and from the options.
 *
 * --chunk N completes at most N samples in one call; 0 is all of a query.  With 0 an Offline result
 * says little: LoadGen reads the clock at the start of a call, so its own work for every sample is
 * not in the time, only the filling of one array.
 *
 * Completion: inside IssueQuery, or with --handover on one worker behind a mutex and a condition
 * variable; the worker takes all that waits at once.  Prints one line of JSON with LoadGen's own
 * figures. */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "loadgen.h"
#include "query_sample_library.h"
#include "system_under_test.h"
#include "test_settings.h"

namespace
{

struct Options {
    std::string scenario, outdir;
    bool handover = false;
    double duration_ms = 1000, qps = 1000, latency_ms = 0.001, work_us = 0;
    uint64_t queries = 1;
    size_t samples = 1024, chunk = 0;
};

[[noreturn]] void usage(const char *what)
{
    fprintf(stderr, "bare_loadgen: %s; see the comment at the top of bare_loadgen.cc\n", what);
    exit(2);
}

Options parse(int argc, char **argv)
{
    Options o;

    if (argc < 2)
        usage("which scenario?");
    o.scenario = argv[1];
    for (int i = 2; i < argc; i++) {
        const std::string name = argv[i];

        if (name == "--handover") {
            o.handover = true;
            continue;
        }
        if (++i == argc)
            usage((name + " wants a value").c_str());
        if (name == "--duration-ms")
            o.duration_ms = atof(argv[i]);
        else if (name == "--qps")
            o.qps = atof(argv[i]);
        else if (name == "--latency-ms")
            o.latency_ms = atof(argv[i]);
        else if (name == "--work-us")
            o.work_us = atof(argv[i]);
        else if (name == "--queries")
            o.queries = strtoull(argv[i], nullptr, 10);
        else if (name == "--samples")
            o.samples = strtoull(argv[i], nullptr, 10);
        else if (name == "--chunk")
            o.chunk = strtoull(argv[i], nullptr, 10);
        else if (name == "--outdir")
            o.outdir = argv[i];
        else
            usage((name + " is not an option").c_str());
    }
    if (o.outdir.empty())
        usage("--outdir is missing");
    return o;
}

class Qsl : public mlperf::QuerySampleLibrary
{
  public:
    explicit Qsl(size_t samples) : samples_(samples)
    {
    }
    const std::string &Name() override
    {
        return name_;
    }
    size_t TotalSampleCount() override
    {
        return samples_;
    }
    size_t PerformanceSampleCount() override
    {
        return samples_;
    }
    void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex> &) override
    {
    }
    void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex> &) override
    {
    }

  private:
    const size_t samples_;
    const std::string name_ = "nothing";
};

class Sut : public mlperf::SystemUnderTest
{
  public:
    explicit Sut(const Options &o)
        : work_(static_cast<int64_t>(o.work_us * 1e3)), chunk_(o.chunk ? o.chunk : SIZE_MAX)
    {
        const double expected = o.scenario == "Offline" ? 1.1 * o.duration_ms * 1e-3 * o.qps : 4096;

        responses_.resize(std::min(static_cast<size_t>(expected) + o.samples, chunk_));
        if (o.handover)
            worker_ = std::thread(&Sut::work, this);
    }
    ~Sut() override
    {
        {
            const std::lock_guard<std::mutex> hold(mutex_);
            stop_ = true;
        }
        wake_.notify_one();
        if (worker_.joinable())
            worker_.join();
    }
    const std::string &Name() override
    {
        return name_;
    }
    void IssueQuery(const std::vector<mlperf::QuerySample> &samples) override
    {
        if (!worker_.joinable()) {
            complete(samples);
            return;
        }
        {
            const std::lock_guard<std::mutex> hold(mutex_);
            queue_.insert(queue_.end(), samples.begin(), samples.end());
        }
        wake_.notify_one();
    }
    void FlushQueries() override
    {
    }

  private:
    void spin(size_t samples) const
    {
        const auto until = std::chrono::steady_clock::now() +
                           std::chrono::nanoseconds(work_ * static_cast<int64_t>(samples));

        while (std::chrono::steady_clock::now() < until)
            ;
    }
    void complete(const std::vector<mlperf::QuerySample> &samples)
    {
        if (work_)
            spin(samples.size());
        for (size_t i = 0, n; i < samples.size(); i += n) {
            n = std::min(samples.size() - i, chunk_);
            complete_part(&samples[i], n);
        }
    }
    void complete_part(const mlperf::QuerySample *samples, size_t n)
    {
        if (responses_.size() < n)
            responses_.resize(n);
        for (size_t i = 0; i < n; i++)
            responses_[i] = {samples[i].id, reinterpret_cast<uintptr_t>(&answer_), sizeof(answer_),
                             0};
        mlperf::QuerySamplesComplete(responses_.data(), n);
    }
    void work()
    {
        std::vector<mlperf::QuerySample> mine;

        prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
        for (;;) {
            std::unique_lock<std::mutex> hold(mutex_);

            wake_.wait(hold, [this] { return stop_ || !queue_.empty(); });
            if (queue_.empty())
                return;
            mine.swap(queue_);
            hold.unlock();
            complete(mine);
            mine.clear();
        }
    }

    const int64_t work_;
    const size_t chunk_;
    const int64_t answer_ = 0;
    const std::string name_ = "bare";
    std::vector<mlperf::QuerySampleResponse> responses_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<mlperf::QuerySample> queue_;
    bool stop_ = false;
    std::thread worker_; /* last: it uses all of the above */
};

mlperf::TestSettings settings(const Options &o)
{
    mlperf::TestSettings t;

    t.token_latency_scaling_factor = 0; /* LoadGen leaves it uninitialised */
    if (t.FromConfig("", "resnet50", o.scenario, 0))
        usage("LoadGen's built-in configuration cannot be read");
    t.mode = mlperf::TestMode::PerformanceOnly;
    t.min_duration_ms = static_cast<uint64_t>(o.duration_ms);
    t.min_query_count = o.queries;
    t.performance_sample_count_override = o.samples;
    if (o.scenario == "SingleStream") {
        t.scenario = mlperf::TestScenario::SingleStream;
        t.single_stream_expected_latency_ns = static_cast<uint64_t>(o.latency_ms * 1e6);
    } else if (o.scenario == "Server") {
        t.scenario = mlperf::TestScenario::Server;
        t.server_target_qps = o.qps;
        t.server_target_latency_ns = static_cast<uint64_t>(o.latency_ms * 1e6);
    } else if (o.scenario == "Offline") {
        t.scenario = mlperf::TestScenario::Offline;
        t.offline_expected_qps = o.qps;
    } else {
        usage("the scenario is SingleStream, Server or Offline");
    }
    return t;
}

/* The value of one key of LoadGen's detail log, as text; "" when it is not there. */
std::string detail(const Options &o, const char *key)
{
    const std::string quoted = std::string("\"key\": \"") + key + "\", \"value\": ";
    std::ifstream file(o.outdir + "/mlperf_log_detail.txt");
    std::string line;

    while (std::getline(file, line)) {
        const size_t at = line.find(quoted);

        if (at == std::string::npos)
            continue;
        const size_t from = at + quoted.size();
        const size_t to = line.find(line[from] == '"' ? '"' : ',', from + 1);

        return line.substr(from, to - from);
    }
    return "";
}

double number(const Options &o, const char *key)
{
    return atof(detail(o, key).c_str());
}

void report(const Options &o)
{
    const double rate = o.scenario == "Offline"  ? number(o, "result_samples_per_second")
                        : o.scenario == "Server" ? number(o, "result_completed_samples_per_sec")
                                                 : number(o, "result_qps_with_loadgen_overhead");

    printf("{\"p50\": %.0f, \"p90\": %.0f, \"p99\": %.0f, \"rate\": %.6g, \"valid\": %s}\n",
           number(o, "result_50.00_percentile_latency_ns"),
           number(o, "result_90.00_percentile_latency_ns"),
           number(o, "result_99.00_percentile_latency_ns"), rate,
           detail(o, "result_validity") == "\"VALID" ? "true" : "false");
}

} // namespace

int main(int argc, char **argv)
{
    const Options o = parse(argc, argv);
    const mlperf::TestSettings t = settings(o);
    mlperf::LogSettings log;

    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    log.log_output.outdir = o.outdir;
    log.enable_trace = false;
    {
        Sut sut(o);
        Qsl qsl(o.samples);

        mlperf::StartTest(&sut, &qsl, t, log, "/dev/null/none");
    }
    report(o);
    return 0;
}
