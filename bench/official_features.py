"""RNN-T's features as Python makes them: the reference's steps on whole matrices, in float32, with numpy's transform in
the place of torch's (which is 200 MB to fetch).

    official_features.py PACKAGES FILE...

PACKAGES is the folder that holds numpy; the files are WAV, 16 kHz.  One pass over all files, whose samples are in memory,
for every line on standard input; the answer is its seconds.  One thread, as Assay's peer."""

import os
import sys
import time
import wave

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
sys.path.insert(0, sys.argv[1])
import numpy as np  # noqa: E402


def read(path):
    with wave.open(path) as w:
        return np.frombuffer(w.readframes(w.getnframes()), "<i2").astype(np.float32) / np.float32(32768)


def mel_weights():
    def hertz(m):
        return m * (200 / 3) if m < 15 else 1000 * np.exp((np.log(6.4) / 27) * (m - 15))

    edges = np.array([hertz(m) for m in np.linspace(0, 15 + np.log(8) / (np.log(6.4) / 27), 82)])
    slopes = edges[:, None] - np.linspace(0, 8000, 257)[None, :]
    width = np.diff(edges)
    rows = [np.maximum(0, np.minimum(-slopes[i] / width[i], slopes[i + 2] / width[i + 1])) for i in range(80)]
    return (np.array(rows) * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


WEIGHTS = mel_weights()
ANGLE = np.arange(320, dtype=np.float32) * np.float32(2 * np.pi / 319)  # torch.hann_window's float32
WINDOW = np.pad(np.float32(0.5) - np.float32(0.5) * np.cos(ANGLE.astype(np.float64)).astype(np.float32), 96)


def features(x):
    signal = np.concatenate([x[:1], x[1:] - np.float32(0.97) * x[:-1]])
    padded = np.pad(signal, 256, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160] * WINDOW
    spectrum = np.fft.rfft(frames)
    power = (spectrum.real ** 2 + spectrum.imag ** 2 + np.float32(1e-10)).astype(np.float32, copy=False)
    logs = np.log(WEIGHTS @ power.T + np.float32(1e-20))
    parts = [np.pad(logs[:, n:], ((0, 0), (0, n))) for n in range(3)]
    rows = -(-(-(-len(x) // 160)) // 3)
    joined = np.concatenate(parts, axis=0)[:, ::3][:, :rows]
    return (joined - joined.mean(axis=1, keepdims=True)) / (joined.std(axis=1, ddof=1, keepdims=True) + np.float32(1e-5))


def main():
    signals = [read(path) for path in sys.argv[2:]]
    for _ in sys.stdin:
        start = time.perf_counter()
        for x in signals:
            features(x)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
