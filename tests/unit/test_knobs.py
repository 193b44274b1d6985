"""Each knob moves one thing one way, measured on what is heard, and does nothing where it stands by default."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from nsynth_core.errors import UsageError
from nsynth_core.sound import synthesis
from nsynth_core.sound.features import FLOOR_DB, NOISE_BANDS, Features
from nsynth_core.sound.knobs import RANGES, Knobs, brightened, envelope_of, enveloped, turned, widened, with_noise

RATE = 48_000


@pytest.fixture
def breathy(plain) -> Features:
    """A moving wide breathy tone: 30 partials that fall, noise 30 dB under them, an image that leans to the right."""
    features = plain(150.0, 101, -20.0 - 1.5 * np.arange(30), -50.0, 3.0, 0.6)
    features.partials_db[:, 5:] += 6 * np.sin(np.arange(101) / 9)[:, None]
    return features


def heard(features: Features) -> np.ndarray:
    return synthesis.render(features, RATE).samples[2400:-2400].astype(np.float64)


def power(x: np.ndarray) -> float:
    return float(10 * np.log10((x**2).mean() + 1e-20))


def centroid(x: np.ndarray) -> float:
    """Mean octave of the spectrum's power."""
    spectrum = (np.abs(np.fft.rfft(x[:, 0] * np.hanning(len(x)))) ** 2)[1:]
    return float((np.log2(np.fft.rfftfreq(len(x), 1 / RATE)[1:]) * spectrum).sum() / spectrum.sum())


def side_over_mid(x: np.ndarray) -> float:
    return power(x[:, 0] - x[:, 1]) - power(x[:, 0] + x[:, 1])


def rising(values: list[float]) -> bool:
    return bool((np.diff(values) > 0).all())


def test_nothing_is_turned_by_default(breathy):
    assert turned(breathy, Knobs()) is breathy
    for same in (brightened(breathy, 0), with_noise(breathy, 1), widened(breathy, 1)):
        for field in fields(Features):
            np.testing.assert_allclose(getattr(same, field.name), getattr(breathy, field.name), atol=2e-4)


def test_brightness_tilts_and_keeps_the_level(breathy):
    tilts = np.linspace(*RANGES["brightness"], 9)
    sounds = [heard(brightened(breathy, tilt)) for tilt in tilts]
    assert rising([centroid(x) for x in sounds])
    np.testing.assert_allclose([power(x) for x in sounds], power(heard(breathy)), atol=0.2)
    one = brightened(breathy, 3.0)
    change = one.partials_db - breathy.partials_db
    np.testing.assert_allclose(change[:, 3] - change[:, 1], 3.0, atol=1e-3)  # an octave
    np.testing.assert_allclose(one.level_db(), breathy.level_db(), atol=1e-3)


def test_brightness_raises_nothing_that_is_not_there(plain):
    bright = brightened(plain(200.0, 5, (-20.0, FLOOR_DB, FLOOR_DB)), 6.0)
    assert (bright.partials_db[:, 1:] == FLOOR_DB).all()
    assert (bright.noise_db == FLOOR_DB).all()


def test_noise_scales_the_noise_alone(breathy, plain):
    gains = [0.25, 0.5, 1.0, 2.0, 4.0]
    tone = heard(with_noise(breathy, 0.0))
    noise = [power(heard(with_noise(breathy, gain)) - tone) for gain in gains]
    np.testing.assert_allclose(noise, -50.0 + 10 * np.log10(NOISE_BANDS) + 20 * np.log10(gains), atol=0.5)
    np.testing.assert_array_equal(tone, heard(with_noise(breathy, 1e-7)))
    np.testing.assert_array_equal(with_noise(breathy, 4.0).partials_db, breathy.partials_db)


def test_width_scales_the_side(breathy):
    factors = [0.0, 0.25, 0.5, 1.0, 1.5, 2.0]
    sounds = [heard(widened(breathy, factor)) for factor in factors]
    ratio = [side_over_mid(x) for x in sounds]
    assert ratio[0] < -60
    np.testing.assert_allclose(ratio[1:], side_over_mid(heard(breathy)) + 20 * np.log10(factors[1:]), atol=0.2)
    np.testing.assert_allclose([power(x) for x in sounds], power(heard(breathy)), atol=0.1)
    correlation = [float(np.corrcoef(x.T)[0, 1]) for x in sounds]
    assert rising([-value for value in correlation])


@pytest.mark.parametrize(("balance", "correlation"), [(0.0, 1.0), (0.0, -1.0), (60.0, 1.0), (-60.0, 0.0), (5.0, 0.0)])
@pytest.mark.parametrize("factor", [0.0, 0.3, 2.0])
def test_width_of_any_image(plain, balance, correlation, factor):
    image = widened(plain(balance_db=balance, correlation=correlation), factor)
    assert (np.abs(image.balance_db) <= 60).all()
    assert (np.abs(image.correlation) <= 1).all()
    if (balance, correlation) == (0.0, 1.0) or factor == 0:  # mono stays mono, and everything is at 0
        np.testing.assert_allclose(image.balance_db, 0, atol=0.01)
        np.testing.assert_allclose(image.correlation, 1, atol=1e-3)
    if factor == 2.0:
        assert np.sign(image.balance_db).max() in (0, np.sign(balance))


def test_envelope_takes_the_shape_and_keeps_the_loudness(breathy, plain):
    t = np.arange(101)
    struck = plain(frames=101).level_db() - 0.5 * np.abs(t - 10).astype(np.float32)
    out = enveloped(breathy, struck)
    level = out.level_db()
    assert level.max() == pytest.approx(breathy.level_db().max(), abs=1e-3)
    np.testing.assert_allclose(level - level.max(), struck - struck.max(), atol=0.01)
    np.testing.assert_allclose(
        np.diff(out.partials_db - out.partials_db[:, :1]),
        np.diff(breathy.partials_db - breathy.partials_db[:, :1]),
        atol=1e-3,
    )


def test_envelope_raises_no_silence(plain):
    faint = plain(frames=20, partials_db=(-10.0, -30.0))
    faint.partials_db[:10] = -119.0
    out = enveloped(faint, np.full(20, -10.0, dtype=np.float32))
    assert out.partials_db[:10].max() <= -119.0 + 40 + 1e-3


def test_letters_of_envelopes():
    assert [envelope_of(letter, 4) for letter in ("mix", "A", "D")] == [None, 0, 3]
    for letter, sounds in (("C", 2), ("a", 2), ("", 2), ("AB", 4)):
        with pytest.raises(UsageError, match="legal: A, B"):
            envelope_of(letter, sounds)
