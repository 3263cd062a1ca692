"""The things that run.py measures: Assay as a user runs it, the bare programs, and the photo peers."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# The official way in Python; found by pip as it is set up on this machine.
PYTHON_PACKAGES = ["numpy==1.26.4", "opencv-python-headless==4.10.0.84"]
VOLUME_PACKAGES = ["nibabel==5.4.2", "numpy==2.4.6", "scipy==1.17.1"]
FEATURE_PACKAGES = ["numpy==2.2.6"]
TOKENISER_PACKAGES = ["transformers==4.57.6"]  # the last line of versions with BERT's tokeniser in Python


class Failed(Exception):
    """A measurement could not be made: the suite ends."""


class Missing(Exception):
    """A peer is not to be had here: its rows are left out."""


def call(command, timeout=600, good=(0,)):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode not in good:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"{' '.join(map(str, command))}: exit {done.returncode}: {words[-1] if words else 'no output'}")
    return done.stdout


class Assay:
    """`assay run` with a store of its own, so that no figure of the suite lands among the user's records."""

    def __init__(self, build, work):
        self.program = build / "bin" / "assay"
        self.work, self.store = work, work / "store"
        self.cache = build / "bench" / "cache"
        self.performance_samples = {}
        if not self.program.exists():
            raise Failed(f"{self.program} is not there: run make first")

    def versions(self):
        return call([self.program, "version"]).splitlines()[0]

    def record(self, scenario, engine, settings, benchmark="resnet50", keep=False):
        # INVALID (exit 4) is a result too: the rows say it.
        text = call([self.program, "run", benchmark, "--engine", engine, "--scenario", scenario, "--warmup-s", "0.3",
                     "--store", self.store, "--cache", self.cache, "--progress", "none", "--json"] + settings,
                    good=(0, 4))
        if not keep:
            shutil.rmtree(self.store, ignore_errors=True)
        answer = json.loads(text)
        return answer.get("record", answer)

    def accuracy(self, benchmark, engine, settings):
        """The payload of each sample, in Offline, and the record."""
        record = self.record("Offline", engine, settings + ["--mode", "accuracy"], benchmark, keep=True)
        log = next(self.store.glob("runs/*/mlperf_log_accuracy.json"))
        answers = {entry["qsl_idx"]: bytes.fromhex(entry["data"]) for entry in json.loads(log.read_text())}
        shutil.rmtree(self.store, ignore_errors=True)
        return answers, record

    def run(self, scenario, engine, settings, benchmark="resnet50"):
        """LoadGen's own figures on both sides, so that both are read off the same clock."""
        r = self.record(scenario, engine, settings, benchmark)
        detail = r["performance"]["detail"]
        self.performance_samples[engine] = r["dataset"]["performance_samples"]
        return {"p50": detail["result_50.00_percentile_latency_ns"],
                "p90": detail["result_90.00_percentile_latency_ns"],
                "p99": detail["result_99.00_percentile_latency_ns"],
                "rate": r["performance"]["value"],
                "busy": r["stages"]["lane_busy_fraction"],
                "valid": r["verdict"]["valid"],
                "reasons": r["verdict"]["reasons"],
                "stages": r["stages"]}

    def model(self, form="onnx"):
        """The synthetic net that a run without --model uses, for the bare loop."""
        path = self.cache / f"bench-resnet50.{form}"
        if not path.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            call([self.program, "net", "write", "resnet50", "--format", form, "--output", path])
        return path

    def model_path(self, benchmark, engine):
        """The net that a run of this benchmark writes and uses."""
        plan = json.loads(call([self.program, "run", benchmark, "--engine", engine, "--cache", self.cache, "--dry-run",
                                "--json"]))
        return plan["model"]["file"]

    def samples(self, engine):
        """How many different samples a performance run goes through."""
        if engine not in self.performance_samples:
            self.run("Offline", engine, ["--min-duration-ms", "100", "--target-qps", "1", "--batch", "1"])
        return self.performance_samples[engine]


