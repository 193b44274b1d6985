"""Run about 30 commands in two checkouts and compare every file that they write, byte by byte.

    python tests/golden/same_files.py OTHER_CHECKOUT [--keep FOLDER]

The commands run with this Python and its installed libraries. Inputs are made here: notes with partials, a recording
that changes pitch, noise, single cycles, a recipe. Two fields are left out of the comparison, since they hash the
program itself: "key" and "plan" of a pack's manifest. Exit code 1 if any file differs or is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import soundfile

HERE = Path(__file__).resolve().parents[2]
RATE = 44_100
RUN = "import sys; from wavetables.cli import main; sys.exit(main())"

COMMANDS = """
blend note.wav pad.wav -o o/note.wav
blend note.wav pad.wav --mix 0.3 --pitch C3 --duration 1.5 --rate 44100 -o o/note-c3.flac
blend note.wav pad.wav --mix 0:1 --morph --dry 0.5 --envelope B -o o/morph.wav
blend note.wav saw-pad --mix 0.7 --brightness 2 --noise 0.5 --width 1.5 --detail 0.5 -o o/knobs.wav
blend note.wav pad.wav --table -o o/table.wav
blend note.wav pad.wav --mix 0:1:16 --stereo lr --pitch C2 --author Me --licence CC0-1.0 -o o/pair.wav
blend note.wav pad.wav --mix 0:1:16 --stereo ms --no-provenance -o o/pair-ms.vitaltable
blend flute choir celesta clarinet --mix 0.5,0.2 --pitch C3 --duration 1 -o o/four.wav
blend flute choir celesta clarinet --mix 0:1:8,1:0:8 --weights nsynth -o o/four.wt
blend note.wav noise.wav@C3 --engine crossfade -o o/crossfade.wav
blend note.wav pad.wav --engine envelope --table --frames 8 -o o/envelope.wav
blend note.wav pad.wav --engine transport --mix 0.4 -o o/transport.wav
blend keys note.wav --mix 0.5 --pitch D3 -o o/keys.wav
grid note.wav pad.wav -o o/grid --pitches C2,C3 --duration 0.5
grid grid5 -o o/grid5 --pitches C3 --duration 0.4 --stereo lr --no-notes
grid settings.json -o o/m4l --layout m4l
grid grid5 -o o/sfz --layout sfz --pitches C3,C4 --duration 0.3
grid grid5 -o o/pads --layout nsynth-super --pitches C3,G3 --duration 0.3
import note.wav -o o/imported.wav
import pad.wav -o o/imported-ms.wav --stereo ms --frames 32 --spacing even
import scale.wav -o o/scale --split
import noise.wav -o o/noise.wav --unpitched --level loudness
import cycles -o o/joined.wav --join
import recordings -o o/folder --frames 16 --phase sine --format serum,vital
import note.wav -o o/octave.wav --octave 1 --average 4 --start 0.2 --end 0.8 --phase minimum
convert o/table.wav o/converted.vitaltable
convert o/imported.wav o/converted.wt
convert o/table.wav o/single-cycles.sfz
pack recipe.toml -o o/pack
pack recordings -o o/folder-pack --title "First Light" --author Me --licence CC0-1.0 --format serum,vital,wt --zip
pack recipe.toml -o o/pack-workers --workers 2 --level frame --loudness -20 --pictures none
""".strip().splitlines()

RECIPE = """
title = "Compared"
author = "Me"
licence = "CC0-1.0"
description = "Every kind of entry."
samples = true
pictures = "none"

[[table]]
source = "recordings"
tags = ["made"]

[[sweep]]
name = "Between"
sounds = ["note.wav", "flute"]
pitches = ["C2", "C3"]

