"""Compares this implementation with reference values: python -m nsynth_core.wavenet.verify GOLDEN_DIR

The folder holds a checkpoint of any widths, `golden.npz` and, optionally, `taps.npz`: arrays that the original code
computed. Each array is compared whole, and its largest error is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from nsynth_core.audio import Floats
from nsynth_core.errors import UserError
from nsynth_core.lazy import tf
from nsynth_core.wavenet import network
from nsynth_core.wavenet.checkpoint import Weights, load
from nsynth_core.wavenet.convolution import BLOCK
from nsynth_core.wavenet.encoder import encode
from nsynth_core.wavenet.generator import generate
from nsynth_core.wavenet.mulaw import CLASSES, HALF, network_input, quantise, restore
from nsynth_core.wavenet.network import HOP
from nsynth_core.wavenet.products import LEAST
from nsynth_core.wavenet.streams import Streams

ENCODING, PROBABILITY, LOGIT, TAP, NLL, AUDIO, EXACT = 1e-4, 1e-4, 1e-3, 1e-3, 1e-3, 1e-6, 0.0
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Row:
    """One array: its largest absolute error, and the tolerance."""

    name: str
    error: float
    tolerance: float

    @property
    def good(self) -> bool:
        """True where the error is within the tolerance."""
        return self.error <= self.tolerance  # not so for NaN


def compare(folder: Path) -> Iterator[Row]:
    """Compare each array of `folder` that is an output. Raises UserError for a folder of another layout."""
    golden, taps = _arrays(folder / "golden.npz"), {}
    if (folder / "taps.npz").exists():
        taps = _arrays(folder / "taps.npz")
    weights = load(folder)
    try:
        for check in (_quantiser, _encodings, _averages, _autoencoder, _steps, _free_running):
            yield from check(golden, taps, weights, folder)
    except (KeyError, ValueError, IndexError) as error:
        raise UserError(f"not laid out like a golden set ({error})", path=folder) from error


def _arrays(path: Path) -> Arrays:
    try:
        with np.load(path) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise UserError("cannot be read; a golden set holds golden.npz and a checkpoint", path=path) from error


def _row(name: str, computed: NDArray[Any], expected: NDArray[Any], tolerance: float) -> Row:
    if computed.shape != expected.shape:
        raise ValueError(f"{name} has the shape {expected.shape}, found {computed.shape}")
    error = np.abs(computed.astype(np.float64) - expected.astype(np.float64))
    return Row(name, float(error.max(initial=0.0)), tolerance)


def _quantiser(golden: Arrays, taps: Arrays, weights: Weights, folder: Path) -> Iterator[Row]:
    if "mulaw_int16_out" in golden:
        steps = np.arange(-32768, 32768, dtype=np.float32) / np.float32(32768)
        yield _row("mulaw_int16_out", quantise(steps), golden["mulaw_int16_out"], EXACT)
    if "mulaw_special_out" in golden:
        yield _row("mulaw_special_out", quantise(golden["mulaw_special_in"]), golden["mulaw_special_out"], EXACT)
    if "inv_mulaw_out" in golden:
        yield _row("inv_mulaw_out", restore(golden["inv_mulaw_in"]), golden["inv_mulaw_out"], AUDIO)


def _encodings(golden: Arrays, taps: Arrays, weights: Weights, folder: Path) -> Iterator[Row]:
    """`encoding`, `encoding_<samples>` of the first samples, and `encoding_trim<samples>` of the last clip."""
    for name in sorted(golden):
        if name == "encoding":
            audio = golden["audio"]
        elif name.startswith("encoding_trim"):
            audio = golden["audio"][-1:, : int(name.removeprefix("encoding_trim"))]
        elif name.startswith("encoding_"):
            of = name.removeprefix("encoding_")
            audio = golden.get(f"audio_{of}", golden["audio"])[:, : int(of)]
        else:
            continue
        yield _row(name, encode(weights, audio), golden[name], ENCODING)


def _averages(golden: Arrays, taps: Arrays, weights: Weights, folder: Path) -> Iterator[Row]:
    if not {"ema_encoding", "ema_probs"} & set(golden):
        return
    averaged = load(folder, averages=True)
    if "ema_encoding" in golden:
        yield _row("ema_encoding", encode(averaged, golden["audio"]), golden["ema_encoding"], ENCODING)
    if "ema_probs" in golden:
        audio = golden["audio"][golden["ae_clips"]]
        probabilities = _softmax(_logits(averaged, audio, encode(averaged, audio)))
        yield _row("ema_probs", probabilities[:, golden["ema_positions"]], golden["ema_probs"], PROBABILITY)


def _autoencoder(golden: Arrays, taps: Arrays, weights: Weights, folder: Path) -> Iterator[Row]:
    """The whole autoencoder, and the decoder alone, over whole clips, with single convolutions of both."""
    if "ae_clips" in golden:
        audio = golden["audio"][golden["ae_clips"]]
        kept: Arrays = {}
        codes = encode(weights, audio)
        if any(name.startswith("enc/") for name in taps):
            _whole(weights, lambda v, tap: network.encode(v, _x(audio), tap), _keep(kept, taps, "enc"))
        yield from (_row(name, kept[name], taps[name], TAP) for name in taps if name.startswith("enc/"))
        logits = _logits(weights, audio, codes)
        probabilities = _softmax(logits)
        if "ae_probs" in golden:
            yield _row("ae_probs", probabilities[:, golden["ae_positions"]], golden["ae_probs"], PROBABILITY)
        if "ae_quantized" in golden:
            yield _row("ae_quantized", quantise(audio), golden["ae_quantized"], EXACT)
        if "ae_nll" in golden:
            labels = np.minimum(quantise(audio) + HALF, CLASSES - 1)
            likely = np.take_along_axis(log_softmax(logits.astype(np.float64), axis=2), labels[..., None], 2)
            yield _row("ae_nll", -likely.mean(), golden["ae_nll"], NLL)
    if "train_logits" in golden or any(name.startswith("dec/") for name in taps):
        kept = {}
        logits = _logits(weights, golden["gen_audio"], golden["gen_encoding"], _keep(kept, taps, "dec"))
        if "train_logits" in golden:
            yield _row("train_logits", logits[:, golden["logit_positions"]], golden["train_logits"], LOGIT)
        yield from (_row(name, kept[name], taps[name], TAP) for name in taps if name.startswith("dec/"))


def _steps(golden: Arrays, taps: Arrays, weights: Weights, folder: Path) -> Iterator[Row]:
    """The incremental decoder, in both ways of computing convolutions, with the true samples as its past."""
    if "gen_probs" not in golden:
        return
    whole = _softmax(_logits(weights, golden["gen_audio"], golden["gen_encoding"]))
    for wide in (False, True):
        probabilities = _followed(golden, weights, wide)
        mode = _mode(wide)
        yield _row(f"gen_probs{mode}", probabilities[: len(golden["gen_probs"])], golden["gen_probs"], PROBABILITY)
        if "gen_probs_late" in golden:
            late = probabilities[golden["gen_late_steps"]]
            yield _row(f"gen_probs_late{mode}", late, golden["gen_probs_late"], PROBABILITY)
        yield _row(f"every step, both decoders{mode}", probabilities.transpose(1, 0, 2), whole, PROBABILITY)


def _mode(wide: bool) -> str:
    return ", in pairs" if wide else ""


def _followed(golden: Arrays, weights: Weights, wide: bool) -> Floats:
    """The probabilities (samples, clips, 256) before each sample."""
    classes = quantise(golden["gen_audio"]) + HALF
    encodings = golden["gen_encoding"]
    count, length = classes.shape
    rows = np.arange(max(count, LEAST)) % count
    padded = np.pad(classes, ((0, 0), (0, -length % BLOCK)), constant_values=HALF)[rows]
    streams = Streams(weights, len(rows), padded.shape[1], wide=wide)
    probabilities = []
    for frame, start in enumerate(range(0, padded.shape[1], HOP)):
        conditioning = streams.condition(encodings[rows, frame])
        probabilities.append(streams.follow(conditioning, padded[:, start : start + HOP].T)[:, :count])
    return np.concatenate(probabilities)[:length]


def _free_running(golden: Arrays, taps: Arrays, weights: Weights, folder: Path) -> Iterator[Row]:
    if "sample_uniforms" not in golden:
        return
    uniforms = golden["sample_uniforms"]
    for wide in (False, True):
        audio = generate(weights, golden["gen_encoding"], uniforms=uniforms.T, samples=len(uniforms), wide=wide).T
        yield _row(f"sample_bins{_mode(wide)}", quantise(audio) + HALF, golden["sample_bins"], EXACT)
        if "sample_audio" in golden:
            yield _row(f"sample_audio{_mode(wide)}", audio, golden["sample_audio"], AUDIO)


def _x(audio: Floats) -> tf.Tensor:
    return tf.constant(network_input(quantise(audio)))


def _whole(weights: Weights, run: Callable[[network.Variables, network.Tap], tf.Tensor], tap: network.Tap) -> Floats:
    out: Floats = run({name: tf.constant(array) for name, array in weights.arrays.items()}, tap).numpy()
    return out


def _logits(weights: Weights, audio: Floats, encodings: Floats, tap: network.Tap = network.ignore) -> Floats:
    length = audio.shape[1]
    x = tf.pad(_x(audio), ((0, 0), (0, max(0, encodings.shape[1] * HOP - length))))
    return _whole(weights, lambda v, tap: network.decode(v, x, tf.constant(encodings), tap), tap)[:, :length]


def _keep(kept: Arrays, taps: Arrays, part: str) -> network.Tap:
    """A tap that keeps those values of each convolution that `taps` holds."""
    positions = taps.get(f"{part}_tap_positions")

    def keep(scope: str, value: tf.Tensor) -> None:
        if (name := f"{part}/{scope}") in taps:
            per_frame = scope.startswith("cond_map")
            kept[name] = value.numpy() if per_frame or positions is None else value.numpy()[:, positions]

    return keep


def _softmax(logits: Floats) -> Floats:
    out: Floats = tf.nn.softmax(tf.constant(logits)).numpy()
    return out


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the largest error of each array, and a summary. Returns 0 where all are within tolerance, 1 where not, and
    2 for wrong usage."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if len(words) != 1 or words[0].startswith("-"):
        print("usage: python -m nsynth_core.wavenet.verify GOLDEN_DIR", file=sys.stderr)
        return 2
    rows = []
    try:
        for row in compare(Path(words[0])):
            rows.append(row)
            mark = "" if row.good else "  BEYOND"
            print(f"{row.name:36} {row.error:9.2e}  (tolerance {row.tolerance:g}){mark}", flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    bad = [row.name for row in rows if not row.good]
    if not rows:
        print(f"error: {words[0]}: nothing to compare in golden.npz", file=sys.stderr)
        return 1
    print(
        f"{len(rows)} arrays compared, " + (f"{len(bad)} beyond tolerance: {', '.join(bad)}" if bad else "all within")
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
