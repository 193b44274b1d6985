"""Sounds, which are samples with their rate: reading, writing, resampling."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from nsynth_core.errors import NotWritable, UserError
from nsynth_core.files import atomic

Floats = NDArray[np.float32]

MIN_RATE, MAX_RATE = 1000, 768_000
MAX_CHANNELS = 64
MAX_SECONDS = 600.0
SILENCE = 1e-5  # -100 dBFS: below the dither of a 16-bit recording
BLOCK = 1 << 16  # samples written at once
LOUDEST = 1e6  # +120 dBFS: a float file with a higher peak does not hold sound
# the files that count as sounds when a folder is searched; `read` accepts every format of libsndfile
SUFFIXES = (".wav", ".aif", ".aiff", ".flac", ".ogg", ".opus", ".mp3", ".caf", ".au", ".w64", ".rf64")
WRITTEN_SUFFIXES = (".wav", ".flac", ".aiff", ".aif", ".ogg", ".mp3")  # offered for notes

# Patterns in libsndfile's log. libsndfile reads the existing samples without an error, so only its log shows a wrong
# length.
CUT_SHORT_IN_LOG = r"^(data|SSND) : .*should be|lacks an end-of-stream|ended unexpectedly"
# more samples follow the declared ones where a chunk is expected
DECLARES_LESS_IN_LOG = r"^(data|SSND) : [^(]*$(?s:.*)^\*\*\* Chunk size \d+ > file length"


class Length(Enum):
    """What the header of a sound file says of its length, compared with the samples in the file."""

    TRUE = "true"  # the file holds what its header declares
    CUT_SHORT = "cut short"  # fewer samples than declared, such as half of a download
    UNDECLARED = "undeclared"  # no samples declared, as in a stream, and yet there are some
    DECLARED_SHORTER = "declared shorter"  # more samples than declared


class SoundFault(Enum):
    """Why a file cannot be used as a sound."""

    RATE = "rate"  # outside MIN_RATE..MAX_RATE
    CHANNELS = "channels"  # more than MAX_CHANNELS
    LENGTH = "length"  # more than MAX_SECONDS
    FORMAT = "format"  # libsndfile cannot read it
    NOT_FINITE = "not finite"  # NaN or infinite samples
    LEVEL = "level"  # peaks above LOUDEST


class UnusableSound(UserError):
    """The file `path` cannot be used as a sound. `fault` is the kind of the reason, `message` the reason."""

    def __init__(self, fault: SoundFault, message: str, path: Path):
        self.fault = fault
        super().__init__(message, path=path)


@dataclass(frozen=True)
class Sound:
    """Audio.

    samples: float32 (n, channels), nominally within +-1
    rate: Hz

    >>> Sound(np.zeros((24_000, 2), np.float32), 48_000).seconds
    0.5
    """

    samples: Floats
    rate: int

    @property
    def seconds(self) -> float:
        """The duration."""
        return len(self.samples) / self.rate

    @property
    def channels(self) -> int:
        """The number of channels."""
        return int(self.samples.shape[1])

    def mid(self) -> Floats:
        """The mean of all channels, float32 (n,). Where the channels cancel each other, the loudest channel."""
        if self.channels == 1:
            return self.samples[:, 0]
        mid: Floats = self.samples @ np.full(self.channels, 1 / self.channels, dtype=np.float32)
        power = [_power(self.samples[:, channel]) for channel in range(self.channels)]
        if _power(mid) < 0.05 * max(power):
            return np.ascontiguousarray(self.samples[:, int(np.argmax(power))])
        return mid


def _power(x: Floats) -> float:
    """The mean square in double precision, computed in blocks to save memory."""
    blocks = range(0, len(x), BLOCK)
    return sum(float(np.sum(x[a : a + BLOCK].astype(np.float64) ** 2)) for a in blocks) / max(len(x), 1)


def read(path: str | os.PathLike[str]) -> Sound:
    """Read a sound file of any format of libsndfile.

    Raises UnusableSound for a file that is not a sound, holds NaN or peaks above LOUDEST, or has a rate, a length or a
    number of channels outside the limits; UserError for a missing, empty or silent file and for a folder.
    """
    name = Path(path)
    if not name.exists():
        raise UserError("no such file", path=name)
    if name.is_dir():
        raise UserError("is a folder; a sound file is needed", path=name)
    if not os.access(name, os.R_OK):
        raise UserError("cannot be read: permission denied", path=name)
    try:
        with _opened(name) as file:
            rate, channels, declared = file.samplerate, file.channels, file.frames
            if not MIN_RATE <= rate <= MAX_RATE:
                fact = f"sample rate {rate} Hz is outside {MIN_RATE}..{MAX_RATE} Hz"
                raise UnusableSound(SoundFault.RATE, fact, name)
            if channels > MAX_CHANNELS:
                raise UnusableSound(SoundFault.CHANNELS, f"{channels} channels", name)
            if declared > MAX_SECONDS * rate:
                raise UnusableSound(SoundFault.LENGTH, f"longer than {MAX_SECONDS:.0f} s", name)
            samples = file.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError, RuntimeError, ValueError) as error:
        why = "the file is empty" if name.stat().st_size == 0 else _reason(str(error))
        raise UnusableSound(SoundFault.FORMAT, f"not a readable sound file ({why})", name) from error
    if len(samples) < 2:
        raise UserError("holds no more than one sample; at least three periods of a note are needed", path=name)
    # the extremes of each channel, which also show NaN and infinity
    low, high = (np.array([extreme(channel) for channel in samples.T]) for extreme in (np.min, np.max))
    if not np.isfinite([low, high]).all():
        raise UnusableSound(SoundFault.NOT_FINITE, "holds NaN or infinite samples", name)
    if float((high - low).max()) < SILENCE:  # a constant offset is not a sound
        raise UserError("silent (peak below -100 dBFS)", path=name)
    if float(np.maximum(-low, high).max()) > LOUDEST:
        fact = "peaks far above full scale; not sound, or damaged"
        raise UnusableSound(SoundFault.LEVEL, fact, name)
    return Sound(samples, rate)


def _opened(path: Path) -> soundfile.SoundFile:
    file = soundfile.SoundFile(path)
    return soundfile.SoundFile(whole) if file.frames == 0 and (whole := streamed(path)) is not None else file


def streamed(path: Path) -> io.BytesIO | None:
    """Repair the header of a WAV file that declares no samples but holds some. None for any other file.

    Programs that write to a pipe make such files, because they cannot return to the header.
    """
    data, place = path.read_bytes(), 12
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    while place + 8 < len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"data":
            name, length = data[place + 8 : place + 12], int.from_bytes(data[place + 12 : place + 16], "little")
            another = all(32 <= byte < 127 for byte in name) and place + 16 + length <= len(data)
            return None if size or another else io.BytesIO(data[: place + 4] + b"\xff" * 4 + data[place + 8 :])
        place += 8 + size + size % 2
    return None


def _reason(error: str) -> str:
    """The reason in libsndfile's message, or a general one where the message gives none."""
    why = error.split(":")[-1].strip().rstrip(".")
    return "damaged, or no sound" if "internal error" in why or "does not exist" in why else why


