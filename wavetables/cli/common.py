"""What the commands share: options, messages, progress, names of outputs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from nsynth_core.errors import UsageError, UserError

if TYPE_CHECKING:
    from rich.progress import Progress

    from nsynth_core.audio import Length
    from nsynth_core.blending.engine import Engine, Watch
    from nsynth_core.blending.instrument import Instrument

Force = Annotated[bool, typer.Option("--force", help="Replace outputs that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no messages; errors are still shown.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(min=0, metavar="N", help="The same seed gives the same result.")]
Pitch = Annotated[
    str | None, typer.Option(metavar="NOTE", help="C3, F#2, A3+12 (cents), a MIDI number (48 is C3) or 440Hz.")
]
Rate = Annotated[int, typer.Option(min=8000, max=192_000, metavar="HZ", help="Sample rate of the notes.")]
EngineName = Annotated[
    str, typer.Option(metavar="NAME", help="harmonic (the network), crossfade, envelope, transport, or nsynth.")
]
Checkpoint = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Of --engine nsynth: the folder, .tar or prefix of wavenet-ckpt.")
]
Averages = Annotated[bool, typer.Option("--averages", help="The moving averages of a checkpoint's weights.")]
Enhance = Annotated[
    bool, typer.Option("--enhance", help="Of --engine nsynth: add what the sounds have above its 8 kHz.")
]
DrawSeed = Annotated[
    int | None, typer.Option("--seed", min=0, metavar="N", help="Of --engine nsynth: the noise it draws. Default: 0.")
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Of --engine nsynth: float32, or bfloat16, faster where the processor knows it, and less exact.",
    ),
]
DETAIL_HELP = "How much of what the network misses is kept: 1 keeps the ends exact."
Detail = Annotated[float | None, typer.Option(metavar="0..1", help=DETAIL_HELP)]
Brightness = Annotated[
    float | None, typer.Option(metavar="DB", help="Tilt of the spectrum, -6..6 dB an octave; above 0 is brighter.")
]
Noise = Annotated[
    float | None, typer.Option(metavar="0..4", help="Breath, bow, consonants: 0 without, 1 as they are, 2 +6 dB.")
]
Width = Annotated[float | None, typer.Option(metavar="0..2", help="Stereo width: 0 mono, 1 as it is, 2 +6 dB of side.")]
Envelope = Annotated[
    str | None, typer.Option(metavar="A|B|mix", help="Whose attack and level curve: the first sound's (A), ... or mix.")
]
Weights = Annotated[
    str | None, typer.Option(metavar="RULE", help="bilinear, or nsynth (1 - distance to the sound, as NSynth weighs).")
]
Stereo = Annotated[
    str | None,
    typer.Option(metavar="KIND", help="Tables in pairs of one phase: lr (left, right), ms (mid, side) or mono."),
]
Soundfonts = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The folder of the two soundfonts, if not where Debian puts them.")
]
Provenance = Annotated[
    bool, typer.Option("--provenance/--no-provenance", help="Say in a table's file where it comes from.")
]
Author = Annotated[str | None, typer.Option(metavar="TEXT", help="Who made it; said in the tables' files.")]
Licence = Annotated[str | None, typer.Option(metavar="TEXT", help="Its licence, such as CC0-1.0; said there, too.")]
Frames = Annotated[int | None, typer.Option(min=1, max=256, metavar="N", help="At most so many frames in the table.")]

MAX_SECONDS = 60.0
WEIGHTS = ("bilinear", "nsynth")
STEREO = {"mono": ("",), "lr": ("-L", "-R"), "ms": ("-M", "-S")}  # what the names of a pair's files end in
NOTE_SUFFIXES = (".wav", ".flac", ".aiff", ".aif", ".ogg", ".mp3")
LOG_SECONDS = 5.0
LENGTH_REMARKS = {  # by the values of nsynth_core.audio.Length
    "cut short": "cut short; what is there is used",
    "undeclared": "its header declares no samples, as that of a stream; those it holds are used",
    "declared shorter": "its header declares less than the file holds; what it declares is used",
}
Item = TypeVar("Item")
Update = Callable[[int, int, str], None]


def say(message: str, quiet: bool = False) -> None:
    """A message for the user, on standard error."""
    if not quiet:
        print(message, file=sys.stderr, flush=True)


def emit(data: Any) -> None:
    """A result for programs: JSON on standard output."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def count(number: int, what: str) -> str:
    """ "1 frame", "2 frames" """
    return f"{number} {what}{'' if number == 1 else 's'}"


