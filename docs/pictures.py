"""Draw the pictures of the documents: `python docs/pictures.py` writes voice-and-pad.png and gallery.png beside itself.

It needs the extra `plot` and, for the voice, Debian's alsa-utils. Each panel is a rainbowgram: brightness is level,
colour is instantaneous frequency.
"""

from __future__ import annotations

from pathlib import Path

from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.blending import instrument as blend
from nsynth_core.blending.coder import load_coder
from nsynth_core.blending.engines import load_engine, single_note
from nsynth_core.blending.instrument import Instrument
from presets import load_instrument
from wavetables import pictures

VOICE = Path("/usr/share/sounds/alsa/Front_Center.wav")
WALK = (0.0, 0.3, 0.5, 0.7, 1.0)
PAIRS = (  # two sounds, the pitch of their blend (None: the voice's own), seconds
    (VOICE, "saw-pad", None, None),
    ("flute", "choir", 60.0, 1.6),
    ("upright-bass", "glass-harmonica", 48.0, 1.6),
    ("vowel-a", "vowel-i", 48.0, 1.6),
)
Panel = tuple[str, Sound]


def instruments(names: tuple[str | Path, ...], engine: str) -> list[Instrument]:
    """The recordings (a Path each) and built-in instruments called `names`, coded for `engine`."""
    loaded = load_coder(engine)
    return [
        blend.load_instrument(name, loaded) if isinstance(name, Path) else load_instrument(name, loaded)
        for name in names
    ]


def between(
    names: tuple[str | Path, ...],
    mix: float,
    engine: str = "harmonic",
    pitch: float | None = None,
    seconds: float | None = None,
) -> Sound:
    """The blend of two sounds at `mix` 0..1, by `engine`. `pitch` is MIDI: None follows the recording. `seconds`: None
    is the recording's own length."""
    pair = instruments(names, engine)
    return single_note(load_engine(engine), pair, [1 - mix, mix], pitch=pitch, seconds=seconds)


def row(first: str | Path, second: str, pitch: float | None, seconds: float | None) -> list[Panel]:
    """The four panels of one row, each a title and a sound: both sounds, their crossfade and their blend."""
    names = (first, second)
    spoken = isinstance(first, Path)
    own = audio.read(first) if isinstance(first, Path) else between(names, 0.0, "harmonic", pitch, seconds)
    return [
        ("a voice says “front centre”" if spoken else first, own),
        (f"{second} on the voice's pitch" if spoken else second, between(names, 1.0, "harmonic", pitch, seconds)),
        ("crossfade, half and half", between(names, 0.5, "crossfade", pitch, seconds)),
        ("blend, half and half", between(names, 0.5, "harmonic", pitch, seconds)),
    ]


def save(name: str, panels: list[Panel], columns: int) -> None:
    """Write `panels`, in so many `columns`, as the PNG file `name` beside this script."""
    data = pictures.png(pictures.rainbowgrams(panels, columns), dpi=85)
    Path(__file__).with_name(name).write_bytes(data)


def main() -> None:
    """Draw both pictures."""
    names = (VOICE, "saw-pad")
    titles = {0.0: "mix 0: the voice", 1.0: "mix 1: the pad on the voice's pitch"}
    walk = [(titles.get(mix, f"mix {mix}"), between(names, mix)) for mix in WALK]
    save("voice-and-pad.png", [*walk, ("for comparison: a crossfade at 0.5", between(names, 0.5, "crossfade"))], 3)
    save("gallery.png", [panel for pair in PAIRS for panel in row(*pair)], 4)


if __name__ == "__main__":
    main()
