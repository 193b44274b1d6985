"""On which platforms and Pythons does make-wavetable install from wheels alone? Prints the table of docs/install.md.

    python tools/check_platforms.py                          # everything, about 15 minutes, mostly waiting for PyPI
    python tools/check_platforms.py --python 3.13 --platform "macOS arm64"

For each target it asks pip which wheels it would install (`pip install --dry-run --only-binary=:all: --platform ...`).
pip evaluates environment markers for the Python that runs it, so this script evaluates them for the target, level by
level, and gives pip plain requirements. Needs `packaging`, pip 23 or newer, and access to PyPI. Exits with 1 where a
target of TARGETS cannot install the program itself.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
EXTRAS = ("nsynth", "train", "plot", "cluster")
PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


@dataclass(frozen=True)
class Platform:
    """`tags` as pip's --platform takes them, `markers` as environment markers see the platform."""

    name: str
    tags: tuple[str, ...]
    markers: dict[str, str] = field(default_factory=dict)


def _linux(machine: str) -> Platform:
    tags = [f"manylinux_2_{minor}_{machine}" for minor in range(28, 16, -1)] + [f"manylinux2014_{machine}"]
    markers = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": machine}
    return Platform(f"Linux {machine} (glibc 2.28)", tuple(tags), markers)


def _macos(machine: str) -> Platform:
    markers = {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": machine}
    return Platform(f"macOS {machine} (12)", (f"macosx_12_0_{machine}",), markers)


TARGETS = (
    Platform(
        "Windows x64",
        ("win_amd64",),
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
    _macos("arm64"),
    _macos("x86_64"),
    _linux("x86_64"),
    _linux("aarch64"),
)


class NoWheel(Exception):
    """pip finds no wheels that fit; the message is pip's last line."""


def wheels(requirements: list[Requirement], platform: Platform, python: str) -> dict[str, str]:
    """The version of every package, by its name, that pip would install for `requirements` and what they need.

    Raises NoWheel.
    """
    environment = {
        **platform.markers,
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "implementation_version": f"{python}.0",
        "platform_release": "",
        "platform_version": "",
    }
    wanted: dict[str, set[str]] = {}  # package → extras of it
    lines: set[str] = set()
    pending = list(requirements)
    chosen: dict[str, dict[str, Any]] = {}
    while pending:
        for requirement in pending:
            wanted.setdefault(canonicalize_name(requirement.name), {""}).update(requirement.extras)
            lines.add(f"{requirement.name}{requirement.specifier}")
        chosen = _chosen(sorted(lines), platform, python)
        needed = [
            requirement
            for name, metadata in chosen.items()
            for requirement in map(Requirement, metadata.get("requires_dist", ()))
            if _applies(requirement, environment, wanted[name])
        ]
        pending = [
            requirement
            for requirement in needed
            if f"{requirement.name}{requirement.specifier}" not in lines
            or not requirement.extras <= wanted[canonicalize_name(requirement.name)]
        ]
    return {name: metadata["version"] for name, metadata in chosen.items()}


def own_requirements(extra: str | None, platform: Platform, python: str) -> list[Requirement]:
    """What pyproject.toml asks for on a target: the dependencies, or those of an extra."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    lines = project["optional-dependencies"][extra] if extra else project["dependencies"]
    environment = {**platform.markers, "python_version": python, "python_full_version": f"{python}.0"}
    return [line for line in map(Requirement, lines) if _applies(line, environment, {""})]


def _applies(requirement: Requirement, environment: dict[str, str], extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({**environment, "extra": extra}) for extra in extras)


def _chosen(lines: list[str], platform: Platform, python: str) -> dict[str, dict[str, Any]]:
    """Package → its metadata, for exactly these requirements."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--python-version", python, "--report", "-"]
        command += [part for tag in platform.tags for part in ("--platform", tag)]
        done = subprocess.run([*command, "--target", folder, *lines], capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: No matching")]
        raise NoWheel(errors[-1].removeprefix("ERROR: ") if errors else done.stderr.strip())
    packages = [each["metadata"] for each in json.loads(done.stdout)["install"]]
    for metadata in packages:
        if Version(metadata["version"]).is_prerelease:  # pip takes one where nothing else fits
            raise NoWheel(f"only a pre-release: {metadata['name']} {metadata['version']}")
    return {canonicalize_name(metadata["name"]): metadata for metadata in packages}


def cell(platform: Platform, python: str) -> tuple[bool, str]:
    """Whether the program installs there, and a cell of the table: the runtime, and the extras that do not install."""
    base = own_requirements(None, platform, python)
    try:
        runtime = "LiteRT" if "ai-edge-litert" in wheels(base, platform, python) else "NumPy"
    except NoWheel as error:
        print(f"{platform.name}, Python {python}: {error}", file=sys.stderr)
        return False, "no"
    extras = {name: own_requirements(name, platform, python) for name in EXTRAS}
    missing = [name for name, requirements in extras.items() if not _installs(name, requirements, platform, python)]
    kept = [requirement for name in EXTRAS if name not in missing for requirement in extras[name]]
    if not _installs(
        ", ".join(name for name in EXTRAS if name not in missing), base + kept, platform, python, deep=True
    ):
        missing = list(EXTRAS)
    return True, runtime + (f", without {', '.join(missing)}" if missing else "")


def _installs(name: str, requirements: list[Requirement], platform: Platform, python: str, deep: bool = False) -> bool:
    """Whether there are wheels for an extra: for what it names, or with `deep` for all that needs, too."""
    try:
        if deep:
            wheels(requirements, platform, python)
        else:
            _chosen([f"{each.name}{each.specifier}" for each in requirements], platform, python)
    except NoWheel as error:
        print(f"{platform.name}, Python {python}, [{name}]: {error}", file=sys.stderr)
        return False
    return True


def main() -> int:
    """Print the table. 1 where the program itself does not install on a target."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", nargs="+", default=PYTHONS, metavar="VERSION")
    parser.add_argument("--platform", nargs="+", default=[target.name for target in TARGETS], metavar="NAME")
    given = parser.parse_args()
    targets = [target for target in TARGETS if any(target.name.startswith(name) for name in given.platform)]
    print("| platform |", " | ".join(f"Python {python}" for python in given.python), "|")
    print("| --- |", " | ".join("---" for _ in given.python), "|", flush=True)
    complete = True
    for target in targets:
        cells = [cell(target, python) for python in given.python]
        complete &= all(installs for installs, _ in cells)
        print(f"| {target.name} |", " | ".join(text for _, text in cells), "|", flush=True)
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main())
