"""SFZ: a text file that maps samples to keys. A table becomes a looped cycle for each frame, and the mod wheel picks
one. Notes become a multisample.

Measured with sfizz: the end of a loop belongs to it; a loop needs both its points; a `clm ` chunk turns a sample into
an oscillator, whose tables keep 511 harmonics. Frames are oscillators on purpose, since these are band-limited at every
key. Their files have a rate of 56320 Hz, at which 2048 samples are exactly A0, so that players without oscillators loop
them in tune, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np

from nsynth_core import audio
from nsynth_core.audio import Floats, Sound
from nsynth_core.errors import UserError
from nsynth_core.files import atomic, check_free
from nsynth_core.notes import midi_to_hz
from wavetables.formats import cycles, riff
from wavetables.formats.common import MAX_FILE_FRAMES, Loaded, check_peak, read_bytes
from wavetables.shaping import resample_frames
from wavetables.table import FRAME_SIZE, Table

RATE, KEY = 56_320, 21  # 56320 / 2048 = 27.5 Hz = A0
STEPS = 128  # positions of the mod wheel
LOOP_END = 0.8  # of a note, at which its release begins
LOOP_FADE = 0.08  # seconds
MAX_BYTES = 1 << 20


def write(path: str | os.PathLike[str], table: Table, force: bool = False) -> None:
    """Write a table: `path`, and beside it a folder of its frames, bit-exact.

    The mod wheel (CC 1) picks the frame that the next note plays. More than 128 frames are spread over the wheel's 128
    positions.
    Raises UserError: a table that clips, a file that exists (unless `force`), a place that cannot be written.
    """
    check_peak(path, table)
    target = Path(path)
    check_free(target, force)
    frames = table.frames if len(table.frames) <= STEPS else resample_frames(table.frames, STEPS)
    edges = [round(STEPS * index / len(frames)) for index in range(len(frames) + 1)]
    lines = [
        f"// {_plain(table.name)}: {len(frames)} frames, the mod wheel (CC 1) picks one",
        "<control>",
        f"default_path={target.stem}/",
        "<global>",
        f"oscillator=on oscillator_phase=0 pitch_keycenter={KEY}",
        f"loop_mode=loop_continuous loop_start=0 loop_end={FRAME_SIZE - 1}",
        "ampeg_attack=0.002 ampeg_release=0.05",
    ]
    for index, frame in enumerate(frames):
        file = f"{index:03}.wav"
        with atomic(target.with_suffix("") / file, force) as temporary:
            temporary.write_bytes(riff.wave(frame[None], after=riff.info(_one_frame(table, frame)), rate=RATE))
        lines.append(f"<region> sample={file} locc1={edges[index]} hicc1={edges[index + 1] - 1}")
    with atomic(target, force) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def _one_frame(table: Table, frame: Floats) -> Table:
    return Table(frame[None], table.name, table.root_pitch, table.provenance)


def _plain(text: str) -> str:
    return re.sub(r"[^ -~]", "", text).strip()


# ---------------------------------------------------------------------------------------------------------------- notes
def write_notes(
    path: str | os.PathLike[str],
    notes: Mapping[float, Sound],
    force: bool = False,
    provenance: Mapping[str, str] | None = None,
) -> None:
    """Write notes as a multisample: `path`, and beside it a folder of their samples.

    notes: held notes by their MIDI pitch, at least one
    provenance: text by key, written as comments
    Each key plays the nearest note; `tune` takes the fraction of a semitone. A note that does not fade is looped over
    whole periods: see `looped`.
    Raises UserError: a file that exists (unless `force`), a place that cannot be written.
    """
    target = Path(path)
    check_free(target, force)
    pitches = sorted(notes)
    keys = [min(max(round(pitch), 0), 127) for pitch in pitches]
    lows = [0, *((before + after) // 2 + 1 for before, after in pairwise(keys))]
    highs = [*(low - 1 for low in lows[1:]), 127]
    lines = [
        *(f"// {_plain(key)}: {_plain(str(text))}" for key, text in (provenance or {}).items()),
        "<control>",
        f"default_path={target.stem}/",
        "<global>",
        "oscillator=off ampeg_release=0.2",
    ]
    for pitch, key, low, high in zip(pitches, keys, lows, highs, strict=True):
        sound, loop = looped(notes[pitch], midi_to_hz(pitch))
        file = f"{target.stem}_{pitch:g}.wav"
        audio.write(target.with_suffix("") / file, sound, force)
        mode = f"loop_mode=loop_continuous loop_start={loop[0]} loop_end={loop[1]}" if loop else "loop_mode=no_loop"
        tune = round(100 * (key - pitch), 3)
        place = f"lokey={low} hikey={high} pitch_keycenter={key}" + (f" tune={tune:g}" if tune else "")
        lines.append(f"<region> sample={file} {place} {mode}")
    with atomic(target, force) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def looped(sound: Sound, f0_hz: float) -> tuple[Sound, tuple[int, int] | None]:
    """A note with its loop prepared, and the loop's first and last sample.

    f0_hz: its fundamental frequency
    The loop lies in the last part of the note before its release. It is a whole number of periods, as near to a whole
    number of samples as there is, and its end is crossfaded into what comes before its start. None instead of a loop
    for a note that is too short, or fades by more than 6 dB within it.

    >>> note, loop = looped(audio.sine(220.0, seconds=1.0), 220.0)
    >>> loop[0] < loop[1] < len(note.samples)
    True
    """
    samples, period = sound.samples, sound.rate / f0_hz
    stop = int(LOOP_END * len(samples))
    fade = int(LOOP_FADE * sound.rate)
    most, least = stop - int(0.25 * len(samples)) - fade, max(4 * period, 0.1 * len(samples), fade)
    counts = np.arange(int(np.ceil(least / period)), int(most / period) + 1)
    if not len(counts):
        return sound, None
    lengths = counts * period
    errors = np.abs(lengths - np.round(lengths))
    # an error of a hundredth of a sample is inaudible: of the lengths with less, or with the least, the longest is
    # taken
    length = int(np.round(lengths[errors <= max(0.01, float(errors.min()))][-1]))
    start = stop - length

    def level(around: int) -> float:
        return float(np.sqrt(np.mean(samples[around - fade : around].astype(np.float64) ** 2)))

    if not level(stop) > 0.5 * level(start):
        return sound, None
    share = np.linspace(0, 1, fade + 1)[1:, None]
    mended = samples.astype(np.float64)
    mended[stop - fade : stop] = (1 - share) * mended[stop - fade : stop] + share * mended[start - fade : start]
    return Sound(mended.astype(np.float32), sound.rate), (start, stop - 1)


# -------------------------------------------------------------------------------------------------------------- reading
def read(path: str | os.PathLike[str]) -> Table:
    """The table of an SFZ instrument whose regions are single cycles. Raises UserError: missing, no regions, samples
    that are missing, outside the instrument's folder, or no single cycles."""
    return load(path).table(Path(path).stem)


