"""NSynth's network in plain numpy, float64, written from its equations and slow: what the fast one is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nsynth_core.wavenet import checkpoint

HOP = 512
Arrays = dict[str, NDArray[np.float64]]


def random_weights(seed: int, width: int = 24, skip: int = 20, encoder: int = 12, latent: int = 7) -> Arrays:
    """Lively random variables by official name, float32."""
    rng = np.random.default_rng(seed)
    shapes = checkpoint.decoder_shapes(width, skip, latent) | checkpoint.encoder_shapes(encoder, latent)
    arrays = {}
    for name, shape in shapes.items():
        fan_in = int(np.prod(shape[:-1])) if len(shape) > 1 else 9
        scale = 0.5 if "res_" in name else 2.0 if name == "logits/W" else 1.2
        arrays[name] = (rng.standard_normal(shape) * scale / np.sqrt(fan_in)).astype(np.float32)
    return arrays


def quantise(x: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.asarray(x, dtype=np.float64)
    return np.floor(128 * np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256))


def restore(q: NDArray[np.float64]) -> NDArray[np.float64]:
    v = (q + 0.5) / 128
    return np.where(q == 0, 0, np.sign(v) / 255 * (256 ** np.abs(v) - 1))


class Reference:
    """One clip at a time; `taps` keeps the output of every convolution of the last call."""

    def __init__(self, arrays: Arrays):
        self.arrays = {name: array.astype(np.float64) for name, array in arrays.items()}
        self.taps: Arrays = {}

    def conv(self, scope: str, y: NDArray[np.float64], offsets: tuple[int, ...] = (0,)) -> NDArray[np.float64]:
        w = self.arrays[f"{scope}/W"][0]
        out = np.tile(self.arrays[f"{scope}/biases"], (len(y), 1))
        for tap, offset in zip(w, offsets, strict=True):
            start, stop = max(0, -offset), len(y) - max(0, offset)
            if start < stop:
                out[start:stop] += y[start + offset : stop + offset] @ tap
        self.taps[scope] = out
        return out

    def encode(self, audio: NDArray[np.float64]) -> NDArray[np.float64]:
        x = quantise(audio)[: len(audio) // HOP * HOP, None] / 128
        e = self.conv("ae_startconv", x, (-1, 0, 1))
        for i in range(1, 31):
            d = 2 ** ((i - 1) % 10)
            h = np.maximum(self.conv(f"ae_dilatedconv_{i}", np.maximum(e, 0), (-d, 0, d)), 0)
            e = e + self.conv(f"ae_res_{i}", h)
        code = self.conv("ae_bottleneck", e)
        return code.reshape(-1, HOP, code.shape[1]).mean(1)

    def logits(self, audio: NDArray[np.float64], encoding: NDArray[np.float64]) -> NDArray[np.float64]:
        frame = np.arange(len(audio)) // HOP
        x = np.concatenate([[0.0], quantise(audio[:-1]) / 128])[:, None]
        l = self.conv("startconv", x, (-2, -1, 0))  # noqa: E741
        s = self.conv("skip_start", l)
        for i in range(1, 31):
            d = 2 ** ((i - 1) % 10)
            z = self.conv(f"dilatedconv_{i}", l, (-2 * d, -d, 0)) + self.conv(f"cond_map_{i}", encoding)[frame]
            half = z.shape[1] // 2
            g = 1 / (1 + np.exp(-z[:, :half])) * np.tanh(z[:, half:])
            l = l + self.conv(f"res_{i}", g)  # noqa: E741
            s = s + self.conv(f"skip_{i}", g)
        h = np.maximum(self.conv("out1", np.maximum(s, 0)) + self.conv("cond_map_out1", encoding)[frame], 0)
        return self.conv("logits", h)

    def probabilities(self, audio: NDArray[np.float64], encoding: NDArray[np.float64]) -> NDArray[np.float64]:
        z = self.logits(audio, encoding)
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def draw(
        self, encoding: NDArray[np.float64], rng: np.random.Generator, count: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Uniforms and the classes drawn with them; each uniform is far from every step of its CDF."""
        uniforms, classes = np.zeros(count), np.zeros(count, dtype=np.int64)
        for t in range(count):
            audio = np.append(restore(classes[:t] - 128.0), 0.0)
            cdf = np.cumsum(self.probabilities(audio, encoding)[-1])
            while True:
                u = rng.random()
                if np.abs(cdf - u).min() > 2e-4:
                    break
            uniforms[t], classes[t] = u, np.searchsorted(cdf, u)
        return uniforms, classes


