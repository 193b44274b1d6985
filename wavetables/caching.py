"""Names in the cache of what all of this program computes: the code of every package counts."""

from __future__ import annotations

from nsynth_core import cache

PACKAGES = ("nsynth_core", "wavetables", "presets")


def digest(*parts: object) -> str:
    """`nsynth_core.cache.digest`, with the code of all packages.

    >>> digest("table", 48.0) == cache.digest("table", 48.0)
    False
    """
    return cache.digest(*parts, packages=PACKAGES)


def program() -> list[str]:
    """The hash of all code, and what else decides the last bits of what it computes."""
    return cache.program(PACKAGES)
