"""Checkpoints in the official layout: reads them from a folder, a prefix or a .tar, checks and writes them.

Names and shapes are those of Magenta's NSynth WaveNet (`h512_bo16`). Only the widths may differ.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.errors import NotWritable, UserError
from nsynth_core.files import atomic
from nsynth_core.lazy import require_tensorflow, tf
from nsynth_core.wavenet import archive, index, memory
from nsynth_core.wavenet.archive import PARTS, WHERE
from nsynth_core.wavenet.mulaw import CLASSES

LAYERS, CYCLE, TAPS = 30, 10, 3
DILATIONS = tuple(1 << (i % CYCLE) for i in range(LAYERS))
AVERAGE = "/ExponentialMovingAverage"
STEP = "global_step"
MAX_WIDTH = 4096

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Weights:
    """The variables of one network: `arrays` by official name, float32. Names of the encoder start with ae_."""

    arrays: Mapping[str, Floats]

    @property
    def width(self) -> int:
        """Channels of the decoder's residual stream (512)."""
        return int(self.arrays["startconv/W"].shape[3])

    @property
    def skip(self) -> int:
        """Channels of the decoder's skip sum (256)."""
        return int(self.arrays["skip_start/W"].shape[3])

    @property
    def latent(self) -> int:
        """Numbers in a frame of the encoding (16)."""
        return int(self.arrays["cond_map_1/W"].shape[2])

    @property
    def has_encoder(self) -> bool:
        """False for a checkpoint that only decodes."""
        return "ae_startconv/W" in self.arrays

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names, shapes and numbers, whatever file they came from. Provenance and caches name it."""
        sum_ = hashlib.sha256()
        for name in sorted(self.arrays):
            sum_.update(f"{name} {self.arrays[name].shape}\n".encode())
            sum_.update(np.ascontiguousarray(self.arrays[name], dtype="<f4").data)
        return sum_.hexdigest()


def decoder_shapes(width: int = 512, skip: int = 256, latent: int = 16) -> Shapes:
    """Name -> shape of the 250 variables of the decoder.

    >>> len(decoder_shapes())
    250
    """
    scopes = {"startconv": (TAPS, 1, width), "skip_start": (1, width, skip)}
    for i in range(1, LAYERS + 1):
        scopes |= {
            f"dilatedconv_{i}": (TAPS, width, 2 * width),
            f"cond_map_{i}": (1, latent, 2 * width),
            f"res_{i}": (1, width, width),
            f"skip_{i}": (1, width, skip),
        }
    return _variables(
        scopes | {"out1": (1, skip, skip), "cond_map_out1": (1, latent, skip), "logits": (1, skip, CLASSES)}
    )


def encoder_shapes(width: int = 128, latent: int = 16) -> Shapes:
    """Name -> shape of the 124 variables of the encoder.

    >>> len(encoder_shapes())
    124
    """
    scopes = {"ae_startconv": (TAPS, 1, width)}
    for i in range(1, LAYERS + 1):
        scopes |= {f"ae_dilatedconv_{i}": (TAPS, width, width), f"ae_res_{i}": (1, width, width)}
    return _variables(scopes | {"ae_bottleneck": (1, width, latent)})


def _variables(scopes: Mapping[str, tuple[int, int, int]]) -> Shapes:
    named: Shapes = {}
    for scope, (taps, inputs, outputs) in scopes.items():
        named |= {f"{scope}/W": (1, taps, inputs, outputs), f"{scope}/biases": (outputs,)}
    return named


def load(path: str | os.PathLike[str], averages: bool = False) -> Weights:
    """Read a checkpoint.

    path: its folder, its prefix, one of its files, or a .tar of them
    averages: True reads `<name>/ExponentialMovingAverage` in place of `<name>`
    The widths are those of its shapes. Other variables are ignored. A checkpoint without variables of the encoder only
    decodes.
    Raises UserError where a file or a variable is missing, has another shape, is damaged or not finite, and for an
    archive that would write outside its folder. Raises MissingExtra without TensorFlow.
    """
    require_tensorflow("nsynth")
    given = Path(path)
    with _prefix(given) as prefix:
        return _read(given, prefix, averages)


@contextmanager
def _prefix(given: Path) -> Iterator[Path]:
    """The prefix of the checkpoint. Archives are unpacked while it is used."""
    folder = given.parent if given.name == "checkpoint" and given.is_file() else given
    if folder.is_dir():
        yield _only_prefix(folder, given)
    elif given.is_file() and not PARTS.fullmatch(given.name):
        with tempfile.TemporaryDirectory(prefix="make-wavetable-") as unpacked:
            archive.unpack(given, Path(unpacked))
            yield _only_prefix(Path(unpacked), given)
    else:
        part = PARTS.fullmatch(given.name) if given.is_file() else None
        prefix = given.with_name(part["prefix"]) if part else given
        if not prefix.with_name(f"{prefix.name}.index").is_file():
            raise UserError(f"no checkpoint is there (no {prefix.name}.index); {WHERE}", path=given)
        yield prefix


def _only_prefix(folder: Path, given: Path) -> Path:
    """The prefix in a folder: the one that its file `checkpoint` names, or the one with the most steps."""
    try:
        prefixes = {file.with_suffix("") for file in folder.glob("*.index") if file.is_file()}
        if not prefixes:
            prefixes = {file.with_suffix("") for file in folder.glob("*/*.index") if file.is_file()}
        latest = folder / "checkpoint"
        if latest.is_file() and latest.stat().st_size < 1 << 16:
            # the path is that of another machine: only its last part is of use
            named = re.search(
                r'^model_checkpoint_path: "(?:.*[/\\])?([^/\\"]+)"', latest.read_text("utf-8", "replace"), re.M
            )
            if named and folder / named[1] in prefixes:
                return folder / named[1]
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", path=given) from error
    if not prefixes:
        raise UserError(f"holds no checkpoint (no .index file); {WHERE}", path=given)
    return max(prefixes, key=lambda prefix: (_step(prefix), prefix.name))


def _step(prefix: Path) -> int:
    number = re.search(r"(\d{1,18})$", prefix.name)
    return int(number[1]) if number else -1


def _read(given: Path, prefix: Path, averages: bool) -> Weights:
    files = _Files(given, prefix)
    suffix = AVERAGE if averages else ""
    expected = _expected(given, files.shapes, suffix)
    arrays = files.read({name + suffix: shape for name, shape in expected.items()})
    return Weights({name: arrays[name + suffix] for name in expected})


def read(folder: Path, shapes: Shapes) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays of these names and shapes, and `global_step`. Raises UserError as `load` does."""
    return _Files(folder, _only_prefix(folder, folder)).read({**shapes, STEP: ()})


