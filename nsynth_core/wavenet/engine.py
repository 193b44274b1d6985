"""NSynth as an engine. It codes sound, not features: what is blended are encodings of sounds.

NSynth cannot move a sound to another pitch. So a recording at the blend's own pitch goes in as it is, and every other
sound (another key, a built-in instrument) is brought there by the harmonic engine first. Left and right are encoded and
decoded side by side with one noise, and every note draws the same noise: a note of a small grid is the note of a blend
(a large one is computed as `generator.is_wide` says, which rounds otherwise).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np

from nsynth_core import cache
from nsynth_core.audio import Floats, Sound, resample
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.embedding import Embedding, at_frames
from nsynth_core.blending.engine import LAID, Blend, Row, Update, Watch, unwatched
from nsynth_core.blending.instrument import (
    Instrument,
    align,
    blended,
    leading,
    read_path,
    root_pitch,
    steady_frame,
    within_full_scale,
)
from nsynth_core.errors import UserError
from nsynth_core.files import atomic
from nsynth_core.lazy import tf
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import FRAME_RATE
from nsynth_core.wavenet import checkpoint, encoder, generator
from nsynth_core.wavenet.enhance import enhanced
from nsynth_core.wavenet.inputs import encodings, fitted, held, recorded, stereo
from nsynth_core.wavenet.network import HOP, RATE

TABLE_SECONDS = 0.25  # of a note that only a frame is cut from
SETTLE = 0.2  # of it, at its start, where the network has no past yet: no part of a frame
Made = TypeVar("Made")


@dataclass(frozen=True)
class Sources:
    """Sounds on one timeline, at one pitch: `codes` (sounds, 2, frames, latent) of left and right, for notes of
    `samples` at 16 kHz; those that are not codes only as the harmonic engine's `embeddings` (T frames each) with f0_hz
    (T,), and the second `steady` at which they are most themselves."""

    codes: Floats
    samples: int
    embeddings: tuple[Embedding, ...]
    f0_hz: Floats
    steady: float


@dataclass(frozen=True)
class Note:
    """A note to be decoded: `codes` (2, frames, latent) and the `samples` of it at 16 kHz; `full(rate)` is the harmonic
    engine's rendering, which knows what lies above 8 kHz."""

    codes: Floats
    samples: int
    full: Callable[[int], Sound]