def load(path: str | os.PathLike[str]) -> Loaded:
    """Read the samples of the regions in their order, each as one cycle of 2..8192 samples. Raises UserError as
    `read`."""
    name = Path(path)
    text = read_bytes(name, MAX_BYTES).decode("utf-8", "replace")
    folder, samples = _samples(text)
    if not samples:
        raise UserError("no regions with samples; not an SFZ instrument", path=name)
    distinct = list(dict.fromkeys(samples))[:MAX_FILE_FRAMES]
    loaded = [cycles.load_one(sample_path(name, folder, sample)) for sample in distinct]
    first = loaded[0]
    return Loaded(
        "sfz",
        cycles.one_size(loaded),
        f"{len(loaded)} single cycles in its regions",
        first.encoding,
        first.rate,
        name=first.name,
        root_pitch=first.root_pitch,
        provenance=first.provenance,
    )


def sample_path(path: Path, folder: str, sample: str) -> Path:
    """The file of a `sample` of the instrument `path`, whose default path is `folder`. Raises UserError: a name that is
    too long, or that leads out of the instrument's folder."""
    place = (folder + sample).replace("\\", "/")
    if len(place) > 200:
        raise UserError(f"the name of its sample {sample[:40]!r}... is too long", path=path)
    if place.startswith(("/", "~")) or ".." in Path(place).parts or ":" in place or "\0" in place:
        raise UserError(f"its sample {sample[:80]!r} lies outside its folder; put it beside the file", path=path)
    return path.parent / place


def regions(text: str) -> list[dict[str, str]]:
    """The opcodes of every region of an SFZ text, with those it inherits; `default_path` is among them.

    >>> regions("<global> volume=-6 <region> sample=a.wav key=60")
    [{'volume': '-6', 'sample': 'a.wav', 'key': '60'}]
    """
    levels: dict[str, dict[str, str]] = {"control": {}, "global": {}, "master": {}, "group": {}}
    all_regions = []
    pieces = re.split(r"<(\w+)>", re.sub(r"//[^\n]*", "", text))
    for header, body in zip(pieces[1::2], pieces[2::2], strict=True):
        opcodes: dict[str, str] = {}
        for line in body.splitlines():
            parts = re.split(r"(?<!\S)(\w+)=", line)
            opcodes |= {key: value.strip() for key, value in zip(parts[1::2], parts[2::2], strict=True)}
        if header == "region":
            all_regions.append({key: value for level in (*levels.values(), opcodes) for key, value in level.items()})
        elif header in levels:
            order = list(levels)
            deeper = order[order.index(header) + 1 :] if header != "control" else []
            levels |= {header: opcodes, **{level: {} for level in deeper}}
    return all_regions


def _samples(text: str) -> tuple[str, list[str]]:
    """(default path, samples) of an SFZ text. A sample's name ends at the next opcode, or at the end of the line."""
    plain = re.sub(r"//[^\n]*", "", text)
    path = re.search(r"default_path=([^\r\n<]*)", plain)
    samples = re.findall(r"sample=([^\r\n<]*?)\s*(?=\s\w+=|[\r\n<]|$)", plain)
    return (path.group(1).strip().replace("\\", "/") if path else ""), [sample for sample in samples if sample]
