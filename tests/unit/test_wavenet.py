"""NSynth's WaveNet beside a slow float64 model of it, and what generating promises."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from nsynth_core.errors import UserError
from nsynth_core.lazy import tf
from nsynth_core.wavenet import checkpoint, encoder, generator, memory, mulaw, network, verify
from nsynth_core.wavenet.checkpoint import Weights
from nsynth_core.wavenet.products import idle, packed, product

pytestmark = pytest.mark.tensorflow
OFFICIAL = Path(__file__).parents[3] / "shared" / "reference" / "nsynth_golden"  # beside the project, if at all


def _reference():
    spec = importlib.util.spec_from_file_location("wavenet_reference", Path(__file__).with_name("wavenet_reference.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _reference()


@pytest.fixture(scope="module")
def golden(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("golden")
    reference.write_golden(folder, 3)
    return folder


@pytest.fixture(scope="module")
def weights() -> Weights:
    return Weights(reference.random_weights(5, width=16, skip=8, encoder=8, latent=4))


@pytest.fixture(scope="module")
def encodings() -> np.ndarray:
    return np.random.default_rng(6).standard_normal((5, 2, 4)).astype(np.float32)


@pytest.fixture(scope="module")
def sound(weights, encodings) -> np.ndarray:
    """Five streams in one batch, over the boundary of a frame."""
    return generator.generate(weights, encodings, seed=1, samples=600)


def test_mu_law():
    steps = np.arange(-32768, 32768) / 32768
    assert (mulaw.quantise(steps) == reference.quantise(steps)).all()
    values = np.arange(-128, 128)
    assert (mulaw.quantise(mulaw.restore(values)) == values).all()
    np.testing.assert_allclose(mulaw.restore(values), reference.restore(values), atol=1e-7)
    # floor, not round; -1 and +1 are not alike; ringing in silence is silence
    assert mulaw.quantise(np.float32([-1, 1, 0, -1e-4, 1e-4, -1e-10])).tolist() == [-128, 128, 0, -1, 0, 0]


@pytest.mark.slow
def test_every_array_of_a_golden_set_of_other_widths(golden):
    rows = list(verify.compare(golden))
    assert len(rows) > 200
    assert {"encoding", "ema_probs", "gen_probs_late", "sample_bins", "enc/ae_res_30", "dec/out1"} <= {
        row.name for row in rows
    }
    assert [row for row in rows if not row.good] == []


@pytest.mark.skipif(not OFFICIAL.exists(), reason="the reference values of the original code are not here")
def test_every_array_of_the_original_code(capsys):
    assert verify.main([str(OFFICIAL)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "64 arrays compared, all within"


def test_verify_sees_an_error(golden, tmp_path, capsys):
    with np.load(golden / "golden.npz") as data:
        arrays = {name: data[name] for name in ("audio", "encoding_512", "encoding_1024")}
    arrays["encoding_1024"] = arrays["encoding_1024"] + np.where(np.arange(2) == 1, 2e-4, 0)[:, None]
    for file in golden.glob("model.ckpt*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    np.savez(tmp_path / "golden.npz", **arrays)
    assert verify.main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 arrays compared, 1 beyond tolerance: encoding_1024"
    assert [line.split()[0] for line in lines if "BEYOND" in line] == ["encoding_1024"]
    assert verify.main([str(tmp_path / "none")]) == 1
    assert verify.main([]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_encoding_in_pieces_is_encoding_at_once(weights, monkeypatch):
    audio = reference.notes(np.random.default_rng(0), 2, 40 * 512 + 100)
    whole = encoder.encode(weights, audio)
    assert whole.shape == (2, 40, 4)
    monkeypatch.setattr(encoder, "PIECE", 9)
    np.testing.assert_allclose(encoder.encode(weights, audio), whole, atol=1e-5)


def test_what_cannot_be_encoded(weights):
    with pytest.raises(UserError, match="too short"):
        encoder.encode(weights, np.zeros((1, 511), np.float32))
    decoder = Weights({name: array for name, array in weights.arrays.items() if not name.startswith("ae_")})
    with pytest.raises(UserError, match="only the decoder"):
        encoder.encode(decoder, np.zeros((1, 512), np.float32))


@pytest.fixture(scope="module")
def wide(weights, encodings) -> np.ndarray:
    """The same as many streams are computed, until the longest pair has met."""
    return generator.generate(weights, encodings, seed=1, samples=600, wide=True)


@pytest.mark.slow
def test_many_streams_are_computed_in_pairs(weights, encodings, sound, wide, monkeypatch):
    """Which decides the last bit, so that their number in all decides, not that of a batch."""
    assert not generator.is_wide(generator.WIDE - 1)
    assert generator.is_wide(generator.WIDE)
    assert not generator.is_wide(generator.WIDE, "bfloat16")
    assert (wide == sound).mean() > 0.05  # the first samples of each
    monkeypatch.setattr(generator, "WIDE", 5)
    found = generator.generate(weights, encodings, seed=1, samples=600, batch=3)
    assert (found == wide).all()


@pytest.mark.slow
def test_an_interrupted_run_in_pairs_goes_on(weights, encodings, wide, tmp_path):
    file = tmp_path / "run.npz"

    def interrupt(done: int, total: int, note: str) -> None:
        if done >= 5 * 576 and note != "compiling":
            raise KeyboardInterrupt

    run = {"seed": 1, "samples": 600, "unfinished": file}
    with pytest.raises(KeyboardInterrupt):
        generator.generate(weights, encodings, **run, wide=True, progress=interrupt)
    with pytest.raises(UserError, match="another run"):
        generator.generate(weights, encodings, **run)
    found = generator.generate(weights, encodings, **run, wide=True)
    assert (found == wide).all()


@pytest.mark.parametrize("batch", [1, 3])
def test_a_seed_gives_the_same_samples_in_any_batch(weights, encodings, sound, batch):
    assert sound.shape == (5, 600)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() < 1
    assert len(np.unique(sound)) > 20
    found = generator.generate(weights, encodings, seed=1, samples=600, batch=batch)
    assert (found == sound).all()


@pytest.mark.slow
def test_bfloat16_is_as_reproducible(weights, encodings, tmp_path):
    """In any batch, interrupted and resumed."""
    whole = generator.generate(weights, encodings[:3], seed=1, samples=200, precision="bfloat16")
    file = tmp_path / "run.npz"

    def interrupt(done: int, total: int, note: str) -> None:
        if done >= 128 and note != "compiling":
            raise KeyboardInterrupt

    run = {"seed": 1, "samples": 200, "batch": 2, "unfinished": file}
    with pytest.raises(KeyboardInterrupt):
        generator.generate(weights, encodings[:3], **run, precision="bfloat16", progress=interrupt)
    with pytest.raises(UserError, match="another run"):
        generator.generate(weights, encodings[:3], **run)
    found = generator.generate(weights, encodings[:3], **run, precision="bfloat16")
    assert (found == whole).all()


@pytest.mark.parametrize("outputs", [48, 64, 66, 1024])
def test_a_filter_in_blocks_is_the_filter(outputs):
    """Whatever its blocks, down to the last bit: a seed's samples must not depend on how many streams there are."""
    rng = np.random.default_rng(0)
    filter_, x = (np.float32(rng.standard_normal(shape)) for shape in ((96, outputs), (20, 96)))
    found = []
    for rows in (2, 20, 64):
        wider = np.pad(filter_, ((0, 0), (0, idle(outputs, rows))))
        found.append(product(tf.constant(x), packed(wider, rows)).numpy()[:, :outputs])
    assert idle(1024, 64)
    np.testing.assert_allclose(found[0], x @ filter_, atol=1e-4)
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])


