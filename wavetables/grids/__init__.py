"""Grids on disk: notes and tables over pitch x mix, in folders or in the layouts that players read.

`write_grid` renders and writes one, `read_request` reads what a grid is made of, `estimate` says beforehand how large
it will be, and `inspection.inspect` looks at one that is there.
"""

from __future__ import annotations

from wavetables.grids.estimate import estimate
from wavetables.grids.request import Request, read_request
from wavetables.grids.writer import LAYOUTS, WrittenGrid, write_grid

__all__ = ["LAYOUTS", "Request", "WrittenGrid", "estimate", "read_request", "write_grid"]
