"""Encodings as Magenta's tools keep them: a .npy of float32 [frames, 16], or [1, frames, 16]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.blend import Instrument
from nsynth_core.embedding import Embedding
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.notes import note_name, pitch_in_name

SUFFIX = "_embeddings.npy"  # nsynth_save_embeddings appends it to a sound's name
MAX_FRAMES = 18_750  # ten minutes


def read(path: Path, latent: int = 16) -> Floats:
    """The encoding (frames, latent), float32, of a .npy with or without a leading axis of one.

    Raises UserError: missing, no .npy, another shape, not numbers, not finite, none or more than MAX_FRAMES frames.
    """
    try:
        # mapped, so that a header that promises terabytes is found out before they are asked for
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (OSError, ValueError, EOFError, OverflowError, MemoryError) as error:
        raise UserError(
            f"{path}: not a readable .npy file; write it with numpy.save or nsynth_save_embeddings"
        ) from error
    if not isinstance(mapped, np.ndarray):
        mapped.close()
        raise UserError(f"{path}: an archive of arrays; a single array in a .npy file is needed")
    shape = mapped.shape[1:] if mapped.ndim == 3 and mapped.shape[0] == 1 else mapped.shape
    if len(shape) != 2 or shape[1] != latent or not 1 <= shape[0] <= MAX_FRAMES or mapped.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: holds {mapped.dtype} {list(mapped.shape)}; encodings of this checkpoint are [frames, {latent}] "
            f"or [1, frames, {latent}]"
        )
    with np.errstate(over="ignore"):
        encoding: Floats = np.array(mapped, dtype=np.float32).reshape(shape)
    if not np.isfinite(encoding).all():
        raise UserError(f"{path}: holds NaN or infinite numbers; encode the sound again")
    return encoding


def load_instrument(path: Path, latent: int, pitch: float | None = None) -> Instrument:
    """A .npy as a sound of NSynth's: its MIDI pitch is `pitch`, or the one in its name (flute_60_embeddings.npy).

    Raises UserError: as `read`, and for a name without a pitch.
    """
    codes = read(path, latent)
    stem = path.name.removesuffix(SUFFIX).removesuffix(path.suffix)
    found = pitch if pitch is not None else pitch_in_name(stem)
    if found is None:
        raise UserError(
            f"{path}: encodings say no pitch; give it behind its name, e.g. {path}@C3, or call it {stem}_48{SUFFIX}"
        )

    def load(_: int) -> Embedding:
        raise UserError(f"{path}: holds encodings of NSynth; --engine nsynth decodes them, no other")

    said = f"{path.name}: {len(codes)} frames of NSynth's, {note_name(found)}"
    return Instrument(stem, (found,), load, True, (said,), codes=codes)


def write(path: Path, encoding: Floats, force: bool = False) -> None:
    """Write an encoding (frames, latent) as float32, atomically and without a batch axis, as Magenta does."""
    with atomic(path, force) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(encoding, dtype=np.float32), allow_pickle=False)
