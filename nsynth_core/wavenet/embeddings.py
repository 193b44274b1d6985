"""Encodings in the files of Magenta's tools: a .npy of float32 [frames, 16] or [1, frames, 16]."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nsynth_core.audio import Floats
from nsynth_core.blending.embedding import Embedding
from nsynth_core.blending.instrument import Instrument, sound_files
from nsynth_core.blending.origins import EncodedFiles, EncodedNote, Origin
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.notes import pitch_in_name

SUFFIX = "_embeddings.npy"  # nsynth_save_embeddings adds it to the name of a sound


class NeedsSound(UserError):
    """The file `path` holds encodings of NSynth, which no other engine decodes."""

    def __init__(self, path: Path):
        super().__init__("holds encodings of NSynth, which the other engines cannot decode", path=path)


class EncodingsWithoutPitch(UserError):
    """The encodings in the file `path` say no pitch, and neither does its name."""

    def __init__(self, path: Path):
        super().__init__("encodings say no pitch", path=path)


MAX_FRAMES = 18_750  # ten minutes
MAX_LATENT = 4096


def read(path: Path, latent: int | None = 16) -> Floats:
    """Read the encoding in a .npy, float32 (frames, latent).

    latent: numbers in a frame; None accepts 1..4096
    Raises UserError for a missing file, one that is no .npy, another shape, values that are not finite numbers, and for
    no or more than 18,750 frames.
    """
    try:
        # mapped, so that a header that claims terabytes allocates nothing
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise UserError("no such file", path=path) from None
    except (OSError, ValueError, EOFError, OverflowError, MemoryError) as error:
        raise UserError(
            "not a readable .npy file; write it with numpy.save or nsynth_save_embeddings",
            path=path,
        ) from error
    if not isinstance(mapped, np.ndarray):
        mapped.close()
        raise UserError("an archive of arrays; a single array in a .npy file is needed", path=path)
    shape = mapped.shape[1:] if mapped.ndim == 3 and mapped.shape[0] == 1 else mapped.shape
    of_another = len(shape) != 2 or (shape[1] != latent if latent else not 1 <= shape[1] <= MAX_LATENT)
    if of_another or not 1 <= shape[0] <= MAX_FRAMES or mapped.dtype.kind not in "fiu":
        whose, wide = ("encodings of this checkpoint", latent) if latent else ("NSynth's encodings", 16)
        raise UserError(
            f"holds {mapped.dtype} {list(mapped.shape)}; {whose} are [frames, {wide}] or [1, frames, {wide}]",
            path=path,
        )
    with np.errstate(over="ignore"):
        encoding: Floats = np.array(mapped, dtype=np.float32).reshape(shape)
    if not np.isfinite(encoding).all():
        raise UserError("holds NaN or infinite numbers; encode the sound again", path=path)
    return encoding


def files(source: Path) -> dict[float, Path]:
    """MIDI pitch -> file, in ascending order, of the NAME_PITCH encodings in a folder, or of those that a pattern such
    as embeddings_input/flute_*.npy matches."""
    folder, pattern = (source, "*.npy") if source.is_dir() else (source.parent, source.name)
    paths = {pitch_in_name(path.stem): path for path in sorted(folder.glob(pattern)) if path.suffix.lower() == ".npy"}
    return dict(sorted((pitch, path) for pitch, path in paths.items() if pitch is not None))


def is_coded(source: Path) -> bool:
    """True for a .npy, for a pattern of them, and for a folder of NAME_PITCH encodings without NAME_PITCH sounds."""
    if not source.is_dir():
        return source.suffix.lower() == ".npy"
    return bool(files(source)) and not sound_files(source)


def load_instrument(
    source: Path, latent: int | None = None, pitch: float | None = None, otherwise: float | None = None
) -> Instrument:
    """Encodings as an instrument for NSynth.

    source: a .npy, or a folder or a pattern of NAME_PITCH files such as flute_60_embeddings.npy
    latent: as in `read`
    pitch: MIDI pitch of a single file; None for the one in its name, or else for `otherwise`
    All files are read at once. Raises UserError as `read` does, and where the pitch is not known.
    """
    own = None
    if source.is_dir() or "*" in source.name:
        paths = files(source)
        if not paths:
            raise UserError("no NAME_PITCH encodings (such as flute_60_embeddings.npy) there", path=source)
        name = label = source.name.partition("_*")[0]
    else:
        pitches = (pitch, pitch_in_name(source.stem), otherwise)
        own = next((number for number in pitches if number is not None), None)
        name, label = source.stem.removesuffix("_embeddings"), source.name
        if own is None:
            raise EncodingsWithoutPitch(source)
        paths = {own: source}
    codes = [read(path, latent) for path in paths.values()]
    origin: Origin = EncodedFiles(len(paths)) if own is None else EncodedNote(len(codes[0]), own)

    def load(_: int) -> Embedding:
        raise NeedsSound(source)

    single = len(paths) == 1
    return Instrument(name, tuple(paths), load, single, origin, label, codes=codes.__getitem__)


def write(path: Path, encoding: Floats, force: bool = False) -> None:
    """Write an encoding (frames, latent) as Magenta does: float32, without a batch axis."""
    with atomic(path, force) as temporary, temporary.open("wb") as file:
        np.save(file, np.ascontiguousarray(encoding, dtype=np.float32), allow_pickle=False)