def pitch_of(text: str | None) -> float | None:
    """The MIDI pitch of --pitch. Raises UsageError."""
    if text is None:
        return None
    from nsynth_core.notes import parse_pitch

    return parse_pitch(text)


def check_choice(word: str, legal: tuple[str, ...], what: str) -> str:
    """`word` when it is legal. Raises UsageError that names the closest."""
    if word in legal:
        return word
    import difflib

    near = difflib.get_close_matches(word, legal, 1)
    hint = f"did you mean {near[0]}?" if near else f"legal: {', '.join(legal)}"
    raise UsageError(f"no {what} is named {word!r}; {hint}")


def check_number(value: float, low: float, high: float, option: str) -> float:
    """`value` when it is a number within low..high. Raises UsageError."""
    if not low <= value <= high:
        raise UsageError(f"{option} {value:g} is outside {low:g}..{high:g}")
    return value


def check_unused(options: Mapping[str, object], why: str) -> None:
    """Raise UsageError for the first of `options` (name to value) that is given, where it would do nothing."""
    given = [name for name, value in options.items() if value is not None and value is not False]
    if given:
        raise UsageError(f"{given[0]}: {why}; leave it out")


def load_instrument(spec: str | Path, engine: Engine, pitch: float | None = None, quiet: bool = False) -> Instrument:
    """The built-in instrument of that name, else the one in a sound file or folder, or in encodings that the engine
    takes for sounds; says what was found out about it.

    A sound without a pitch of its own is taken at `pitch` (MIDI). Raises UserError.
    """
    import presets
    from nsynth_core.audio import length_of
    from nsynth_core.blending import instrument as blend
    from nsynth_core.notes import note_name
    from nsynth_core.pitch import Unpitched
    from nsynth_core.wavenet import embeddings

    found = presets.corner(spec) if isinstance(spec, str) else spec
    if isinstance(found, str):
        return presets.load_instrument(found, engine.coder)
    path, given = presets.given_pitch(found)
    coded = embeddings.is_coded(path)
    if coded and engine.latent is None:
        raise UserError(f"{path}: holds encodings of NSynth; --engine nsynth decodes them, the others need the sound")
    try:
        if coded:
            instrument = embeddings.load_instrument(path, engine.latent, given, pitch)
        else:
            instrument = blend.load_instrument(path, engine.coder, given)
    except Unpitched as error:
        if pitch is None:
            why = str(error).partition(";")[0]
            example = f"{path}@{note_name(error.guess if error.guess is not None else blend.DEFAULT_PITCH)}"
            raise UserError(f"{why}; give its pitch behind its name, e.g. {example}") from error
        instrument = blend.load_instrument(path, engine.coder, pitch)
    for line in instrument.said:
        say(line, quiet)
    if not coded and (remark := length_remark(length_of(path))):
        say(f"{path}: {remark}", quiet)
    return instrument


def length_remark(length: Length) -> str:
    """What to say of a sound file whose header gives a wrong length, "" for a right one."""
    return LENGTH_REMARKS.get(length.value, "")


def version() -> str:
    """The version of the installed program."""
    from importlib import metadata

    try:
        return metadata.version("make-wavetable")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def check_note_suffix(path: Path) -> None:
    """Raise UsageError when `path` is no name of a sound file that can be written."""
    if path.suffix.lower() not in NOTE_SUFFIXES:
        raise UsageError(f"-o {path}: end the name in {', '.join(NOTE_SUFFIXES[:-1])} or {NOTE_SUFFIXES[-1]}")


