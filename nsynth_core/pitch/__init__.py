"""The pitch of a sound over time: coarse candidates, the choice of the octave, then an exact phase lock."""

from nsynth_core.pitch.candidates import HOP_SECONDS
from nsynth_core.pitch.result import PitchTrack, Unpitched, describe
from nsynth_core.pitch.tracker import HIGH_HZ, LOW_HZ, contour, follow, track

__all__ = ["HIGH_HZ", "HOP_SECONDS", "LOW_HZ", "PitchTrack", "Unpitched", "contour", "describe", "follow", "track"]
