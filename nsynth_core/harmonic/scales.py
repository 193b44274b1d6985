"""The scales between physical units and the numbers of the networks, which lie about between -1 and 1.

Training and run time use these functions, so a network is always read on the scale on which it was fitted. They take
numbers, NumPy arrays and TensorFlow tensors of any shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np

OUTPUT_DB, OUTPUT_CENTRE_DB = 20, -40  # an output of 0 is a level of -40 dB, a step of 1 is 20 dB
BALANCE_DB = 30  # a balance of 1 is 30 dB
INPUT_DB = 40  # an input of 1 is 0 dB, of 0 it is -40 dB
NOTE_RANGE_DB = 60  # levels further below the loudest frame of a note count as this one
MIDDLE_C_HZ, PITCH_OCTAVES = 261.6, 3  # a pitch of 0 is middle C, of 1 three octaves above it


def level_of_output(outputs: Any) -> Any:
    """Levels in dB under the level of their frame, of what a network returns.

    >>> level_of_output(2.0)
    0.0
    """
    return outputs * OUTPUT_DB + OUTPUT_CENTRE_DB


def balance_of_output(outputs: Any) -> Any:
    """Right over left in dB, of what a network returns.

    >>> balance_of_output(-0.5)
    -15.0
    """
    return outputs * BALANCE_DB


def level_input(level_db: Any) -> Any:
    """What a network is given for levels in dB under the level of their frame.

    >>> level_input(-80.0)
    -1.0
    """
    return level_db / INPUT_DB + 1


def balance_input(balance_db: Any) -> Any:
    """What a network is given for right over left in dB.

    >>> balance_input(60.0)
    2.0
    """
    return balance_db / BALANCE_DB


def pitch_input(f0_hz: Any) -> Any:
    """What a network is given for a fundamental in Hz (NumPy only).

    >>> float(pitch_input(523.2) * 3)
    1.0
    """
    return np.log2(f0_hz / MIDDLE_C_HZ) / PITCH_OCTAVES


def below_peak_input(below_peak_db: Any) -> Any:
    """What a network is given for a level in dB under the loudest frame of its note (NumPy only).

    >>> float(below_peak_input(-90.0))
    -1.0
    """
    return np.maximum(below_peak_db, -NOTE_RANGE_DB) / NOTE_RANGE_DB
