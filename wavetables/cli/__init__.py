"""The command line: thin, no DSP. Every heavy import is inside the command that needs it, so that --help is instant."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Annotated

import typer

from nsynth_core.errors import UsageError, UserError, missing_extra
from wavetables.cli.console import DONE, FAILED, INTERRUPTED, USAGE
from wavetables.cli.words import sentence
from wavetables.provenance import version as program_version

TRACEBACK = "MAKE_WAVETABLE_TRACEBACK"
COMPLETION = "_MAKE_WAVETABLE_COMPLETE"  # set by the shell scripts of --show-completion
# how BLAS divides a product among threads decides the last bits of its sums: one thread a product, several products
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")

COMMANDS = {  # in the order of --help: the module of each, and the function there
    "import": ("import_", "import_"),
    "blend": ("blend", "blend"),
    "grid": ("grid", "grid"),
    "pack": ("pack", "pack"),
    "install": ("install", "install"),
    "watch": ("watch", "watch"),
    "inspect": ("inspect", "inspect"),
    "convert": ("convert", "convert"),
    "presets": ("presets", "presets"),
    "models": ("models", "models"),
    "cache": ("cache", "cache"),
    "report": ("report", "report"),
    "corpus": ("model", "corpus"),
    "train": ("model", "train"),
}


def _named(given: Sequence[str]) -> list[str]:
    """The commands that the program must know: the one that the arguments name, else all. While a shell completes a
    line, the line comes in the environment instead of the arguments."""
    words = list(given)
    if COMPLETION in os.environ:  # the last word is still being typed, and may yet become another command
        words = os.environ.get("_TYPER_COMPLETE_ARGS", os.environ.get("COMP_WORDS", "")).split(" ")[1:-1]
    return words[:1] if words and words[0] in COMMANDS else list(COMMANDS)


def _app(given: Sequence[str]) -> typer.Typer:
    """The program for these arguments. A module may hold EXAMPLES, which --help shows below the options."""
    app = typer.Typer(
        name="make-wavetable",
        help="The instrument between two sounds: blended notes and wavetables for your synth.",
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name in _named(given):
        module_name, function = COMMANDS[name]
        module = import_module(f"wavetables.cli.{module_name}")
        app.command(name, epilog=getattr(module, "EXAMPLES", None))(getattr(module, function))
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"make-wavetable {program_version()}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 wrong usage, 3 some of a batch failed, 130
    interrupted. Whatever goes wrong is one line on standard error."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    os.environ.update(dict.fromkeys(BLAS_THREADS, "1"))
    _open_closed_streams()
    with _only_own_messages():
        return _run(given)


def _run(given: list[str]) -> int:
    with contextlib.suppress(ValueError):  # only the main thread may; temporary files are then removed on SIGTERM too
        signal.signal(signal.SIGTERM, _terminate)
    try:
        given = given or ["--help"]
        code = _app(given)(given, prog_name="make-wavetable", standalone_mode=False, obj=given)
        sys.stdout.flush()
        if code == INTERRUPTED:  # how newer releases of typer hand on Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else DONE
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted; every file that was written is whole", INTERRUPTED)
    except BrokenPipeError:
        _drop_output()
        return FAILED
    except UserError as error:
        return _say(f"error: {sentence(error, given[0])}", USAGE if isinstance(error, UsageError) else FAILED)
    except MemoryError:
        return _say("error: not enough memory; make fewer or shorter notes at once", FAILED)
    except OSError as error:
        if TRACEBACK in os.environ:
            raise
        _drop_output()
        where = f"{error.filename}: " if error.filename else ""
        return _say(f"error: {where}{error.strerror or error}", FAILED)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # the parser's: unknown option, bad value
            return _say(f"error: {_usage(error)}", USAGE)
        if isinstance(error, ImportError) and (missing := missing_extra(error)):
            return _say(f"error: {sentence(missing)}", FAILED)
        if TRACEBACK in os.environ:
            raise
        what = f"{type(error).__name__}: {error}"
        return _say(f"error: {what}; this is a bug: {TRACEBACK}=1 shows where, please report it", FAILED)


def _usage(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "make-wavetable"
    message = error.format_message().rstrip(".")  # type: ignore[attr-defined]
    return f"{message[:1].lower()}{message[1:]}; '{command} --help' shows how"


def _say(message: str, code: int) -> int:
    with contextlib.suppress(OSError):
        print(f"make-wavetable: {' '.join(message.split())}", file=sys.stderr)
    return code


def _drop_output() -> None:
    """What standard output cannot take (its reader has gone, its disk is full) goes nowhere: else Python would try
    again when it exits, and complain."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_closed_streams() -> None:
    """A standard stream that the caller closed leads to the null device, so that no file takes its place."""
    for descriptor, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        with contextlib.suppress(OSError):
            if getattr(sys, name) is None:
                os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: the one that was closed
                setattr(sys, name, os.fdopen(descriptor, mode))


@contextlib.contextmanager
def _only_own_messages() -> Iterator[None]:
    """Decoders and runtimes write to descriptor 2 what no user can use; it leads nowhere, and the program's own
    messages take a copy of it. With MAKE_WAVETABLE_TRACEBACK set everything is shown."""
    if TRACEBACK in os.environ or sys.stderr is None or sys.stderr is not sys.__stderr__:
        yield
        return
    before, own = sys.stderr, os.dup(2)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    with warnings.catch_warnings(), os.fdopen(own, "w", buffering=1, errors="backslashreplace") as copy:
        warnings.simplefilter("ignore")
        sys.stderr = copy
        try:
            yield
        finally:
            os.dup2(own, 2)
            sys.stderr = before


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(128 + number)
