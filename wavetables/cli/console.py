"""The terminal: results on standard output, messages and progress on standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from nsynth_core.errors import UserError
from wavetables.cli.words import estimate_words, sentence

if TYPE_CHECKING:
    from rich.progress import Progress

    from nsynth_core.blending.engine import Watch
    from wavetables.estimate import Estimate

DONE, FAILED, USAGE, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 130  # exit codes
LOG_SECONDS = 5.0  # between two lines of progress where there is no terminal
Item = TypeVar("Item")
Update = Callable[[int, int, str], None]  # items done, items in all, a note


def say(message: str, quiet: bool = False) -> None:
    """Print a message for the user on standard error."""
    if not quiet:
        print(message, file=sys.stderr, flush=True)


def say_error(error: UserError, command: str = "") -> None:
    """Print the one line of an error of `command` on standard error, even with --quiet."""
    print(f"make-wavetable: error: {sentence(error, command)}", file=sys.stderr, flush=True)


def emit(data: Any) -> None:
    """Print a result for programs: JSON on standard output."""
    print(json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False))


def tell_estimate(output: Path, estimate: Estimate, as_json: bool) -> None:
    """Print the result of a dry run on standard output."""
    if as_json:
        print(json.dumps({"output": str(output), **asdict(estimate)}))
    else:
        print(f"{output}: {estimate_words(estimate)}; nothing was written")


def exit_code(failed: int, total: int) -> int:
    """The exit code of a batch: 0 all done, 3 some failed, 1 all failed.

    >>> exit_code(0, 5), exit_code(2, 5), exit_code(5, 5)
    (0, 3, 1)
    """
    return DONE if not failed else SOME_FAILED if failed < total else FAILED


def run_batch(items: list[Item], work: Callable[[Item], None], label: str, quiet: bool) -> int:
    """Do `work` on every item and return the exit code. The error of a single item is raised. In a batch each error is
    printed as one line, and the other items are still done."""
    if len(items) == 1:
        work(items[0])
        return DONE
    failed = 0
    with progress(label, quiet) as update:
        for done, item in enumerate(items, 1):
            try:
                work(item)
            except UserError as error:
                failed += 1
                say_error(error)
            update(done, len(items), "")
    if failed:
        say(f"{failed} of {len(items)} failed", quiet)
    return exit_code(failed, len(items))


def watch(quiet: bool) -> Watch:
    """`progress` in the form that engines take."""
    return lambda label, message: progress(label, quiet, message)


_bars: list[Progress] = []  # the one bar display on the terminal, which nested calls share


@contextmanager
def progress(label: str, quiet: bool, message: str = "") -> Iterator[Update]:
    """Give a function update(done, total, note). On a terminal it shows a bar with rate and time left, elsewhere log
    lines. `message` is printed first."""
    if quiet:
        yield lambda done, total, note: None
        return
    if message:
        say(message)
    if not sys.stderr.isatty():
        yield _log(label)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    rate = TextColumn("{task.fields[rate]} {task.fields[note]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), rate)
    with ExitStack() as opened:
        nested = bool(_bars)
        if not nested:
            bars = Progress(*columns, console=Console(stderr=True), transient=True)
            _bars.append(opened.enter_context(bars))
            opened.callback(_bars.clear)
        bar, pace = _bars[0], Pace()
        task = bar.add_task(label, total=None, rate="", note="")
        if nested:
            opened.callback(bar.remove_task, task)

        def show(done: int, total: int, note: str) -> None:
            bar.update(task, completed=done, total=total, rate=f"{pace.of(done):.1f}/s", note=note)

        yield show


class Pace:
    """Items per second, counted from the first finished item. What came before it is preparation, or was done by an
    earlier run."""

    def __init__(self) -> None:
        self._start, self._first = time.monotonic(), 0

    def of(self, done: int) -> float:
        """Items per second when `done` are finished."""
        now = time.monotonic()
        pace = (done - self._first) / max(now - self._start, 1e-9)
        if done and not self._first:
            self._start, self._first = now, done
        return pace


def _log(label: str) -> Update:
    last, pace = time.monotonic(), Pace()

    def show(done: int, total: int, note: str) -> None:
        nonlocal last
        now, rate = time.monotonic(), pace.of(done)
        if now - last >= LOG_SECONDS or done == total:
            last = now
            left = round((total - done) / rate) if rate else 0
            speed = (f"{rate:.1f}/s", f"{left // 60}:{left % 60:02} left") if rate else ()
            say(", ".join(filter(None, (f"{label}: {done}/{total}", *speed, note))))

    return show