class _Files:
    """The variables in the files of a checkpoint, by its index. Raises UserError for other files."""

    def __init__(self, given: Path, prefix: Path) -> None:
        self._given, self._prefix = given, prefix
        try:
            index.check(prefix.with_name(f"{prefix.name}.index"))
            self._reader = tf.train.load_checkpoint(str(prefix))
            shapes = self._reader.get_variable_to_shape_map()
            self._types = dict(self._reader.get_variable_to_dtype_map())
        except Exception as error:  # TensorFlow raises many kinds for hostile bytes
            raise UserError(f"damaged, or no TensorFlow checkpoint ({_reason(error)}); {WHERE}", path=given) from error
        self.shapes: Shapes = {name: tuple(shape) for name, shape in shapes.items()}

    def read(self, expected: Shapes) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of these names and shapes. Raises UserError that names one that is missing or different."""
        given = self._given
        for name, shape in expected.items():
            _check_there(given, self.shapes, name)
            kind = tf.int32 if name == STEP else tf.float32
            if self.shapes[name] != shape or self._types[name] != kind:
                kept = f"{self._types[name].name} {list(self.shapes[name])}"
                raise UserError(
                    f"variable {name} is {kept}, but {kind.name} {list(shape)} is needed; {WHERE}", path=given
                )
        # no shape may need more memory than the files have numbers
        files = [file for file in self._prefix.parent.iterdir() if file.name.startswith(f"{self._prefix.name}.data-")]
        size = sum(file.stat().st_size for file in files)
        needed = 4 * sum(int(np.prod(shape)) for shape in expected.values())
        if size < needed:
            raise UserError(f"cut short: {size} bytes of data, at least {needed} are needed; copy it again", path=given)
        free = memory.free()
        if free is not None and needed > memory.USABLE * free:
            raise UserError(
                f"not enough memory: its weights take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
                "close other programs",
                path=given,
            )
        arrays = {}
        for name in expected:
            try:
                array = np.asarray(self._reader.get_tensor(name))
            except Exception as error:
                raise UserError(
                    f"variable {name} is damaged ({_reason(error)}); copy the file again",
                    path=given,
                ) from error
            if not np.isfinite(array).all():
                raise UserError(f"variable {name} holds NaN or infinite numbers; the file is damaged", path=given)
            arrays[name] = array
        return arrays


def _expected(given: Path, shapes: Shapes, suffix: str) -> Shapes:
    """The shapes that must be there, at the widths that most of the checkpoint's shapes have."""

    def size(scope: str, axis: int) -> int:
        names = [f"{scope}_{i}/W{suffix}" for i in range(1, LAYERS + 1)]
        sizes = Counter(shapes[name][axis] for name in names if len(shapes.get(name, ())) == 4)
        _check_there(given, shapes, next((name for name in names if name in shapes), names[0]))
        most = sizes.most_common(1)[0][0] if sizes else 0
        if not 1 <= most <= MAX_WIDTH:
            raise UserError(
                f"variable {names[0]} has the impossible shape {list(shapes.get(names[0], ()))}; {WHERE}",
                path=given,
            )
        return most

    latent = size("cond_map", 2)
    expected = decoder_shapes(size("res", 3), size("skip", 3), latent)
    if any(name.startswith("ae_") for name in shapes):
        expected |= encoder_shapes(size("ae_res", 3), latent)
    return expected


def _check_there(given: Path, shapes: Shapes, key: str) -> None:
    if key not in shapes:
        raw = key.removesuffix(AVERAGE)
        why = "it holds no moving averages" if raw != key and raw in shapes else "no NSynth WaveNet, or not all of it"
        raise UserError(f"variable {key} is missing ({why}); {WHERE}", path=given)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__


def save(folder: Path, arrays: Mapping[str, np.ndarray[Any, Any]], step: int) -> Path:
    """Write `arrays` by name as `model.ckpt-<step>` in `folder`, in the V2 format; `checkpoint` names it.

    Returns the prefix. Files appear whole: the index, without which nothing is read, comes last.
    """
    prefix = folder / f"model.ckpt-{step}"
    temporary = folder / f".model.ckpt-{step}.part"
    names = sorted(arrays)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tf.raw_ops.SaveV2(
            prefix=str(temporary),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.convert_to_tensor(arrays[name]) for name in names],
        )
        for ending in ("data-00000-of-00001", "index"):
            os.replace(f"{temporary}.{ending}", f"{prefix}.{ending}")
        with atomic(folder / "checkpoint", force=True) as state:
            state.write_text(f'model_checkpoint_path: "{prefix.name}"\nall_model_checkpoint_paths: "{prefix.name}"\n')
    except (OSError, tf.errors.OpError) as error:
        raise NotWritable(folder, _reason(error)) from error
    return prefix