def test_streams_by_number(weights, encodings, sound):
    """A stream alone is the stream among others; left and right of one number share their noise."""
    found = generator.generate(weights, encodings[[3, 3, 3]], seed=1, samples=100, streams=[3, 3, 0])
    assert (found[0] == sound[3, :100]).all()
    assert (found[0] == found[1]).all()
    assert (found[2] != found[0]).any()


def test_uniforms_from_anywhere():
    whole = generator.uniforms_of(4, 2, 0, 1000)
    assert (generator.uniforms_of(4, 2, 512, 700) == whole[512:700]).all()
    assert (generator.uniforms_of(5, 2, 0, 1000) != whole).all()
    assert (generator.uniforms_of(4, 3, 0, 1000) != whole).all()
    assert 0.45 < whole.mean() < 0.55


@pytest.mark.slow
def test_beyond_the_last_class_is_the_last(weights, encodings):
    """A CDF in float32 may end below u; the original then leaves the scale, at 1.02."""
    found = generator.generate(weights, encodings[:2], uniforms=np.full((2, 64), 1 - 2**-53), samples=64)
    assert found.max() <= mulaw.restore(np.array([127]))[0]
    assert (generator.generate(weights, encodings[:2], uniforms=np.zeros((2, 64)), samples=64) < -0.9).all()