def notes(rng: np.random.Generator, count: int, length: int) -> NDArray[np.float32]:
    """Decaying notes with a little noise, on the grid of 16-bit audio; the first touches -1."""
    t = np.arange(length) / 16_000
    audio = np.stack([np.sin(2 * np.pi * f * t) * np.exp(-3 * t) for f in rng.uniform(80, 900, count)])
    audio = 0.8 * audio + 0.02 * rng.standard_normal(audio.shape)
    audio[0, length // 3] = -1.0
    return (np.round(np.clip(audio, -1, 0.99) * 32768) / 32768).astype(np.float32)


def write_golden(folder: Path, seed: int, **widths: int) -> None:
    """A golden set of other widths: a checkpoint with averages and slots, golden.npz, taps.npz."""
    rng = np.random.default_rng(seed)
    raw, averaged = random_weights(seed, **widths), random_weights(seed + 1, **widths)
    extras = {f"{name}/ExponentialMovingAverage": array for name, array in averaged.items()}
    extras |= {"startconv/W/Adam": raw["startconv/W"], "beta1_power": np.float32(0.1), "global_step": np.int32(7)}
    checkpoint.save(folder, {**raw, **extras}, 200_000)
    reference, averages = Reference(raw), Reference(averaged)
    latent = raw["cond_map_1/W"].shape[2]
    audio, gen_audio = notes(rng, 3, 4096), notes(rng, 2, 3072)
    gen_encoding = rng.standard_normal((2, 6, latent)).astype(np.float32)
    clips, positions = np.array([0, 2]), np.r_[0:40, 500:530, 4060:4096]
    encoding = np.stack([reference.encode(a) for a in audio])
    taps: Arrays = {"enc_tap_positions": np.array([0, 1, 700, 4095]), "dec_tap_positions": np.array([0, 1, 511, 3071])}
    probabilities = [reference.probabilities(audio[c], encoding[c]) for c in clips]
    labels = quantise(audio[clips].astype(np.float64)).astype(int) + 128
    found: Arrays = {"audio": audio, "encoding": encoding, "ae_clips": clips, "ae_positions": positions}
    found["encoding_1024"] = np.stack([reference.encode(a[:1024]) for a in audio])
    found["encoding_512"] = np.stack([reference.encode(a[:512]) for a in audio])
    found["encoding_trim1500"] = reference.encode(audio[-1, :1500])[None]
    found["ae_probs"] = np.stack(probabilities)[:, positions]
    found["ae_quantized"] = labels - 128
    found["ae_nll"] = -np.log(np.take_along_axis(np.stack(probabilities), labels[..., None], 2)).mean()
    found["ema_encoding"] = np.stack([averages.encode(a) for a in audio])
    found["ema_positions"] = positions[::5]
    found["ema_probs"] = np.stack([averages.probabilities(audio[c], found["ema_encoding"][c]) for c in clips])[
        :, positions[::5]
    ]
    seen = {}
    for part, run, clip_list in (
        ("enc", lambda c: reference.encode(audio[c]), clips),
        ("dec", lambda c: reference.logits(gen_audio[c], gen_encoding[c]), (0, 1)),
    ):
        parts: list[Arrays] = []
        for clip in clip_list:
            reference.taps = {}
            run(clip)
            parts.append(reference.taps)
        for scope in parts[0]:
            stacked = np.stack([p[scope] for p in parts])
            at = taps[f"{part}_tap_positions"]
            seen[f"{part}/{scope}"] = stacked if scope.startswith("cond_map") else stacked[:, at]
    logits = np.stack([reference.logits(a, e) for a, e in zip(gen_audio, gen_encoding, strict=True)])
    probabilities_ = np.exp(logits - logits.max(2, keepdims=True))
    probabilities_ = (probabilities_ / probabilities_.sum(2, keepdims=True)).transpose(1, 0, 2)
    late = np.arange(2500, 3072)
    drawn = [reference.draw(e, rng, 40) for e in gen_encoding]
    bins = np.stack([classes for _, classes in drawn], axis=1)
    found |= {
        "gen_audio": gen_audio,
        "gen_encoding": gen_encoding,
        "gen_probs": probabilities_[:1000],
        "gen_late_steps": late,
        "gen_probs_late": probabilities_[late],
        "logit_positions": np.array([0, 1, 3071]),
        "train_logits": logits[:, [0, 1, 3071]],
        "sample_uniforms": np.stack([uniforms for uniforms, _ in drawn], axis=1),
        "sample_bins": bins,
        "sample_audio": restore(bins - 128.0),
    }
    np.savez(folder / "golden.npz", **found)
    np.savez(folder / "taps.npz", **taps, **seen)