class NSynth:
    """NSynth's WaveNet with one checkpoint's weights and one `seed`; `enhance` adds what lies above 8 kHz; `precision`
    is one of `options.PRECISIONS`.

    Raises UserError where the network does not fit the memory.
    """

    name = "nsynth"

    def __init__(
        self, weights: checkpoint.Weights, seed: int = 0, enhance: bool = False, precision: str = "float32"
    ) -> None:
        generator.batch_size(weights, precision=precision)  # said before anything else is done
        self.weights, self.seed, self.enhance, self.precision = weights, seed, enhance, precision
        self.version = weights.digest[:12]
        self.latent: int | None = weights.latent
        self.coder = load_coder("harmonic")
        self.versions = {"tensorflow": str(tf.__version__)}

    @property
    def table_rate(self) -> int:
        """At which cycles are cut: without `enhance` 16 kHz is all there is."""
        return 48_000 if self.enhance else RATE

    @property
    def facts(self) -> dict[str, str]:
        """What files say of it beside its name."""
        told = {"checkpoint": self.weights.digest, "seed": str(self.seed)}
        if self.precision != "float32":
            told["precision"] = self.precision
        return told | ({"enhance": "above 8 kHz by the harmonic engine"} if self.enhance else {})

    def blend(
        self,
        rows: Iterable[Row],
        seconds: float | None = None,
        rate: int | None = None,
        *,
        mono: bool = False,
        moment: float | None = None,
        watch: Watch = unwatched,
    ) -> Iterator[Blend]:
        """As `Engine.blend`, all notes of all rows in as few batches as can be. Frames are cut from the notes; where
        none are asked for, from moments."""
        laid = lru_cache(LAID)(partial(self.sources, seconds=seconds if rate else None, mono=mono, watch=watch))
        make = self.note if rate else partial(self.moment, seconds=moment or TABLE_SECONDS)
        wanted = [[make(laid(row.instruments, row.pitch), mix) for mix in row.mixes] for row in rows]
        notes = [*chain(*wanted)]
        with watch("nsynth samples", self._needs(notes)) as update:
            made = self.render(notes, rate or self.table_rate, update)
            for row in wanted:
                sounds = list(islice(made, len(row)))
                if rate:
                    yield Blend([partial(_known, sound) for sound in sounds], partial(_known, sounds))
                else:
                    yield Blend([], partial(_known, list(map(settled, sounds))))

    def encoding(self, row: Row, seconds: float | None = None, watch: Watch = unwatched) -> Floats:
        """The encoding (frames, latent) of a row's first note, of which nothing is decoded; mono, as Magenta's tools
        encode."""
        sources = self.sources(row.instruments, row.pitch, seconds, mono=True, watch=watch)
        codes: Floats = self.note(sources, row.mixes[0]).codes[0]
        return codes

    def sources(
        self,
        instruments: Sequence[Instrument],
        pitch: float | None = None,
        seconds: float | None = None,
        *,
        mono: bool = False,
        watch: Watch = unwatched,
    ) -> Sources:
        """The instruments, laid on one another as `blend.align` does, encoded. `pitch` MIDI: else the first
        recording's; `seconds`: else as long as it. What is there as `codes` only begins with the blend, which ends with
        the shortest of them. `mono` encodes the mean of left and right. Encodings are cached. Raises UserError: a
        checkpoint without an encoder, codes that are too short or of another pitch."""
        lead, root = leading(instruments), root_pitch(instruments, pitch)
        sounds = [each for each in instruments if each.codes is None]
        if len(sounds) < len(instruments):
            seconds = self._coded_seconds(instruments, root, seconds)
            pitch = root if instruments[lead].codes is not None else pitch
        if not sounds:
            return self._coded(instruments, root, seconds or 0.0)
        embeddings, f0 = align(sounds, pitch, seconds)
        first = embeddings[leading(sounds)]
        samples = round((len(f0) - 1) * RATE / FRAME_RATE)
        waiting = iter(embeddings)
        channels: list[Callable[[], Floats]] = []
        frames = -(-samples // HOP)
        for instrument in instruments:
            if instrument.codes is not None:
                channels += [partial(held, encodings(instrument, root, self.weights.latent), frames)] * 2
                continue
            embedding = next(waiting)
            sound = recorded(instrument, root, first.onset())
            if sound is None:
                features = blended(self.coder, [embedding], np.ones(1, dtype=np.float32), f0)
                sound = within_full_scale(synthesis.render(features, RATE))
            pair = stereo(Sound(sound.mid()[:, None], RATE) if mono else sound)
            channels += [partial(self._encoded, channel) for channel in fitted(pair, frames * HOP).T]
        codes = []
        with watch("nsynth encodes", "") as progress:
            for number, channel in enumerate(channels, 1):
                codes.append(channel())
                progress(number, len(channels), "encoding")
        stacked = np.stack(codes).reshape(len(instruments), 2, -1, self.weights.latent)
        return Sources(stacked, samples, tuple(embeddings), f0, steady_frame(first) / FRAME_RATE)

    def _coded_seconds(self, instruments: Sequence[Instrument], root: float, seconds: float | None) -> float:
        """How long a blend is of which some sounds are codes only."""
        if self.enhance:
            raise UserError("--enhance needs the sounds themselves: encodings know nothing above 8 kHz")
        coded = [each for each in instruments if each.codes is not None]
        lengths = {each.name: len(encodings(each, root, self.weights.latent)) * HOP / RATE for each in coded}
        name = min(lengths, key=lambda each: lengths[each])
        if seconds is not None and seconds > lengths[name]:
            raise UserError(
                f"{name}: holds {lengths[name]:.3g} s, and {seconds:g} s are asked for; --duration says how many"
            )
        return seconds or lengths[name]

    def _coded(self, instruments: Sequence[Instrument], root: float, seconds: float) -> Sources:
        """Sources of which only codes are there. No recording says when it is steady: in NSynth's own notes, held for
        three seconds of four, a quarter of the way is."""
        samples = round(seconds * RATE)
        codes = [held(encodings(each, root, self.weights.latent), -(-samples // HOP)) for each in instruments]
        f0 = np.full(round(seconds * FRAME_RATE) + 1, midi_to_hz(root), dtype=np.float32)
        return Sources(np.repeat(np.stack(codes)[:, None], 2, axis=1), samples, (), f0, seconds / 4)

    def note(self, sources: Sources, weights: Floats) -> Note:
        """The blend of `sources` with `weights` (sounds,), or along a path (n, sounds) walked at an even pace."""
        codes = _mixed(sources.codes, weights)
        return Note(codes, sources.samples, lambda rate: self._full(sources.embeddings, weights, sources.f0_hz, rate))

    def moment(self, sources: Sources, weights: Floats, seconds: float = TABLE_SECONDS) -> Note:
        """The same about the steady moment only, `seconds` long: for a table's frame."""
        samples = min(max(HOP, round(seconds * RATE)), sources.samples)
        frames = -(-samples // HOP)
        first = round(sources.steady * RATE / HOP - frames / 2)
        first = min(max(first, 0), sources.codes.shape[2] - frames)
        hops = np.arange(round(samples * FRAME_RATE / RATE) + 1) + first * HOP * FRAME_RATE / RATE
        f0 = sources.f0_hz[np.minimum(np.round(hops).astype(np.int64), len(sources.f0_hz) - 1)]

        def full(rate: int) -> Sound:
            return self._full([at_frames(each, hops) for each in sources.embeddings], weights, f0, rate)

        return Note(_mixed(sources.codes[:, :, first : first + frames], weights), samples, full)

    def render(
        self, notes: Sequence[Note], rate: int, progress: Update = lambda done, total, note: None
    ) -> Iterator[Sound]:
        """The notes, stereo at `rate`, in order, each as soon as its batch is decoded. All are equally long.

        What was decoded once is cached, and so is what an interrupted run has done: the next one goes on there.
        `progress` counts samples at 16 kHz.
        """
        wide = self._wide(notes)
        streams = {self._name(codes, note.samples, wide) for note in notes for codes in note.codes}
        missing = [name for name in streams if not cache.place(name).exists()]
        total, done = len(missing) * max((note.samples for note in notes), default=0), 0
        if missing:
            progress(0, total, "")
        for batch in self._batches(notes, len(streams), wide):

            def update(samples: int, _: int, note: str, before: int = done) -> None:
                nonlocal done
                done = before + samples
                progress(done, total, note)

            heard = self._decoded(batch, wide, update)
            for note in batch:
                pair = np.stack([heard[self._name(codes, note.samples, wide)] for codes in note.codes], axis=1)
                sound = Sound(pair, RATE)
                yield enhanced(sound, note.full(rate)) if self.enhance else resample(sound, rate)

    def memory(self, notes: Sequence[Note]) -> tuple[int, int, int]:
        """(streams, streams at once, bytes) that `render` takes."""
        wide = self._wide(notes)
        streams = {self._name(codes, note.samples, wide) for note in notes for codes in note.codes}
        once = generator.batch_size(self.weights, len(streams), None, self.precision, wide)
        return len(streams), once, generator.memory_needed(self.weights, once, self.precision, wide)

    def _needs(self, notes: Sequence[Note]) -> str:
        """What rendering them takes, to be said before."""
        streams, once, size = self.memory(notes)
        each = f"{len(notes)} note{'s' * (len(notes) != 1)} of {notes[0].samples / RATE:.3g} s"
        many = f"{streams} stream{'s' * (streams != 1)}, {once} at once"
        return f"nsynth {self.version}: {each}, {many}; {size / 1e9:.1f} GB more memory"

    def _wide(self, notes: Sequence[Note]) -> bool:
        """How all of `notes` are computed, whatever of them is cached: the same command makes the same samples."""
        return generator.is_wide(len({_hash(codes) for note in notes for codes in note.codes}), self.precision)

    def _batches(self, notes: Sequence[Note], streams: int, wide: bool) -> Iterator[list[Note]]:
        """The notes in batches of about evenly many streams, as many as are decoded together. Silence on one side, a
        mono source, two equal mixes: what has one name is one stream."""
        even = -(-streams // max(1, -(-streams // generator.BATCH)))
        batch: list[Note] = []
        names: set[str] = set()
        for note in notes:
            more = {self._name(codes, note.samples, wide) for codes in note.codes}
            if batch and len(names | more) > even + even % 2:
                yield batch
                batch, names = [], set()
            batch.append(note)
            names |= more
        if batch:
            yield batch

    def _decoded(self, notes: Sequence[Note], wide: bool, progress: Update) -> dict[str, Floats]:
        """Name → audio (samples,) at 16 kHz of every stream of `notes`, from the cache where it is known."""
        codes = {self._name(codes, note.samples, wide): codes for note in notes for codes in note.codes}
        known = {name: cache.recall(name, _load) for name in codes}
        missing = [name for name in codes if known[name] is None]
        if missing:
            place = cache.place(cache.digest("nsynth unfinished", *missing))
            made = generator.generate(
                self.weights,
                np.stack([codes[name] for name in missing]),
                seed=self.seed,
                streams=[0] * len(missing),
                samples=notes[0].samples,
                precision=self.precision,
                wide=wide,
                unfinished=place if _writable(place.parent) else None,
                progress=progress,
            )
            for name, audio in zip(missing, made, strict=True):
                cache.keep(name, audio, _save)
                known[name] = audio
        return {name: audio for name, audio in known.items() if audio is not None}

    def _name(self, codes: Floats, samples: int, wide: bool) -> str:
        made = (self.weights.digest, self.precision, self.seed, wide)
        return cache.digest("nsynth sound", *made, samples, _hash(codes))

    def _encoded(self, channel: Floats) -> Floats:
        """The encoding (frames, latent) of audio at 16 kHz, cached."""
        name = cache.digest("nsynth encoding", self.weights.digest, _hash(channel))
        return cache.remember(name, lambda: encoder.encode(self.weights, channel[None])[0], _save, _load)

    def _full(self, embeddings: Sequence[Embedding], weights: Floats, f0_hz: Floats, rate: int) -> Sound:
        return synthesis.render(blended(self.coder, embeddings, weights, f0_hz), rate)


def _known(made: Made) -> Made:
    """What is there already, where something that makes it is wanted."""
    return made


def settled(note: Sound) -> Sound:
    """The part of a `moment` that a frame may be cut from."""
    return Sound(note.samples[int(SETTLE * len(note.samples)) :], note.rate)


def _mixed(codes: Floats, weights: Floats) -> Floats:
    """Codes (2, frames, latent) of a blend of `codes` (sounds, 2, frames, latent): the mean that NSynth takes."""
    path = np.atleast_2d(np.asarray(weights, dtype=np.float32))
    along = read_path(path, np.linspace(0, len(path) - 1, codes.shape[2]))
    return np.asarray(np.einsum("scfl,fs->cfl", codes, along), dtype=np.float32)


def _hash(array: Floats) -> str:
    return hashlib.sha256(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes()).hexdigest()


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with atomic(folder / ".writable", force=True):
            return True
    except (OSError, UserError):
        return False


def _save(path: Path, array: Floats) -> None:
    with atomic(path, force=True) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, array=array)


def _load(path: Path) -> Floats:
    try:
        with np.load(path, allow_pickle=False) as data:
            return np.asarray(data["array"], dtype=np.float32)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise UserError(f"{path}: damaged") from error