@pytest.mark.parametrize("at", [320, 3 * 600])
@pytest.mark.slow
def test_an_interrupted_run_goes_on(weights, encodings, sound, tmp_path, at):
    """Within a batch, and between two."""
    file = tmp_path / "run.npz"

    def interrupt(done: int, total: int, note: str) -> None:
        assert total == 5 * 600
        if done >= at and note != "compiling":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator.generate(weights, encodings, seed=1, samples=600, batch=3, unfinished=file, progress=interrupt)
    assert file.exists()
    with pytest.raises(UserError, match="another run"):
        generator.generate(weights, encodings, seed=2, samples=600, unfinished=file)
    seen = []
    found = generator.generate(
        weights,
        encodings,
        seed=1,
        samples=600,
        unfinished=file,
        progress=lambda done, total, note: seen.append(done),
    )
    assert (found == sound).all()
    assert seen[0] >= at
    assert not file.exists()


def test_too_little_memory_is_said_before(weights, encodings, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 100 << 20)
    with pytest.raises(UserError, match="not enough memory"):
        generator.generate(weights, encodings)


def test_a_container_s_memory(tmp_path):
    """cgroup v2 and v1: the limit, less what is used, but for files that can be read again."""
    assert memory._container(tmp_path) is None
    (tmp_path / "memory").mkdir()
    for name, text in (
        ("limit_in_bytes", "900"),
        ("usage_in_bytes", "500"),
        ("stat", "cache 9\ntotal_inactive_file 40"),
    ):
        (tmp_path / "memory" / f"memory.{name}").write_text(text)
    assert memory._container(tmp_path) == 440
    for name, text in (("max", "800"), ("current", "500"), ("stat", "inactive_file 30\n")):
        (tmp_path / f"memory.{name}").write_text(text)
    assert memory._container(tmp_path) == 330
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._container(tmp_path) == 440


def test_what_full_size_needs():
    """247 MB of weights and 12.6 MB a stream, at least."""
    shapes = checkpoint.decoder_shapes()
    full = Weights({name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()})
    assert generator.memory_needed(full, 0) > 239e6
    assert 12.6e6 < generator.memory_needed(full, 9) - generator.memory_needed(full, 8) < 25e6
    assert generator.memory_needed(full, 0, wide=True) - generator.memory_needed(full, 0) == 30 * 4 * 512 * 1024
    assert 24.7e6 < generator.memory_needed(full, 64) - generator.memory_needed(full, 63) < 37e6


@pytest.mark.parametrize("shape", [(1, 2, 3), (1, 0, 4)])
def test_encodings_of_another_size(weights, shape):
    with pytest.raises(UserError, match="encodings of"):
        generator.generate(weights, np.zeros(shape, np.float32))


def test_receptive_field():
    assert network.EDGE == 3070
