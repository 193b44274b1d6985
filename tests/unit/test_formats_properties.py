"""Any table survives writing and reading: bit by bit in the exact formats, within their bound in the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nsynth_core.errors import UserError
from wavetables.formats import devices, registry
from wavetables.resizing import resize
from wavetables.table import FRAME_SIZE, Table

many = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
EXACT = [name for name, each in registry.FORMATS.items() if each.exact]
texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=30)


@st.composite
def tables(draw) -> Table:
    """Any frames within full scale: noise, silence, edges; any facts."""
    count = draw(st.integers(1, 6))
    seed = draw(st.integers(0, 2**32 - 1))
    frames = np.random.default_rng(seed).uniform(-1, 1, (count, FRAME_SIZE)).astype(np.float32)
    row = draw(arrays(np.float32, FRAME_SIZE, elements=st.floats(-1, 1, width=32)))
    frames[draw(st.integers(0, count - 1))] = row
    root = draw(st.none() | st.floats(-12, 144))
    return Table(frames, draw(texts) or "x", root, draw(st.dictionaries(texts, texts, max_size=4)))


@pytest.mark.parametrize("name", EXACT)
@many
@given(table=tables())
def test_exact(tmp_path, name, table):
    path = tmp_path / ("x" + registry.FORMATS[name].suffix)
    if path.is_dir():
        for file in path.iterdir():
            file.unlink()
    registry.write(path, table, force=True, name=name)
    back = registry.read(path)
    assert back.frames.tobytes() == table.frames.tobytes()
    assert back.root_pitch == table.root_pitch
    if name != "vital":
        assert dict(back.provenance) == dict(table.provenance)
    else:  # an author of Vital's own is taken over
        assert dict(table.provenance).items() <= dict(back.provenance).items()


@many
@given(table=tables())
def test_sixteen_bits(tmp_path, table):
    registry.write(tmp_path / "x.wt", table, force=True, name="wt16")
    assert np.abs(registry.read(tmp_path / "x.wt").frames - table.frames).max() <= 2.0**-15


@pytest.mark.parametrize("name", devices.DEVICES)
@many
@given(table=tables())
def test_devices(tmp_path, name, table):
    """What fits the device's frames comes back to half a step of its samples, but for one gain where a peak would
    clip."""
    device = devices.DEVICES[name]
    count = device.count if device.exact else min(len(table.frames), device.count)
    full = np.tile(table.frames, (count // len(table.frames) + 1, 1))[:count]
    wanted = resize(full, device.size)
    gain = max(1.0, float(np.abs(wanted).max()))
    devices.write(tmp_path / "x.wav", Table(full, "x"), force=True, device=name)
    back = registry.load(tmp_path / "x.wav", device.size)
    assert back.frames.shape == wanted.shape
    assert np.abs(back.frames - wanted / gain).max() <= (2.0**-15 if device.int16 else 1e-6)


@pytest.mark.parametrize("name", ["serum", "vital", "wt", "hive", "ableton"])
@many
@given(table=tables(), data=st.data())
def test_cut_anywhere(tmp_path, name, table, data):
    """A file cut short is read as far as it goes, or refused in one line."""
    path = tmp_path / ("x" + registry.FORMATS[name].suffix)
    registry.write(path, table, force=True, name=name)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    refusal = ""
    try:
        assert registry.load(path).frames.size <= table.frames.size
    except UserError as error:
        refusal = str(error)
    assert "\n" not in refusal
