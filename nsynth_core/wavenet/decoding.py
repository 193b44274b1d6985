"""Encodings of notes -> stereo sounds, in batches of streams, with a cache."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from nsynth_core import cache
from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.blending.engine import Update
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.wavenet import checkpoint, generator
from nsynth_core.wavenet.enhance import enhanced
from nsynth_core.wavenet.network import RATE


@dataclass(frozen=True)
class EncodedNote:
    """A note that is still to be decoded.

    codes    (2, frames, latent) of left and right
    samples  of the note at 16 kHz
    full     full(rate) is the harmonic engine's rendering of the note, which holds what lies above 8 kHz
    """

    codes: Floats
    samples: int
    full: Callable[[int], Sound]


class NoteDecoder:
    """Decodes notes with the weights of one checkpoint, one `seed` and one `precision` of `options.PRECISIONS`.
    `enhance` adds what lies above 8 kHz."""

    def __init__(self, weights: checkpoint.Weights, seed: int, enhance: bool, precision: str) -> None:
        self.weights, self.seed, self.enhance, self.precision = weights, seed, enhance, precision

    def render(
        self, notes: Sequence[EncodedNote], rate: int, progress: Update = lambda done, total, note: None
    ) -> Iterator[Sound]:
        """The notes, stereo at `rate` Hz, in order, each as soon as its batch is decoded. All have the same length.

        Decoded notes are cached, and so is the unfinished part of a run that is interrupted: the next one continues
        there. `progress` counts samples at 16 kHz.
        """
        wide = self._wide(notes)
        streams = {self.stream_name(codes, note.samples, wide) for note in notes for codes in note.codes}
        missing = [name for name in streams if not cache.place(name).exists()]
        total, done = len(missing) * max((note.samples for note in notes), default=0), 0
        if missing:
            progress(0, total, "")
        for batch in self._batches(notes, len(streams), wide):

            def update(samples: int, _: int, note: str, before: int = done) -> None:
                nonlocal done
                done = before + samples
                progress(done, total, note)

            audio_of = self._decoded(batch, wide, update)
            for note in batch:
                pair = np.stack([audio_of[self.stream_name(codes, note.samples, wide)] for codes in note.codes], axis=1)
                sound = Sound(pair, RATE)
                yield enhanced(sound, note.full(rate)) if self.enhance else resample(sound, rate)

    def memory_needed(self, notes: Sequence[EncodedNote]) -> tuple[int, int, int]:
        """(streams, streams at once, bytes) that `render` needs."""
        wide = self._wide(notes)
        streams = {self.stream_name(codes, note.samples, wide) for note in notes for codes in note.codes}
        once = generator.batch_size(self.weights, len(streams), None, self.precision, wide)
        return len(streams), once, generator.memory_needed(self.weights, once, self.precision, wide)

    def needs(self, notes: Sequence[EncodedNote]) -> str:
        """The same in words, for the message before the work."""
        streams, once, size = self.memory_needed(notes)
        lengths = f"{len(notes)} note{'s' * (len(notes) != 1)} of {notes[0].samples / RATE:.3g} s"
        streams_ = f"{streams} stream{'s' * (streams != 1)}, {once} at once"
        return f"nsynth {self.weights.digest[:12]}: {lengths}, {streams_}; {size / 1e9:.1f} GB more memory"

    def _wide(self, notes: Sequence[EncodedNote]) -> bool:
        """How all of `notes` are computed. Cached notes count too, so that a command always makes the same samples."""
        return generator.is_wide(len({hash_of(codes) for note in notes for codes in note.codes}), self.precision)

    def _batches(self, notes: Sequence[EncodedNote], streams: int, wide: bool) -> Iterator[list[EncodedNote]]:
        """The notes in batches with about the same number of streams. Streams with one name are decoded once: both
        sides of a mono note, silence, or two equal mixes."""
        even = -(-streams // max(1, -(-streams // generator.BATCH)))
        batch: list[EncodedNote] = []
        names: set[str] = set()
        for note in notes:
            more = {self.stream_name(codes, note.samples, wide) for codes in note.codes}
            if batch and len(names | more) > even + even % 2:
                yield batch
                batch, names = [], set()
            batch.append(note)
            names |= more
        if batch:
            yield batch

    def _decoded(self, notes: Sequence[EncodedNote], wide: bool, progress: Update) -> dict[str, Floats]:
        """Name → audio (samples,) at 16 kHz of every stream of `notes`, from the cache where it is known."""
        codes = {self.stream_name(codes, note.samples, wide): codes for note in notes for codes in note.codes}
        known = {name: cache.recall(name, load_array) for name in codes}
        missing = [name for name in codes if known[name] is None]
        if missing:
            place = cache.place(cache.digest("nsynth unfinished", *missing))
            decoded = generator.generate(
                self.weights,
                np.stack([codes[name] for name in missing]),
                seed=self.seed,
                streams=[0] * len(missing),
                samples=notes[0].samples,
                precision=self.precision,
                wide=wide,
                unfinished=place if _is_writable(place.parent) else None,
                progress=progress,
            )
            for name, audio in zip(missing, decoded, strict=True):
                cache.keep(name, audio, save_array)
                known[name] = audio
        return {name: audio for name, audio in known.items() if audio is not None}

    def stream_name(self, codes: Floats, samples: int, wide: bool) -> str:
        """The name in the cache of the sound of one channel's `codes`."""
        decides = (self.weights.digest, self.precision, self.seed, wide)
        return cache.digest("nsynth sound", *decides, samples, hash_of(codes))


def hash_of(array: Floats) -> str:
    """SHA-256 of an array's shape and numbers."""
    return hashlib.sha256(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(folder / ".writable", force=True):
            return True
    except (OSError, UserError):
        return False


def save_array(path: Path, array: Floats) -> None:
    """Write an array as the cache keeps it."""
    with atomic(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, array=array)


def load_array(path: Path) -> Floats:
    """Read what `save_array` wrote. Raises UserError for a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return np.asarray(data["array"], dtype=np.float32)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError("damaged", path=path) from error
