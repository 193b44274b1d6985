"""NSynth as an engine. It codes sound, not features: what is blended are encodings of sounds.

NSynth cannot move a sound to another pitch. So a recording at the blend's own pitch goes in as it is, and every other
sound (another key, a built-in instrument) is brought there by the harmonic engine first. Left and right are encoded and
decoded side by side with one noise, and every note draws the same noise: a note of a small grid is the note of a blend
(a large one is computed as `generator.is_wide` says, which rounds otherwise).
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
    read_path,
    root_pitch,
    steady_frame,
    within_full_scale,
)
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


class NSynth:
    """NSynth's WaveNet with one checkpoint's weights and one `seed`; `enhance` adds what lies above 8 kHz; `precision`
    is one of `options.PRECISIONS`; `cut` cuts the frames of tables out of notes.

    Raises UserError where the network does not fit the memory.
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
        generator.batch_size(weights, precision=precision)  # said before anything else is done
        self.weights, self.seed, self.enhance, self.precision = weights, seed, enhance, precision
        self.cut = cut
        self.version = weights.digest[:12]
        self.decoder = NoteDecoder(weights, seed, enhance, precision)
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
        lay = partial(self.sources, seconds=seconds if rate else None, mono=mono, watch=watch)
        laid = lru_cache(MAX_TIMELINES)(lay)
        make = self.note if rate else partial(self.moment, seconds=moment or TABLE_SECONDS)
        asked = list(rows)
        wanted = [[make(laid(row.instruments, row.pitch), mix) for mix in row.mixes] for row in asked]
        notes = [*chain(*wanted)]
        with watch("nsynth samples", self.decoder.needs(notes)) as update:
            made = self.decoder.render(notes, rate or self.table_rate, update)
            for row, mixes in zip(asked, wanted, strict=True):
                sounds = list(islice(made, len(mixes)))
                if rate:
                    yield Blend([partial(_known, sound) for sound in sounds], partial(self._frames, row, sounds))
                else:
                    yield Blend([], partial(self._frames, row, list(map(settled, sounds))))

    def _frames(self, row: Row, notes: Sequence[Sound], stereo: bool) -> Floats:
        """The frames of a row's table, (channels, frames, 2048), cut out of its notes."""
        if self.cut is None:
            raise UsageError("NSynth makes notes; for tables load it with wavetables.engines.load_engine")
        assert row.path is not None
        return self.cut(notes, root_pitch(row.instruments, row.pitch), len(row.path), stereo)

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

    def note(self, sources: Sources, weights: Floats) -> EncodedNote:
        """The blend of `sources` with `weights` (sounds,), or along a path (n, sounds) walked at an even pace."""
        codes = _mixed(sources.codes, weights)
        return EncodedNote(
            codes, sources.samples, lambda rate: self._full(sources.embeddings, weights, sources.f0_hz, rate)
        )

    def moment(self, sources: Sources, weights: Floats, seconds: float = TABLE_SECONDS) -> EncodedNote:
        """The same about the steady moment only, `seconds` long: for a table's frame."""
        samples = min(max(HOP, round(seconds * RATE)), sources.samples)
        frames = -(-samples // HOP)
        first = round(sources.steady * RATE / HOP - frames / 2)
        first = min(max(first, 0), sources.codes.shape[2] - frames)
        hops = np.arange(round(samples * FRAME_RATE / RATE) + 1) + first * HOP * FRAME_RATE / RATE
        f0 = sources.f0_hz[np.minimum(np.round(hops).astype(np.int64), len(sources.f0_hz) - 1)]

        def full(rate: int) -> Sound:
            return self._full([at_frames(each, hops) for each in sources.embeddings], weights, f0, rate)

        return EncodedNote(_mixed(sources.codes[:, :, first : first + frames], weights), samples, full)

    def _encoded(self, channel: Floats) -> Floats:
        """The encoding (frames, latent) of audio at 16 kHz, cached."""
        name = cache.digest("nsynth encoding", self.weights.digest, hash_of(channel))
        return cache.remember(name, lambda: encoder.encode(self.weights, channel[None])[0], save_array, load_array)

    def _full(self, embeddings: Sequence[Embedding], weights: Floats, f0_hz: Floats, rate: int) -> Sound:
        return synthesis.render(blended(self.coder, embeddings, weights, f0_hz), rate)


@lru_cache(maxsize=1)
def load(options: NSynthOptions, cut: Cut | None = None) -> NSynth:
    """The engine of these options, read once a process; `cut` as for NSynth. Raises UserError: a damaged or foreign
    checkpoint, too little memory."""
    weights = checkpoint.load(options.checkpoint, options.averages)
    return NSynth(weights, options.seed, options.enhance, options.precision, cut)


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
