"""Encodings as Magenta's tools keep them: a .npy of float32 [frames, 16], or [1, frames, 16]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.blending.embedding import Embedding
from nsynth_core.blending.instrument import Instrument, sound_files
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.notes import note_name, pitch_in_name

SUFFIX = "_embeddings.npy"  # nsynth_save_embeddings appends it to a sound's name
MAX_FRAMES = 18_750  # ten minutes
MAX_LATENT = 4096


def read(path: Path, latent: int | None = 16) -> Floats:
    """The encoding (frames, latent), float32, of a .npy with or without a leading axis of one; None takes any latent.

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
    of_another = len(shape) != 2 or (shape[1] != latent if latent else not 1 <= shape[1] <= MAX_LATENT)
    if of_another or not 1 <= shape[0] <= MAX_FRAMES or mapped.dtype.kind not in "fiu":
        whose, wide = ("encodings of this checkpoint", latent) if latent else ("NSynth's encodings", 16)
        raise UserError(
            f"{path}: holds {mapped.dtype} {list(mapped.shape)}; {whose} are [frames, {wide}] or [1, frames, {wide}]"
        )
    with np.errstate(over="ignore"):
        encoding: Floats = np.array(mapped, dtype=np.float32).reshape(shape)
    if not np.isfinite(encoding).all():
        raise UserError(f"{path}: holds NaN or infinite numbers; encode the sound again")
    return encoding


def files(source: Path) -> dict[float, Path]:
    """MIDI pitch → file, ascending, of the NAME_PITCH encodings in a folder, or of those that a pattern picks
    (embeddings_input/flute_*.npy)."""
    folder, pattern = (source, "*.npy") if source.is_dir() else (source.parent, source.name)
    found = {pitch_in_name(path.stem): path for path in sorted(folder.glob(pattern)) if path.suffix.lower() == ".npy"}
    return dict(sorted((pitch, path) for pitch, path in found.items() if pitch is not None))


def is_coded(source: Path) -> bool:
    """True for a .npy, a pattern of them, and a folder that holds NAME_PITCH encodings and no NAME_PITCH sound."""
    if not source.is_dir():
        return source.suffix.lower() == ".npy"
    return bool(files(source)) and not sound_files(source)


def load_instrument(
    source: Path, latent: int | None = None, pitch: float | None = None, otherwise: float | None = None
) -> Instrument:
    """Encodings as a sound of NSynth's: a .npy, whose MIDI pitch is `pitch`, the one in its name
    (flute_60_embeddings.npy) or `otherwise`; or a folder or pattern of such files. Each is read now.

    Raises UserError: as `read`, and for a name without a pitch.
    """
    if source.is_dir() or "*" in source.name:
        found = files(source)
        if not found:
            raise UserError(f"{source}: no NAME_PITCH encodings (such as flute_60_embeddings.npy) there")
        name = source.name.partition("_*")[0]
        said = f"{name}: {len(found)} encodings of NSynth's"
    else:
        pitches = (pitch, pitch_in_name(source.stem), otherwise)
        own = next((each for each in pitches if each is not None), None)
        name = source.stem.removesuffix("_embeddings")
        if own is None:
            raise UserError(
                f"{source}: encodings say no pitch; give it behind its name, e.g. {source}@C3, or call it "
                f"{name}_48{SUFFIX}"
            )
        found = {own: source}
        said = f"{source.name}: %d frames of NSynth's, {note_name(own)}"
    codes = [read(path, latent) for path in found.values()]

    def load(_: int) -> Embedding:
        raise UserError(f"{source}: holds encodings of NSynth; --engine nsynth decodes them, no other")

    told = (said.replace("%d", str(len(codes[0]))),)
    return Instrument(name, tuple(found), load, len(found) == 1, told, codes=codes.__getitem__)


def write(path: Path, encoding: Floats, force: bool = False) -> None:
    """Write an encoding (frames, latent) as float32, atomically and without a batch axis, as Magenta does."""
    with atomic(path, force) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(encoding, dtype=np.float32), allow_pickle=False)