def check_no_source(target: Path, sources: Iterable[Path]) -> None:
    """Raise UserError when `target` is one of the files it is made from: not even --force replaces a recording."""
    for source in sources:
        if target.exists() and source.exists() and target.samefile(source):
            raise UserError(f"{source} would be replaced by what is made from it; choose another -o")


def sound_name(spec: str) -> str:
    """What a sound, preset or instrument is called in the names of outputs: its file name without the suffix."""
    import presets

    path = presets.given_pitch(Path(spec))[0]
    return (path.resolve().name if path.is_dir() else path.stem.removesuffix("_*")) or "sound"


def check_folder(folder: Path, force: bool) -> None:
    """Raise UserError when `folder` cannot become the folder of outputs: a file, in use, or below a file."""
    for place in (folder, *folder.parents):
        if place.exists():
            if not place.is_dir():
                raise UserError(f"{place} is a file, so {folder} cannot be a folder; choose another -o")
            break
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UserError(f"{folder} exists already and is not empty; choose another -o or add --force")


def run_batch(items: list[Item], work: Callable[[Item], None], label: str, quiet: bool) -> int:
    """Do `work` on every item and return the exit code: a single item's error is raised, a batch's errors are each one
    line, and the rest goes on: 0 all done, 3 some failed, 1 all failed."""
    if len(items) == 1:
        work(items[0])
        return 0
    failed = 0
    with progress(label, quiet) as update:
        for done, item in enumerate(items, 1):
            try:
                work(item)
            except UserError as error:
                failed += 1
                print(f"make-wavetable: error: {error}", file=sys.stderr, flush=True)
            update(done, len(items), "")
    if failed:
        say(f"{failed} of {len(items)} failed", quiet)
    return 0 if not failed else 3 if failed < len(items) else 1


def watch(quiet: bool) -> Watch:
    """`progress`, as engines show it."""
    return lambda what, said: progress(what, quiet, said)


_bars: list[Progress] = []  # on the terminal: one, whatever is in progress within what


@contextmanager
def progress(label: str, quiet: bool, told: str = "") -> Iterator[Update]:
    """Give update(done, total, note): a bar with rate and time left on a terminal, else log lines; `told` is said
    first."""
    if quiet:
        yield lambda done, total, note: None
        return
    if told:
        say(told)
    if not sys.stderr.isatty():
        yield _log(label)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]} {task.fields[note]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), rate)
    with ExitStack() as opened:
        within = bool(_bars)
        if not within:
            bars = Progress(*columns, console=Console(stderr=True), transient=True)
            _bars.append(opened.enter_context(bars))
            opened.callback(_bars.clear)
        bar, pace = _bars[0], _Pace()
        task = bar.add_task(label, total=None, rate="", note="")
        if within:
            opened.callback(bar.remove_task, task)

        def show(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, rate=f"{pace.of(done):.1f}/s", note=note)

        yield show


class _Pace:
    """How many are done a second, from the first that is: before it work was prepared, or an earlier run did it."""

    def __init__(self) -> None:
        self._start, self._first = time.monotonic(), 0

    def of(self, done: int) -> float:
        now = time.monotonic()
        pace = (done - self._first) / max(now - self._start, 1e-9)
        if done and not self._first:
            self._start, self._first = now, done
        return pace


def _log(label: str) -> Update:
    last, paced = time.monotonic(), _Pace()

    def show(done: int, total: int, note: str) -> None:
        nonlocal last
        now, speed = time.monotonic(), paced.of(done)
        if now - last >= LOG_SECONDS or done == total:
            last = now
            left = round((total - done) / speed) if speed else 0
            pace = (f"{speed:.1f}/s", f"{left // 60}:{left % 60:02} left") if speed else ()
            say(", ".join(filter(None, (f"{label}: {done}/{total}", *pace, note))))

    return show
