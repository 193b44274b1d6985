"""Writes the golden files beside it again: python tests/golden/make_golden.py. Look before committing."""

from pathlib import Path

import numpy as np

from wavetables.formats import serum
from wavetables.table import Table

HERE = Path(__file__).parent


def table() -> Table:
    """Three frames of whole numbers over 1024: exact in float32 on every machine."""
    ramp = (np.arange(2048) - 1023.5) / 1024
    frames = np.stack([ramp, -ramp, np.where(np.arange(2048) < 1024, 0.5, -0.5)])
    return Table(frames.astype(np.float32), "golden", 57.25, {"source": "made by hand", "program": "make-wavetable"})


def main() -> None:
    serum.write(HERE / "serum.wav", table(), force=True)


if __name__ == "__main__":
    main()
