"""The options that several commands share. Each is an annotated type, so that a command uses it in one line.

Every help text lists the legal words of its option, and what each does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

MAX_SECONDS = 60.0  # the longest note
WEIGHTS = ("bilinear", "nsynth")

# ------------------------------------------------------------------------------------------------- what is shown, where
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress and no messages. Errors are still shown.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print one line of JSON for each table.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Write nothing. Say how many files, how large, and how long it would take.")
]

# ------------------------------------------------------------------------------------------------------ pitch and notes
Pitch = Annotated[
    str | None,
    typer.Option(
        metavar="NOTE", help="A note name (C3, F#2), cents after it (A3+12), a MIDI number (48 is C3), or Hz (440Hz)."
    ),
]
Rate = Annotated[
    int | None, typer.Option(min=8000, max=192_000, metavar="HZ", help="Sample rate of the note. Default: 48000.")
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        help="How much each sound counts at a mix. bilinear (default): by the area of the opposite rectangle. "
        "nsynth: by 1 - distance, as NSynth does.",
    ),
]

# -------------------------------------------------------------------------------------------------- the blending engine
ENGINE_HELP = (
    "What blends the sounds. harmonic: this project's network. crossfade: mean of the amplitudes. envelope: mean of "
    "the levels in dB. transport: optimal transport between the spectra. nsynth: NSynth's WaveNet, needs --checkpoint."
)
EngineName = Annotated[str, typer.Option(metavar="NAME", help=ENGINE_HELP)]
PackEngine = Annotated[
    str | None, typer.Option("--engine", metavar="NAME", help=f"{ENGINE_HELP} Default: the recipe's.")
]
Checkpoint = Annotated[
    Path | None,
    typer.Option(metavar="PATH", help="nsynth only: Magenta's wavenet-ckpt, as a folder, a .tar or a prefix."),
]
Averages = Annotated[
    bool, typer.Option("--averages", help="nsynth only: use the moving averages of the checkpoint's weights.")
]
Enhance = Annotated[bool, typer.Option("--enhance", help="nsynth only: add what the sounds hold above NSynth's 8 kHz.")]
DrawSeed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        min=0,
        metavar="N",
        help="nsynth only: the seed of its random numbers. The same seed gives the same note. Default: 0.",
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="nsynth only. float32 (default): exact. bfloat16: less exact, and faster on processors that support it.",
    ),
]

# ------------------------------------------------------------------------------------------------------------ the knobs
Detail = Annotated[
    float | None,
    typer.Option(
        metavar="0..1", help="How much is kept of what the network misses. 1 (default): the ends are exact. 0: nothing."
    ),
]
Brightness = Annotated[
    float | None,
    typer.Option(metavar="DB", help="Tilt of the spectrum, -6..6 dB an octave. Above 0 is brighter. Default: 0."),
]
Noise = Annotated[
    float | None,
    typer.Option(
        metavar="0..4", help="Level of the noise (breath, bow, consonants). 0: none. 1 (default): unchanged. 2: +6 dB."
    ),
]
Width = Annotated[
    float | None,
    typer.Option(metavar="0..2", help="Stereo width. 0: mono. 1 (default): unchanged. 2: the side 6 dB louder."),
]
Envelope = Annotated[
    str | None,
    typer.Option(
        metavar="A|B|mix",
        help="Whose attack and level curve the note has. A: the first sound's. B: the second's, and so on. "
        "mix (default): between them.",
    ),
]

# --------------------------------------------------------------------------------------------------------------- tables
Frames = Annotated[
    int | None, typer.Option(min=1, max=256, metavar="N", help="The most frames that a table has, 1..256.")
]
Stereo = Annotated[
    str | None,
    typer.Option(
        metavar="KIND",
        help="mono (default): one table. lr: two tables in phase, left (-L) and right (-R). "
        "ms: mid (-M) and side (-S).",
    ),
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME,...",
        help="The formats to write, separated by commas. serum (default): .wav for Serum. vital: .vitaltable. "
        "wt: Surge and Bitwig. hive: u-he Hive. 'make-wavetable convert --help' lists all.",
    ),
]
Provenance = Annotated[
    bool,
    typer.Option(
        "--provenance/--no-provenance",
        show_default=False,
        help="--provenance (default): write into each table's file where it comes from. --no-provenance: leave it out.",
    ),
]
Author = Annotated[str | None, typer.Option(metavar="TEXT", help="The author's name, written into the tables' files.")]
Licence = Annotated[
    str | None, typer.Option(metavar="TEXT", help="The licence, such as CC0-1.0, written into the tables' files.")
]

# ------------------------------------------------------------------------------------------------------------- training
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="The seed of random numbers. The same seed gives the same result.")
]
Soundfonts = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="The folder of FluidR3_GM.sf2 and MuseScore_General.sf3. Default: where Debian puts them."
    ),
]