def write(path: str | os.PathLike[str], sound: Sound, force: bool = False, subtype: str | None = None) -> None:
    """Write `sound` in the format of the path's suffix, atomically.

    force: replace an existing file
    subtype: libsndfile's name of the encoding; None gives 24 bit for WAV, AIFF and FLAC, else libsndfile's default
    The caller sets the level before: peaks above full scale are its error.
    Raises NotWritable for an unknown suffix and where the file cannot be written, FileExists when there is a file and
    `force` is false.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "sine.flac", sine(440))
    ...     read(Path(folder) / "sine.flac").samples.shape
    (24000, 1)
    """
    name = Path(path)
    kind = name.suffix.lstrip(".").upper().replace("AIF", "AIFF").replace("AIFFF", "AIFF")
    if kind not in soundfile.available_formats() or kind == "RAW":  # raw files hold no rate
        raise NotWritable(
            name, f"no sound format is called '{name.suffix}'; end the name in {', '.join(WRITTEN_SUFFIXES)}"
        )
    wanted = subtype or ("PCM_24" if kind in {"WAV", "AIFF", "FLAC"} else None)
    with atomic(name, force) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", sound.rate, sound.channels, wanted, format=kind) as file:
                # in blocks, because libsndfile's Vorbis encoder overflows the stack when it gets minutes at once
                for start in range(0, len(sound.samples), BLOCK):
                    file.write(sound.samples[start : start + BLOCK])
        except (soundfile.LibsndfileError, RuntimeError) as error:
            why = "is the disk full?" if "System error" in str(error) else str(error).split(":")[-1].strip()
            raise NotWritable(name, why) from error


def sine(hz: float, seconds: float = 0.5, rate: int = 48_000) -> Sound:
    """A sine of `hz` Hz at -6 dBFS, one channel: a sound for examples and tests.

    >>> sine(440).samples.shape
    (24000, 1)
    """
    phase = 2 * np.pi * hz / rate * np.arange(round(seconds * rate))
    return Sound((0.5 * np.sin(phase)).astype(np.float32)[:, None], rate)


def length_of(path: str | os.PathLike[str]) -> Length:
    """Compare the length that a sound file's header declares with what the file holds. `read` reads all of them.

    A folder or a pattern of files counts as Length.TRUE. An MP3 that is cut short gives nothing where its last sample
    should be; other formats are told by libsndfile's log.
    Raises OSError or RuntimeError (libsndfile's own) when the file cannot be read.
    """
    name = Path(path)
    if not name.is_file():
        return Length.TRUE
    with soundfile.SoundFile(name) as file:
        log = file.extra_info
        if file.frames == 0 and streamed(name) is not None:
            return Length.UNDECLARED
        cut_short = re.search(CUT_SHORT_IN_LOG, log, re.MULTILINE) is not None
        if not cut_short and "MPEG" in log:
            file.seek(max(file.frames - 1, 0))
            cut_short = len(file.read(1)) == 0
    if cut_short:
        return Length.CUT_SHORT
    return Length.DECLARED_SHORTER if re.search(DECLARES_LESS_IN_LOG, log, re.MULTILINE) else Length.TRUE


def resample(sound: Sound, rate: int) -> Sound:
    """Resample `sound` to `rate` Hz by soxr at very high quality: flat up to 0.91 of the lower Nyquist frequency.

    >>> resample(sine(440), 44_100).samples.shape
    (22050, 1)
    """
    if sound.rate == rate:
        return sound
    samples = soxr.resample(sound.samples, sound.rate, rate, quality="VHQ")
    return Sound(np.ascontiguousarray(samples, dtype=np.float32), rate)
