"""All engines by name, and one note or one table by any of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nsynth_core.audio import Floats, Sound
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.engine import Cut, Engine, Row
from nsynth_core.blending.feature_engine import FeatureEngine
from nsynth_core.blending.instrument import AS_IT_IS, Instrument
from nsynth_core.blending.layering import finished
from nsynth_core.errors import UsageError
from nsynth_core.sound.knobs import Knobs

if TYPE_CHECKING:
    from nsynth_core.wavenet.options import NSynthOptions


def load_engine(
    name: str, knobs: Knobs = AS_IT_IS, nsynth: NSynthOptions | None = None, cut: Cut | None = None
) -> Engine:
    """The engine called `name`, one of `nsynth_core.blending.engine.ENGINES`.

    knobs: what the engines on features apply to every blend
    nsynth: the checkpoint of NSynth, and how it is used; the other engines ignore it
    cut: how frames of tables are cut out of NSynth's notes; `wavetables.engines.load_engine` gives one. Without it
        NSynth makes notes only.
    Raises UsageError for another name, and for NSynth without a checkpoint or with knobs; UserError for a bad
    checkpoint.

    >>> load_engine("envelope").name
    'envelope'
    """
    if name != "nsynth":
        return FeatureEngine(load_coder(name), knobs)
    if nsynth is None or knobs != AS_IT_IS:
        raise UsageError(
            "NSynth needs a checkpoint and has no knobs: load_engine('nsynth', nsynth=NSynthOptions(checkpoint))"
        )
    from nsynth_core.wavenet.engine import load

    return load(nsynth, cut)


def single_note(
    engine: Engine,
    instruments: Sequence[Instrument],
    weights: Sequence[float] | Floats,
    *,
    pitch: float | None = None,
    seconds: float | None = None,
    rate: int = 48_000,
    dry: float = 0.0,
) -> Sound:
    """Render one note between `instruments`, stereo at `rate` Hz, its peak at most -0.3 dBFS.

    weights: (instruments,), or a path (n, instruments) along the note; >= 0, sum 1
    pitch: MIDI; None follows the first recording
    seconds: None for the length of the first recording
    dry: >= 0, the gain of that recording under the blend; `seconds` must then be None
    Raises UsageError for `dry` without a recording or with `seconds`.

    >>> from nsynth_core.audio import sine
    >>> from nsynth_core.blending.instrument import from_sound
    >>> engine = load_engine("envelope")
    >>> pair = [from_sound(sine(hz, 0.3), engine.coder) for hz in (220, 440)]
    >>> single_note(engine, pair, [0.5, 0.5], seconds=0.2).samples.shape
    (9600, 2)
    """
    row = Row(tuple(instruments), pitch, [np.asarray(weights, dtype=np.float32)])
    (blend,) = engine.blend([row], seconds, rate)
    return finished(blend.notes[0](), instruments, seconds, dry)


def single_table(
    engine: Engine,
    instruments: Sequence[Instrument],
    path: Floats,
    *,
    pitch: float | None = None,
    stereo: bool = False,
) -> Floats:
    """The frames of one table between `instruments`, float32 (channels, n, 2048), not yet shaped.

    path: weights (n, instruments), one row for each frame; >= 0, sum 1
    pitch: MIDI; None for that of the first recording
    stereo: left and right instead of one channel

    >>> from nsynth_core.audio import sine
    >>> from nsynth_core.blending.instrument import from_sound
    >>> from nsynth_core.blending.weights import line_weights
    >>> engine = load_engine("envelope")
    >>> pair = [from_sound(sine(hz, 0.3), engine.coder) for hz in (220, 440)]
    >>> single_table(engine, pair, line_weights([0, 0.5, 1])).shape
    (1, 3, 2048)
    """
    (blend,) = engine.blend([Row(tuple(instruments), pitch, path, path)])
    return blend.walk(stereo)
