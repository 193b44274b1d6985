"""NSynth as an engine: it blends the encodings of sounds, not their features.

NSynth cannot move a sound to another pitch. So a recording at the pitch of the blend is encoded as it is, and the
harmonic engine first moves every other sound (another key, a built-in instrument) there. Left and right are encoded and
decoded side by side, and they use the same random numbers. So do all notes: a note of a small grid is the same as that
note blended alone. Large grids round differently (`generator.is_wide`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain, islice
from typing import TypeVar

import numpy as np

from nsynth_core import cache
from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.embedding import Embedding, at_frames
from nsynth_core.blending.engine import MAX_TIMELINES, Blend, Cut, Row, Watch, unwatched
from nsynth_core.blending.instrument import (
    Instrument,
    align,
    blended,
    leading,
    root_pitch,
    steady_frame,
    within_full_scale,
)
from nsynth_core.blending.weights import read_path
from nsynth_core.errors import UsageError, UserError
from nsynth_core.lazy import tf
from nsynth_core.notes import midi_to_hz
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import FRAME_RATE
from nsynth_core.wavenet import checkpoint, encoder, generator
from nsynth_core.wavenet.decoding import EncodedNote, NoteDecoder, hash_of, load_array, save_array
from nsynth_core.wavenet.inputs import encodings, fitted, held, recorded, stereo
from nsynth_core.wavenet.network import HOP, RATE
from nsynth_core.wavenet.options import NSynthOptions

TABLE_SECONDS = 0.25  # length of a note from which only a frame is cut
SETTLE = 0.2  # the share of it, at its start, that no frame is cut from: the network has no past there
Value = TypeVar("Value")


@dataclass(frozen=True)
class AlignedSounds:
    """Encoded sounds on one timeline and at one pitch.

    codes       (sounds, 2, frames, latent) of left and right
    samples     of the blend at 16 kHz
    embeddings  the harmonic engine's, T frames each, of the sounds that are not encodings, and their f0_hz (T,)
    steady      the second at which the leading sound is steadiest
    """

    codes: Floats
    samples: int
    embeddings: tuple[Embedding, ...]
    f0_hz: Floats
    steady: float


class NSynth:
    """The engine "nsynth" (see `nsynth_core.blending.engine.Engine`).

    weights    of a checkpoint
    seed       of the random numbers, 0 or more
    enhance    True adds what the sounds have above 8 kHz
    precision  one of `options.PRECISIONS`
    cut        cuts the frames of tables from notes; None makes notes only
    Raises UserError where the memory is too small for the network.
    """

    name = "nsynth"

    def __init__(
        self,
        weights: checkpoint.Weights,
        seed: int = 0,
        enhance: bool = False,
        precision: str = "float32",
        cut: Cut | None = None,
    ) -> None:
        generator.batch_size(weights, precision=precision)  # raises before any work is done
        self.weights, self.seed, self.enhance, self.precision = weights, seed, enhance, precision
        self.cut = cut
        self.version = weights.digest[:12]
        self.decoder = NoteDecoder(weights, seed, enhance, precision)
        self.latent: int | None = weights.latent
        self.coder = load_coder("harmonic")
        self.versions = {"tensorflow": str(tf.__version__)}

    @property
    def table_rate(self) -> int:
        """The sample rate in Hz of the notes from which frames are cut."""
        return 48_000 if self.enhance else RATE

    @property
    def facts(self) -> dict[str, str]:
        """What files say about the engine beside its name."""
        facts = {"checkpoint": self.weights.digest, "seed": str(self.seed)}
        if self.precision != "float32":
            facts["precision"] = self.precision
        return facts | ({"enhance": "above 8 kHz by the harmonic engine"} if self.enhance else {})

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
        """As `Engine.blend`. The notes of all rows are decoded together, in as few batches as possible. Frames are cut
        from them, or from shorter notes where no notes are wanted."""
        lay = partial(self.sources, seconds=seconds if rate else None, mono=mono, watch=watch)
        laid = lru_cache(MAX_TIMELINES)(lay)
        make = self.note if rate else partial(self.moment, seconds=moment or TABLE_SECONDS)
        all_rows = list(rows)
        encoded = [[make(laid(row.instruments, row.pitch), mix) for mix in row.mixes] for row in all_rows]
        notes = [*chain(*encoded)]
        with watch("nsynth samples", self.decoder.needs(notes)) as update:
            decoded = self.decoder.render(notes, rate or self.table_rate, update)
            for row, mixes in zip(all_rows, encoded, strict=True):
                sounds = list(islice(decoded, len(mixes)))
                if rate:
                    yield Blend([partial(_known, sound) for sound in sounds], partial(self._frames, row, sounds))
                else:
                    yield Blend([], partial(self._frames, row, list(map(settled, sounds))))

    def _frames(self, row: Row, notes: Sequence[Sound], stereo: bool) -> Floats:
        """The frames of the table of a row, (channels, frames, 2048), cut from its notes."""
        if self.cut is None:
            raise UsageError("NSynth makes notes; for tables load it with wavetables.engines.load_engine")
        assert row.path is not None
        return self.cut(notes, root_pitch(row.instruments, row.pitch), len(row.path), stereo)

    def encoding(self, row: Row, seconds: float | None = None, watch: Watch = unwatched) -> Floats:
        """The encoding (frames, latent) of the first note of a row, mono, as Magenta's tools make them. Nothing is
        decoded."""
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
    ) -> AlignedSounds:
        """Encode the instruments on one timeline, as `nsynth_core.blending.instrument.align` lays it out.

        pitch: MIDI, None for the pitch of the first recording
        seconds: None for the length of the first recording
        mono: True encodes the mean of left and right
        Instruments that consist of encodings start with the blend, which ends with the shortest of them. Encodings of
        sounds are cached.
        Raises UserError for a checkpoint without an encoder, and for encodings that are too short or at another pitch.
        """
        lead, root = leading(instruments), root_pitch(instruments, pitch)
        sounds = [instrument for instrument in instruments if instrument.codes is None]
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
        return AlignedSounds(stacked, samples, tuple(embeddings), f0, steady_frame(first) / FRAME_RATE)

    def _coded_seconds(self, instruments: Sequence[Instrument], root: float, seconds: float | None) -> float:
        """The length of a blend with instruments that consist of encodings."""
        if self.enhance:
            raise UserError("enhance needs the sounds themselves: encodings hold nothing above 8 kHz")
        coded = [instrument for instrument in instruments if instrument.codes is not None]
        latent = self.weights.latent
        lengths = {sound.name: len(encodings(sound, root, latent)) * HOP / RATE for sound in coded}
        name = min(lengths, key=lambda name: lengths[name])
        if seconds is not None and seconds > lengths[name]:
            raise UserError(
                f"{name}: holds {lengths[name]:.3g} s, and {seconds:g} s are wanted; make the blend shorter"
            )
        return seconds or lengths[name]

    def _coded(self, instruments: Sequence[Instrument], root: float, seconds: float) -> AlignedSounds:
        """Sources that all are encodings. Without a recording, the steady moment is taken to be at a quarter of the
        length, as in NSynth's own notes, which are held for three of their four seconds."""
        samples = round(seconds * RATE)
        codes = [held(encodings(sound, root, self.weights.latent), -(-samples // HOP)) for sound in instruments]
        f0 = np.full(round(seconds * FRAME_RATE) + 1, midi_to_hz(root), dtype=np.float32)
        return AlignedSounds(np.repeat(np.stack(codes)[:, None], 2, axis=1), samples, (), f0, seconds / 4)

    def note(self, sources: AlignedSounds, weights: Floats) -> EncodedNote:
        """The blend of `sources` with `weights` (sounds,), or along a path (n, sounds) at an even pace."""
        codes = _mixed(sources.codes, weights)
        return EncodedNote(
            codes, sources.samples, lambda rate: self._full(sources.embeddings, weights, sources.f0_hz, rate)
        )

    def moment(self, sources: AlignedSounds, weights: Floats, seconds: float = TABLE_SECONDS) -> EncodedNote:
        """The same around the steady moment, `seconds` long, for a frame of a table."""
        samples = min(max(HOP, round(seconds * RATE)), sources.samples)
        frames = -(-samples // HOP)
        first = round(sources.steady * RATE / HOP - frames / 2)
        first = min(max(first, 0), sources.codes.shape[2] - frames)
        hops = np.arange(round(samples * FRAME_RATE / RATE) + 1) + first * HOP * FRAME_RATE / RATE
        f0 = sources.f0_hz[np.minimum(np.round(hops).astype(np.int64), len(sources.f0_hz) - 1)]

        def full(rate: int) -> Sound:
            return self._full([at_frames(embedding, hops) for embedding in sources.embeddings], weights, f0, rate)

        return EncodedNote(_mixed(sources.codes[:, :, first : first + frames], weights), samples, full)

    def _encoded(self, channel: Floats) -> Floats:
        """The encoding (frames, latent) of audio at 16 kHz, cached."""
        name = cache.digest("nsynth encoding", self.weights.digest, hash_of(channel))
        return cache.remember(name, lambda: encoder.encode(self.weights, channel[None])[0], save_array, load_array)

    def _full(self, embeddings: Sequence[Embedding], weights: Floats, f0_hz: Floats, rate: int) -> Sound:
        return synthesis.render(blended(self.coder, embeddings, weights, f0_hz), rate)


@lru_cache(maxsize=1)
def load(options: NSynthOptions, cut: Cut | None = None) -> NSynth:
    """The engine with these options, which is read once in a process. `cut` as for NSynth.

    Raises UserError for a damaged or foreign checkpoint, and where the memory is too small.
    """
    weights = checkpoint.load(options.checkpoint, options.averages)
    return NSynth(weights, options.seed, options.enhance, options.precision, cut)


def _known(value: Value) -> Value:
    """A value, for callers that want a function that makes it."""
    return value


def settled(note: Sound) -> Sound:
    """The part of a `moment` from which a frame may be cut."""
    return Sound(note.samples[int(SETTLE * len(note.samples)) :], note.rate)


def _mixed(codes: Floats, weights: Floats) -> Floats:
    """The weighted mean (2, frames, latent) of `codes` (sounds, 2, frames, latent), as NSynth blends."""
    path = np.atleast_2d(np.asarray(weights, dtype=np.float32))
    along = read_path(path, np.linspace(0, len(path) - 1, codes.shape[2]))
    return np.asarray(np.einsum("scfl,fs->cfl", codes, along), dtype=np.float32)