[[grid]]
preset = "grid5"
pitches = ["C3"]
"""
SETTINGS = {
    "name": "compared",
    "instruments": [["flute", "celesta"], ["choir", "clarinet"]],
    "checkpoint_dir": ".",
    "pitches": [48, 52],
    "resolution": 3,
    "final_length": 8000,
}


def tone(hz: float, seconds: float, partials: int, tilt: float, seed: int) -> np.ndarray:
    """A decaying stereo note (n, 2) with a little noise and vibrato."""
    t = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * (hz * t + 0.3 * np.sin(2 * np.pi * 5 * t))
    left = sum(np.sin(k * phase) / k**tilt for k in range(1, partials + 1) if k * hz < 0.45 * RATE)
    right = sum(np.sin(k * phase + k) / k**tilt for k in range(1, partials + 1) if k * hz < 0.45 * RATE)
    envelope = np.minimum(t / 0.02, 1) * np.exp(-t / seconds)
    noise = 0.01 * np.random.default_rng(seed).standard_normal((2, len(t)))
    return 0.2 * envelope[:, None] * (np.stack([left, right]) + noise).T


def write_inputs(folder: Path) -> None:
    """Every file that the commands read."""
    (folder / "keys").mkdir()
    (folder / "cycles").mkdir()
    (folder / "recordings" / "reeds").mkdir(parents=True)
    soundfile.write(folder / "note.wav", tone(220, 1.5, 20, 1.0, 1), RATE, "PCM_24")
    soundfile.write(folder / "pad.wav", tone(131, 2.0, 40, 0.6, 2), RATE, "PCM_24")
    soundfile.write(folder / "scale.wav", np.concatenate([tone(hz, 0.7, 9, 1.0, 3) for hz in (110, 165, 220)]), RATE)
    soundfile.write(folder / "noise.wav", 0.2 * np.random.default_rng(4).standard_normal(RATE), RATE)
    for key in (48, 60):
        hz = 440 * 2 ** ((key - 69) / 12)
        soundfile.write(folder / "keys" / f"keys_{key}.wav", tone(hz, 1.0, 12, 0.8, key), RATE)
    for number in range(1, 12):
        cycle = sum(np.sin(2 * np.pi * k * np.arange(600) / 600) / k for k in range(1, number + 1))
        soundfile.write(folder / "cycles" / f"cycle {number}.wav", 0.3 * cycle, RATE)
    for name, hz in (("soft_horn_A2", 110), ("reeds/oboe", 330), ("reeds/Low Reed", 98)):
        soundfile.write(folder / "recordings" / f"{name}.wav", tone(hz, 1.2, 15, 0.9, hz), RATE)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "settings.json").write_text(json.dumps(SETTINGS))


def run(checkout: Path, folder: Path) -> dict[str, str]:
    """Run every command of `checkout` in `folder`; the digest of each file and of each command's exit code."""
    folder.mkdir(parents=True)
    write_inputs(folder)
    (folder / "o").mkdir()
    cache = {"MAKE_WAVETABLE_CACHE": str(folder / "cache"), "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}
    digests = {}
    for line in COMMANDS:
        command = [sys.executable, "-c", RUN, *shlex.split(line), "--quiet"]
        done = subprocess.run(command, cwd=folder, env=os.environ | cache, capture_output=True, text=True, check=False)
        digests[f"exit code of {line}"] = str(done.returncode)
        if done.returncode:
            print(f"{checkout}: {line}: {done.returncode}: {done.stderr.strip()}", file=sys.stderr)
    paths = sorted(path for path in (folder / "o").rglob("*") if path.is_file())
    return digests | {path.relative_to(folder).as_posix(): digest(path) for path in paths}


def digest(path: Path) -> str:
    """SHA-256 of what a file holds."""
    if path.suffix != ".zip":
        return hashlib.sha256(bare(path.name, path.read_bytes())).hexdigest()
    with zipfile.ZipFile(path) as archive:
        members = [(name, bare(Path(name).name, archive.read(name))) for name in archive.namelist()]
    return hashlib.sha256(repr(members).encode()).hexdigest()


def bare(name: str, content: bytes) -> bytes:
    """The content of a file called `name`; of a pack's manifest without the fields that hash the program."""
    if name != "pack.json":
        return content
    manifest = json.loads(content)
    manifest.pop("plan", None)
    for item in manifest["items"]:
        item.pop("key", None)
    return json.dumps(manifest).encode()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the other checkout")
    parser.add_argument("--keep", type=Path, help="a folder that does not exist yet, in which all files stay")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        before, after = run(options.other.resolve(), place / "other"), run(HERE, place / "this")
    different = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    for name in different:
        kind = "differs" if name in before and name in after else "only in the other" if name in before else "new"
        print(f"{kind}: {name}")
    print(f"{len(COMMANDS)} commands, {len(before)} files and exit codes, {len(different)} different")
    return int(bool(different))


if __name__ == "__main__":
    sys.exit(main())
