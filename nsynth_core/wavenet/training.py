"""Trains NSynth's WaveNet on any sounds, and saves checkpoints in the official layout.

As published (Magenta's `h512_bo16` and its trainer), it takes crops of 6144 samples and the mean negative log
likelihood of the true class, and uses Adam with a learning rate that falls in steps over 200,000 iterations. Averaged
weights are saved beside the raw ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from nsynth_core.audio import Floats, read, resample
from nsynth_core.errors import NotWritable, UserError
from nsynth_core.lazy import require_tensorflow, tf
from nsynth_core.wavenet import memory, network
from nsynth_core.wavenet.checkpoint import AVERAGE, LAYERS, STEP, Shapes, Weights, decoder_shapes, encoder_shapes, save
from nsynth_core.wavenet.checkpoint import read as read_checkpoint
from nsynth_core.wavenet.mulaw import CLASSES, HALF, Classes, quantise
from nsynth_core.wavenet.network import RATE

WIDTH, STEPS, BATCH, CROP = 512, 200_000, 32, 6144
SCHEDULE = {0: 2e-4, 90_000: 4e-4 / 3, 120_000: 6e-5, 150_000: 4e-5, 180_000: 2e-5, 210_000: 6e-6, 240_000: 2e-6}
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
DECAY = 0.9999
UNUSED = ("res_30/W", "res_30/biases")  # the last residual has no effect, so no gradient
SAVE_EVERY, REPORT_EVERY = 1000, 10
KEPT = 10  # numbers kept for the gradients, for each layer, sample and channel
KEPT_SOUNDS = 4096  # in memory; so many four-second notes of NSynth's have 0.5 GB

Report = Callable[[int, int, float], None]


def learning_rate(step: int) -> float:
    """The published learning rate at `step`.

    >>> learning_rate(100_000) < learning_rate(0)
    True
    """
    return SCHEDULE[max(start for start in SCHEDULE if start <= step)]


def sounds(folder: Path) -> list[Path]:
    """The sound files in `folder` and below it, in the order of their names.

    Raises UserError for a missing folder, for one without sound files, and for a file that cannot be read.
    """
    if not folder.is_dir():
        raise UserError("no such folder; the nsynth engine is trained on a folder of sounds", path=folder)
    suffixes = {f".{kind.lower()}" for kind in soundfile.available_formats()} - {".raw"} | {".aif"}
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes and path.is_file())
    if not files:
        raise UserError("holds no sound files; the nsynth engine is trained on a folder of sounds", path=folder)
    for path in files:  # now, not when it is drawn after some hours
        try:
            soundfile.info(path)
        except (OSError, RuntimeError) as error:
            raise UserError("not a readable sound file; take it out of the folder", path=path) from error
    return files


def memory_needed(width: int, batch: int) -> int:
    """Bytes that training needs without TensorFlow: what each crop keeps in each layer for the gradients (measured),
    and six copies of the weights."""
    shapes = _shapes(width)
    return batch * CROP * LAYERS * KEPT * width * 4 + 6 * 4 * sum(int(np.prod(shape)) for shape in shapes.values())


def _shapes(width: int, latent: int = 16) -> Shapes:
    """The shapes of all variables. As published, skips are half as wide as the decoder, and the encoder a quarter."""
    return decoder_shapes(width, max(1, width // 2), latent) | encoder_shapes(max(1, width // 4), latent)


def initial_weights(seed: int, width: int = WIDTH, latent: int = 16) -> Weights:
    """Fresh weights: uniform, of unit scale for their number of inputs. Biases are 0."""
    shapes = _shapes(width, latent)
    rng = np.random.default_rng(seed)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    for name in shapes:
        if name.endswith("/W"):
            limit = np.sqrt(3 / np.prod(shapes[name][:-1]))
            arrays[name] = rng.uniform(-limit, limit, shapes[name]).astype(np.float32)
    return Weights(arrays)


def train(
    files: Sequence[Path],
    folder: Path,
    *,
    seed: int = 0,
    steps: int = STEPS,
    batch: int = BATCH,
    width: int = WIDTH,
    rate: float = 1.0,
    resume: bool = True,
    report: Report = lambda step, steps, loss: None,
) -> Path:
    """Train on sound files of any rate and length. Returns the prefix of the last checkpoint in `folder`.

    folder: a checkpoint is also written here every 1000 steps, and when the run is interrupted
    seed: decides everything that is random, 0 or more
    steps, batch: how many steps, and crops in each
    width: channels of a layer, 512 as published
    rate: scales the published learning rates; small networks bear more
    resume: True continues from a checkpoint in `folder`, as if training had never stopped
    report: report(step, steps, loss in nats a sample); a network that knows nothing has ln 256 = 5.55
    Raises UserError for a sound that cannot be read, for a folder that cannot be written or holds another checkpoint,
    and where the memory is too small. Raises MissingExtra where TensorFlow is not installed.
    """
    require_tensorflow("train")
    free, needed = memory.free(), memory_needed(width, batch)
    if free is not None and needed > memory.USABLE * free:
        raise UserError(
            f"not enough memory: training {width} wide, {batch} crops a step, takes {needed / 1e9:.1f} GB, "
            f"{free / 1e9:.1f} GB are free; take a smaller batch or width"
        )
    _check_writable(folder)
    learner = _Learner(initial_weights(seed, width).arrays)
    if resume and is_trained(folder):
        learner.restore(folder)
    saved = learner.done
    prefix = folder / f"model.ckpt-{saved}"
    try:
        for step in range(saved, steps):
            loss = learner.step(crops(files, seed, step, batch), rate)
            if learner.done % REPORT_EVERY == 0 or learner.done in (1, steps):
                report(learner.done, steps, loss)
            if learner.done % SAVE_EVERY == 0 and learner.done < steps:
                prefix = save(folder, learner.arrays(), learner.done)
                saved = learner.done
    finally:
        if learner.done > saved:
            prefix = save(folder, learner.arrays(), learner.done)
    return prefix


def is_trained(folder: Path) -> bool:
    """True for a folder that holds a checkpoint."""
    return any(folder.glob("*.index"))


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise NotWritable(folder, error.strerror or str(error)) from error


def crops(files: Sequence[Path], seed: int, step: int, batch: int) -> Classes:
    """The random crops of random sounds of one step, as classes 0..255, int32 (batch, CROP)."""
    rng = np.random.default_rng([seed, step])
    samples = np.zeros((batch, CROP), dtype=np.float32)
    for crop in samples:
        sound = _sound(files[int(rng.integers(len(files)))])
        start = int(rng.integers(max(1, len(sound) - CROP + 1)))
        part = sound[start : start + CROP]
        crop[: len(part)] = part
    classes: Classes = np.minimum(quantise(samples) + HALF, CLASSES - 1)
    return classes


@lru_cache(maxsize=KEPT_SOUNDS)
def _sound(path: Path) -> Floats:
    mono = resample(read(path), RATE).samples.mean(1)
    clipped: Floats = np.clip(mono, -1, 1)
    return clipped


class _Learner:
    """Variables, Adam's slots and averages, under the names that a training run saves."""

    def __init__(self, arrays: Mapping[str, Floats]):
        self.done = 0
        self._raw = {name: tf.Variable(array) for name, array in arrays.items()}
        self._average = {name: tf.Variable(array) for name, array in arrays.items()}
        learnt = [name for name in arrays if name not in UNUSED]
        self._mean = {name: tf.Variable(tf.zeros_like(self._raw[name])) for name in learnt}
        self._square = {name: tf.Variable(tf.zeros_like(self._raw[name])) for name in learnt}
        self._kinds = {"": self._raw, AVERAGE: self._average, "/Adam": self._mean, "/Adam_1": self._square}
        self._apply = tf.function(self._learn, autograph=False)

    def restore(self, folder: Path) -> None:
        """Take over the state that was saved in `folder`. Raises UserError where its shapes are others."""
        wanted = {name: np.shape(array) for name, array in self.arrays().items()}
        try:
            arrays = read_checkpoint(folder, wanted)
        except UserError as error:
            raise UserError(
                f"training cannot continue from {error}; or choose another folder, or begin again"
            ) from error
        for suffix, kind in self._kinds.items():
            for name, variable in kind.items():
                variable.assign(arrays[name + suffix])
        self.done = int(arrays[STEP])

    def step(self, classes: Classes, rate: float) -> float:
        """Make one step of Adam on a batch of classes (N, T). Returns the loss before it."""
        size = rate * learning_rate(self.done)
        self.done += 1
        # early on the average is short, so that the random start is forgotten
        decay = min(DECAY, (1 + self.done) / (10 + self.done))
        numbers = (size, BETA1**self.done, BETA2**self.done, decay)
        return float(self._apply(tf.constant(classes), *(tf.constant(number, tf.float32) for number in numbers)))

    def _learn(
        self, classes: tf.Tensor, size: tf.Tensor, power1: tf.Tensor, power2: tf.Tensor, decay: tf.Tensor
    ) -> tf.Tensor:
        x = tf.cast(classes - HALF, tf.float32) / HALF
        names = list(self._mean)
        with tf.GradientTape() as tape:
            logits = network.decode(self._raw, x, network.encode(self._raw, x))
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(classes, logits))
        gradients = tape.gradient(loss, [self._raw[name] for name in names])
        for name, gradient in zip(names, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=self._raw[name].handle,
                m=self._mean[name].handle,
                v=self._square[name].handle,
                beta1_power=power1,
                beta2_power=power2,
                lr=size,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                grad=gradient,
            )
        for name, average in self._average.items():
            average.assign_sub((1 - decay) * (average - self._raw[name]))
        return loss

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that a training run saves, by name."""
        arrays = {name + suffix: v.numpy() for suffix, kind in self._kinds.items() for name, v in kind.items()}
        powers = {"beta1_power": BETA1, "beta2_power": BETA2}
        arrays |= {name: np.float32(beta ** (self.done + 1)) for name, beta in powers.items()}
        return arrays | {STEP: np.int32(self.done)}
