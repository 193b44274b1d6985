"""Training: what a run saves, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

from nsynth_core import audio
from nsynth_core.audio import Sound
from nsynth_core.errors import UserError
from nsynth_core.lazy import tf
from nsynth_core.wavenet import checkpoint, memory, training
from wavetables.cli import main

pytestmark = pytest.mark.tensorflow
RATE = 22_050


@pytest.fixture
def sounds(tmp_path):
    folder = tmp_path / "sounds"
    t = np.arange(RATE) / RATE
    for name, f in (("a.wav", 300.0), ("deep/b.flac", 200.0)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        audio.write(folder / name, Sound((0.5 * np.sin(2 * np.pi * f * t)).astype(np.float32)[:, None], RATE))
    (folder / "notes.txt").write_text("no sound")
    return folder


def test_published_schedule():
    steps = [0, 89_999, 90_000, 150_000, 199_999, 240_000, 10**7]
    assert [training.learning_rate(s) for s in steps] == [2e-4, 2e-4, 4e-4 / 3, 4e-5, 2e-5, 2e-6, 2e-6]


def test_the_loss_falls_and_the_checkpoint_loads_back(sounds, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CROP", 1024)
    told = []
    prefix = training.train(
        training.sounds(sounds),
        tmp_path / "ckpt",
        steps=30,
        batch=2,
        width=8,
        rate=25.0,
        report=lambda *figures: told.append(figures),
    )
    assert [step for step, _, _ in told] == [1, 10, 20, 30]
    losses = [loss for _, _, loss in told]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.3
    weights, averaged = checkpoint.load(prefix), checkpoint.load(prefix, averages=True)
    assert (weights.width, weights.skip, weights.latent, weights.has_encoder) == (8, 4, 16, True)
    assert len({weights.digest, averaged.digest, training.initial_weights(0, 8).digest}) == 3


@pytest.mark.slow
def test_the_command_saves_what_a_published_run_saves(sounds, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training, "CROP", 512)
    out = tmp_path / "ckpt"
    command = ["train", str(sounds), "-o", str(out), "--engine", "nsynth", "--width", "4", "--batch", "1", "--steps"]
    assert main([*command, "2"]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(out / "model.ckpt-2")
    assert "train: 2/2" in told.err
    saved = dict(tf.train.list_variables(told.out.strip()))
    names = set(checkpoint.decoder_shapes()) | set(checkpoint.encoder_shapes())
    assert len(saved) == 1495
    assert names < set(saved)
    assert saved["global_step"] == []
    assert {name for name in names if f"{name}/Adam" not in saved} == set(training.UNUSED)
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert main([*command, "2"]) == 0  # nothing is left to do
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    capsys.readouterr()
    assert main([*command[:-4], "8", *command[-3:], "3"]) == 1  # no network of another width
    assert "training cannot continue from" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.slow
def test_an_interrupted_training_goes_on(sounds, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "CROP", 512)
    files, made = training.sounds(sounds), {"batch": 2, "width": 4, "rate": 10.0}

    def interrupt(step: int, steps: int, loss: float) -> None:
        if step == 1:
            raise KeyboardInterrupt

    whole = training.train(files, tmp_path / "whole", steps=2, **made)
    with pytest.raises(KeyboardInterrupt):
        training.train(files, tmp_path / "parts", steps=2, report=interrupt, **made)
    assert (tmp_path / "parts" / "model.ckpt-1.index").exists()
    parts = training.train(files, tmp_path / "parts", steps=2, **made)
    assert parts.name == whole.name == "model.ckpt-2"
    for name, _ in tf.train.list_variables(str(whole)):
        np.testing.assert_array_equal(
            tf.train.load_variable(str(parts), name), tf.train.load_variable(str(whole), name), name
        )


def test_a_seed_decides_everything_random(sounds):
    def digest(seed: int) -> str:
        return training.initial_weights(seed, 4).digest

    def first(seed: int) -> np.ndarray:
        return training.crops(training.sounds(sounds), seed, 0, 3)

    assert digest(1) == digest(1) != digest(2)
    assert (first(1) == first(1)).all()
    assert (first(1) != first(2)).any()
    assert first(1).shape == (3, 6144)
    assert 0 <= first(1).min() < first(1).max() <= 255


def test_what_cannot_be_trained(tmp_path, capsys):
    with pytest.raises(UserError, match="no sound files"):
        training.sounds(tmp_path)
    (tmp_path / "b.wav").write_bytes(b"RIFFxxxxWAVE")
    with pytest.raises(UserError, match=r"b\.wav: not a readable sound file"):
        training.sounds(tmp_path)
    with pytest.raises(UserError, match=r"cannot write .*b\.wav.*Not a directory"):
        training.train([], tmp_path / "b.wav" / "out", width=2, batch=1)
    for code, arguments in (
        (1, ["--engine", "nsynth"]),
        (2, ["--engine", "magic"]),
        (2, ["--width", "8"]),
        (2, ["--engine", "nsynth", "--soundfonts", "."]),
    ):
        assert main(["train", str(tmp_path / "none"), "-o", str(tmp_path / "out"), *arguments]) == code
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_training_that_does_not_fit_the_memory_is_not_begun(tmp_path, monkeypatch):
    """As published it takes 120 GB."""
    monkeypatch.setattr(memory, "free", lambda: 16 << 30)
    with pytest.raises(UserError, match=r"takes 12\d\.\d GB, 17\.2 GB are free; take a smaller batch"):
        training.train([], tmp_path / "out")
    assert not (tmp_path / "out").exists()
