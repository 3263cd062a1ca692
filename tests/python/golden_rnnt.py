"""Makes the golden values of RNN-T's features by other code: numpy's transform and whole matrices.

Second opinion only: never used at run time, nor by the tests, which read what this wrote.  To repeat:
    python3 -m venv v && v/bin/pip install numpy==2.2.6
    v/bin/python tests/python/golden_rnnt.py ../shared/data/speech-mini tests/golden/rnnt
    git diff --stat tests/golden/rnnt

features.bin: for each recording of the list, then for each length of noise below, float32 rows of 240; features.txt says
how many rows each has, and the rule.  Every number of a recording would be 3 MB: the rows are every seventh and the
last."""
import json
import os
import sys
import wave

import numpy as np

LENGTHS = (481, 640, 641, 960, 961, 1440, 1599, 1600, 1601, 4800, 4801, 16000)
RULES = ((0.97, 1e-5), (0.0, 1e-5), (0.97, 0.0))


def read(path):
    with wave.open(path) as w:
        assert (w.getframerate(), w.getnchannels(), w.getsampwidth()) == (16000, 1, 2)
        return np.frombuffer(w.readframes(w.getnframes()), "<i2")


def noise(n):
    """The same in the test: a linear congruential generator's upper bits, quiet then loud."""
    state, out = n, []
    for i in range(n):
        state = (state * 1103515245 + 12345) % 2**31
        out.append(((state >> 15) - 32768) // (200 if i < n // 2 else 3))
    return np.array(out, dtype=np.int16)


def mel_weights():
    # Slaney's scale; librosa 0.7's filters with norm=1.
    def mel(f):
        return f / (200 / 3) if f < 1000 else 15 + np.log(f / 1000) / (np.log(6.4) / 27)

    def hertz(m):
        return m * (200 / 3) if m < 15 else 1000 * np.exp((np.log(6.4) / 27) * (m - 15))

    edges = np.array([hertz(m) for m in np.linspace(mel(0), mel(8000), 82)])
    bins = np.linspace(0, 8000, 257)
    slopes = edges[:, None] - bins[None, :]
    width = np.diff(edges)
    rows = [np.maximum(0, np.minimum(-slopes[i] / width[i], slopes[i + 2] / width[i + 1])) for i in range(80)]
    return (np.array(rows) * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


WEIGHTS = mel_weights()


def features(samples, preemphasis, dither):
    x = samples.astype(np.float32) / np.float32(32768)
    if preemphasis:
        x = np.concatenate([x[:1], x[1:] - np.float32(preemphasis) * x[:-1]])
    angle = np.arange(320, dtype=np.float32) * np.float32(2 * np.pi / 319)  # torch.hann_window's float32
    window = np.pad(np.float32(0.5) - np.float32(0.5) * np.cos(angle.astype(np.float64)).astype(np.float32), 96)
    padded = np.pad(x, 256, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 512)[::160] * window
    assert len(frames) == 1 + len(x) // 160
    power = np.abs(np.fft.rfft(frames.astype(np.float64))) ** 2 + dither ** 2
    logs = np.log(WEIGHTS.astype(np.float64) @ power.T + 1e-20)  # [80, frames]
    parts = [np.pad(logs[:, n:], ((0, 0), (0, n))) for n in range(3)]
    joined = np.concatenate(parts, axis=0)[:, ::3]
    rows = -(-(-(-len(x) // 160)) // 3)
    used = joined[:, :rows]
    return ((used - used.mean(axis=1, keepdims=True)) / (used.std(axis=1, ddof=1, keepdims=True) + 1e-5)).T


def main(data, folder):
    with open(os.path.join(data, "speech-mini-wav.json"), encoding="utf-8") as f:
        names = [entry["files"][0]["fname"] for entry in json.load(f)]
    signals = [(name, read(os.path.join(data, name))) for name in names] + [(f"noise {n}", noise(n)) for n in LENGTHS]
    with open(os.path.join(folder, "features.bin"), "wb") as out, \
            open(os.path.join(folder, "features.txt"), "w", encoding="utf-8") as text:
        for preemphasis, dither in RULES:
            for name, samples in signals:
                if not name.startswith("noise") and (preemphasis, dither) != RULES[0]:
                    continue
                made = features(samples, preemphasis, dither).astype("<f4")
                kept = sorted(set(range(0, len(made), 7)) | {len(made) - 1})
                out.write(made[kept].tobytes())
                text.write(f"{preemphasis} {dither} {len(samples)} {len(made)} {len(kept)} {name}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
