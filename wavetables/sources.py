"""Which files count as sources when a folder is searched: sounds and wavetables."""

from nsynth_core import audio
from wavetables import TABLE_SUFFIXES

SOURCE_SUFFIXES = TABLE_SUFFIXES | set(audio.SUFFIXES)