class BareLoadgen:
    def __init__(self, build):
        self.program = build / "bench" / "bare_loadgen"
        self.outdir = build / "bench" / "loadgen-logs"
        self.outdir.mkdir(parents=True, exist_ok=True)

    def run(self, scenario, options):
        return json.loads(call([self.program, scenario, "--outdir", self.outdir] + options))


class BareOnnx:
    BATCHES = (1, 2, 4, 8, 16, 32)
    title, engine, form, spins = "ONNX Runtime", "onnxruntime", "onnx", True
    program, library = "bare_onnx", "libonnxruntime.so.1"
    devices = False  # the loop knows the CPU alone

    def __init__(self, assay, build, device="cpu", precision="fp32"):
        folder = build / "lib" / "assay" / "runtimes" / self.engine
        runtime = next(folder.glob(self.library), None)
        if not runtime:
            raise Missing(f"{folder / self.library} is not there: run make engine-{self.engine} first")
        if (device, precision) != ("cpu", "fp32") and not self.devices:
            raise Missing(f"{self.program} runs on the CPU in fp32 alone")
        self.samples = assay.samples(self.engine)
        self.device = ["--device", device, "--precision", precision] if device != "cpu" else []
        self.base = [build / "bench" / self.program, "--library", runtime, "--model", assay.model(self.form),
                     *self.device]

    def settings(self, best):
        """Of Assay, for what the bare loop does."""
        words = [w for k in ("lanes", "threads", "batch") for w in (f"--{k}", str(best[k]))]
        return words + self.device + (["--option", f"spinning={'on' if best['spin'] else 'off'}"] if self.spins else [])

    def call(self, scenario, s, **more):
        words = dict(scenario=scenario, batch=s["batch"], lanes=s["lanes"], threads=s["threads"], spin=s["spin"],
                     samples=max(self.samples, s["batch"]), **more)
        return json.loads(call(self.base + [w for k, v in words.items() for w in (f"--{k}", str(v))]))

    def offline(self, s, count):
        return self.call("Offline", s, count=count)

    def single(self, s, seconds):
        return self.call("SingleStream", dict(s, lanes=1, batch=1), seconds=seconds)

    def shapes(self):
        """Ways to use all CPUs."""
        cpus = len(os.sched_getaffinity(0))
        for lanes in sorted({1, 2, cpus} & set(range(1, cpus + 1))):
            for spin in (1, 0) if cpus // lanes > 1 and self.spins else (0,):
                yield {"lanes": lanes, "threads": cpus // lanes, "spin": spin}

    def timed(self, s, seconds, rate):
        step = s["batch"] * s["lanes"]
        count = max(1, round(rate * seconds / step)) * step
        return self.offline(s, count)["rate"]

    def search(self, progress, seconds):
        """First how the CPUs are shared, at a middling batch, then the batch."""
        rate, best = 32.0, None
        for shape in self.shapes():
            progress(f"the bare loop's best settings: {shape}")
            s = dict(shape, batch=8)
            got = self.timed(s, seconds, rate)
            rate = max(rate, got)
            if not best or got > best["rate"]:
                best = dict(s, rate=got)
        for batch in self.BATCHES + ((64, 128) if self.device else ()):
            progress(f"the bare loop's best settings: batch {batch}")
            s = dict(best, batch=batch)
            got = self.timed(s, seconds, rate)
            if got > best["rate"]:
                best = dict(s, rate=got)
        return best

    def search_single(self, progress, seconds):
        tried = []
        cpus = len(os.sched_getaffinity(0))
        for threads in sorted({1, max(1, cpus // 2), cpus}):
            for spin in (1, 0) if threads > 1 and self.spins else (0,):
                progress(f"the bare loop's best for one sample: {threads} threads, spin {spin}")
                s = {"lanes": 1, "threads": threads, "spin": spin, "batch": 1}
                tried.append((self.single(s, seconds)["p90"], len(tried), s))
        return min(tried)[2]

    def describe(self, s):
        spinning = f"{'spinning' if s['spin'] else 'not spinning'}, " if self.spins else ""
        return (f"{s['lanes']} lane{'s' if s['lanes'] > 1 else ''} of {s['threads']} "
                f"thread{'s' if s['threads'] > 1 else ''}, {spinning}batch {s['batch']}")


class BareTensorflow(BareOnnx):
    title, engine, form, spins = "TensorFlow", "tensorflow", "tensorflow", False
    program, library = "bare_tensorflow", "libtensorflow_cc.so.2"


class BareTorch(BareOnnx):
    title, engine, form, spins = "PyTorch", "pytorch", "torchscript", False
    program, library = "bare_torch", "libtorch_cpu.so"
    devices = True


class BareOpenvino(BareOnnx):
    title, engine, form, spins = "OpenVINO", "openvino", "onnx", False
    program, library = "bare_openvino", "libopenvino_c.so.*"


ENGINES = {peer.engine: peer for peer in (BareOnnx, BareTensorflow, BareTorch, BareOpenvino)}


def test_data(name):
    return pathlib.Path(os.environ.get("ASSAY_TEST_DATA") or HERE.parent.parent / "shared" / "data") / name


def photos():
    return sorted(str(p) for p in test_data("imagenet-mini").glob("*.JPEG"))


def questions():
    """BERT's vocabulary and questions, and how many these are; none: nothing is there."""
    files = [str(p) for p in (test_data("squad-mini") / "vocab.txt", test_data("squad-mini") / "dev-mini-v1.1.json")]
    if not all(map(os.path.exists, files)):
        return None, 0
    with open(files[1], encoding="utf-8") as f:
        return files, sum(len(p["qas"]) for article in json.load(f)["data"] for p in article["paragraphs"])


def scans():
    """Folders of 3D-UNet's cases; none: nothing is there."""
    return sorted(str(p.parent) for p in test_data("volume-mini").glob("case_*/imaging.nii.gz"))


def recordings():
    """RNN-T's utterances as WAV files; none: nothing is there."""
    return sorted(str(p) for p in test_data("speech-mini").glob("*/*/*.wav"))


def clicks(build):
    """A file of the test data's raw logs, 200 times over, and how many rows it has; 0: none are there."""
    raw = test_data("criteo-mini") / "day_23_mini"
    if not raw.exists():
        return [], 0
    text = raw.read_bytes() * 200
    path = build / "bench" / "day_23"
    path.write_bytes(text)
    return [str(path)], text.count(b"\n")


class Photos:
    """A program that stays: one pass over the samples (photos or recordings, one a file, or so many questions) for each
    word that it is given, its seconds as the answer."""

    def __init__(self, command, files, samples=None):
        self.files = samples or len(files)
        self.child = subprocess.Popen(command + files, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.go("whole")  # files come into the page cache, memory is taken

    def go(self, word):
        self.child.stdin.write(word + "\n")
        self.child.stdin.flush()
        answer = self.child.stdout.readline()
        if not answer:
            raise Failed(f"{self.child.args[0]} ended in the middle")
        seconds = float(answer)
        return {"time": seconds / self.files * 1e9, "rate": self.files / seconds}


def python_peer(build, progress, folder="python", packages=PYTHON_PACKAGES, script="official_preprocess.py"):
    """Command of a Python peer; its packages are put in a folder of their own under the build folder."""
    folder = build / "bench" / folder
    stamp = folder / "packages"
    wanted = "\n".join(packages) + f"\n{sys.version_info[:2]}"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        progress(f"getting {' and '.join(packages)} by pip")
        done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-input",
                               "--disable-pip-version-check", "--root-user-action=ignore", "--target", folder]
                              + packages, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise Missing(f"pip cannot get {' and '.join(packages)}: "
                          f"{re.sub(r'https?://[^ ]+', 'its index', lines[-1]) if lines else 'no reason given'}")
        stamp.write_text(wanted)
    return [sys.executable, str(HERE / script), str(folder)]
