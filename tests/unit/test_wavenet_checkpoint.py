"""Checkpoints: every way to give one, and what is said of those that are missing, cut, foreign or hostile."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from nsynth_core.errors import UserError
from nsynth_core.wavenet import archive, checkpoint, embeddings, index, memory

pytestmark = pytest.mark.tensorflow
WIDTHS = {"width": 4, "skip": 3, "latent": 2}
DATA = "model.ckpt-7.data-00000-of-00001"


def arrays(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = checkpoint.decoder_shapes(**WIDTHS) | checkpoint.encoder_shapes(5, 2)
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "ckpt"
    averages = {f"{name}/ExponentialMovingAverage": array for name, array in arrays(1).items()}
    checkpoint.save(made, arrays() | averages | {"global_step": np.int32(7), "foo/W": np.ones(3)}, 7)
    return made


def pack(path: Path, folder: Path, inside: str = "wavenet-ckpt", mode: str = "w") -> Path:
    with tarfile.open(path, mode) as tar:
        tar.add(folder, arcname=inside)
    return path


def refused(path: Path, **options: bool) -> str:
    with pytest.raises(UserError) as error:
        checkpoint.load(path, **options)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_published_sizes():
    decoder, encoder = checkpoint.decoder_shapes(), checkpoint.encoder_shapes()
    assert (len(decoder), len(encoder)) == (250, 124)
    assert sum(int(np.prod(shape)) for shape in decoder.values()) == 59_827_712
    assert sum(int(np.prod(shape)) for shape in encoder.values()) == 1_976_336
    assert decoder["dilatedconv_7/W"] == (1, 3, 512, 1024)
    assert encoder["ae_bottleneck/W"] == (1, 1, 128, 16)


def test_every_way_to_give_one(folder, tmp_path):
    ways = [folder, folder / "model.ckpt-7", folder / "model.ckpt-7.index", folder / DATA, folder / "checkpoint"]
    ways += [pack(tmp_path / "a.tar", folder), pack(tmp_path / "b.tar", folder, ".")]
    ways += [pack(tmp_path / "c.tgz", folder, mode="w:gz")]
    for way in ways:
        found = checkpoint.load(way)
        assert (found.width, found.skip, found.latent, found.has_encoder) == (4, 3, 2, True)
        assert found.arrays.keys() == arrays().keys()
        assert all((found.arrays[name] == array).all() for name, array in arrays().items())
    assert len({checkpoint.load(way).digest for way in ways}) == 1
    averaged = checkpoint.load(folder, averages=True)
    assert (averaged.arrays["out1/W"] == arrays(1)["out1/W"]).all()
    assert averaged.digest != checkpoint.load(folder).digest


def test_the_checkpoint_that_is_named_or_the_latest(folder):
    checkpoint.save(folder, arrays(2), 31)
    assert (checkpoint.load(folder).arrays["out1/W"] == arrays(2)["out1/W"]).all()
    (folder / "checkpoint").write_text('model_checkpoint_path: "/home/elsewhere/model.ckpt-7"\n')
    assert (checkpoint.load(folder).arrays["out1/W"] == arrays()["out1/W"]).all()
    (folder / "checkpoint").unlink()
    assert (checkpoint.load(folder).arrays["out1/W"] == arrays(2)["out1/W"]).all()


def test_a_decoder_alone(tmp_path):
    decoder = {name: array for name, array in arrays().items() if not name.startswith("ae_")}
    checkpoint.save(tmp_path, decoder, 1)
    assert not checkpoint.load(tmp_path).has_encoder


@pytest.mark.parametrize("name", ["dilatedconv_17/W", "ae_res_3/biases", "startconv/W", "cond_map_1/W", "skip_1/W"])
def test_a_missing_or_misshaped_variable_is_named(tmp_path, name):
    less = arrays()
    del less[name]
    checkpoint.save(tmp_path / "less", less, 1)
    assert f"variable {name} is missing" in refused(tmp_path / "less")
    other = arrays() | {name: np.zeros((1, 2, 9, 4), np.float32)}
    checkpoint.save(tmp_path / "other", other, 1)
    assert f"variable {name} is float32 [1, 2, 9, 4], but float32 [" in refused(tmp_path / "other")
    checkpoint.save(tmp_path / "kind", arrays() | {name: arrays()[name].astype(np.float64)}, 1)
    assert f"variable {name} is float64" in refused(tmp_path / "kind")


def test_averages_that_are_not_there(tmp_path):
    checkpoint.save(tmp_path, arrays(), 1)
    assert "no moving averages" in refused(tmp_path, averages=True)


def test_numbers_that_are_none(tmp_path):
    bad = arrays()
    bad["res_3/W"][0, 0, 1, 1] = np.nan
    checkpoint.save(tmp_path, bad, 1)
    assert "res_3/W holds NaN" in refused(tmp_path)


def test_what_is_no_checkpoint(folder, tmp_path):
    assert "no checkpoint" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "no checkpoint" in refused(tmp_path / "empty")
    for content in (b"", b"RIFF\0\0\0\0WAVE", bytes(range(256)) * 64):
        (tmp_path / "noise.tar").write_bytes(content)
        assert "no readable checkpoint" in refused(tmp_path / "noise.tar")
    checkpoint.save(tmp_path / "foreign", {"dense/kernel": np.ones((3, 3), np.float32)}, 1)
    assert "missing (no NSynth WaveNet" in refused(tmp_path / "foreign")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_cut_files(folder, tmp_path, share):
    packed = pack(tmp_path / "a.tar", folder)
    for name in (DATA, "model.ckpt-7.index"):
        cut = tmp_path / name
        shutil.copytree(folder, cut)
        whole = (folder / name).read_bytes()
        (cut / name).write_bytes(whole[: int(len(whole) * share)])
        refused(cut)
    whole = packed.read_bytes()
    packed.write_bytes(whole[: int(len(whole) * 0.8 * share)])
    refused(packed)


def test_damaged_bytes_are_noticed(folder):
    data = bytearray((folder / DATA).read_bytes())
    for at in range(0, len(data), 97):
        data[at] ^= 0x55
    (folder / DATA).write_bytes(data)
    assert "damaged" in refused(folder)


def test_hostile_archives(folder, tmp_path):
    def holding(name: str, member: tarfile.TarInfo, content: bytes = b"") -> Path:
        path = pack(tmp_path / name, folder)
        with tarfile.open(path, "a") as tar:
            tar.addfile(member, io.BytesIO(content))
        return path

    outside = tarfile.TarInfo("../../evil.index")
    absolute = tarfile.TarInfo("/etc/evil.index")
    windows = tarfile.TarInfo("C:\\evil.index")
    link = tarfile.TarInfo("wavenet-ckpt/model.ckpt-9.index")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    device = tarfile.TarInfo("wavenet-ckpt/null")
    device.type = tarfile.CHRTYPE
    for i, member in enumerate((outside, absolute, windows, link, device)):
        assert "hostile" in refused(holding(f"{i}.tar", member))
    assert not list(tmp_path.parent.rglob("evil.index"))
    twice = tarfile.TarInfo(f"other/{DATA}")
    assert "two files" in refused(holding("twice.tar", twice))


def test_archives_that_ask_for_more_than_they_hold(folder, tmp_path, monkeypatch):
    """A header may say any size; what is read into memory or onto the disk is bounded."""
    path = tmp_path / "a.tar"

    def head(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
        member = tarfile.TarInfo(name)
        member.size, member.type = size, kind
        return member.tobuf(tarfile.GNU_FORMAT)

    def refused_with(*heads: bytes, size: int = 0) -> str:
        with path.open("wb") as file:
            file.write(b"".join(heads) + bytes(1024))
            file.truncate(max(size, file.tell()))
        return refused(path)

    monkeypatch.setattr(archive, "MAX_MEMBERS", 100)
    assert "more than 4 GB" in refused_with(head("model.ckpt-9.index", 1 << 40))
    assert "no readable" in refused_with(head("model.ckpt-9.index", 3 << 30))
    assert "more than 4 GB, or 100 files" in refused_with(*[head("x", 0)] * 200)
    for kind in (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_SPARSE):  # read as long as they say
        assert "no readable" in refused_with(head("x", 64 << 30, kind), size=64 << 30)
    assert "no readable" in refused_with(*[head("x", 10, tarfile.GNUTYPE_LONGNAME) + b"a".ljust(512, b"\0")] * 5000)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("a")
        member.pax_headers = {"size": "-1024"}
        tar.addfile(member)
    assert "lies about its size" in refused(path)


def test_weights_that_do_not_fit_the_memory(folder, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda: 10_000)
    assert "not enough memory: its weights take" in refused(folder)


def test_an_index_that_lies(folder):
    """A malformed entry would end the whole process, in TensorFlow."""
    path = folder / "model.ckpt-7.index"
    whole = path.read_bytes()
    index.check(path)
    rng = np.random.default_rng(0)
    noticed = 0
    for _ in range(300):
        other = bytearray(whole)
        other[rng.integers(len(other))] = rng.integers(256)
        path.write_bytes(other)
        try:
            index.check(path)
        except ValueError:
            noticed += 1
    assert noticed > 50
    from tensorflow.core.protobuf.tensor_bundle_pb2 import BundleEntryProto

    name, entry = b"logits/W", BundleEntryProto(dtype=1, size=4)
    entry.shape.dim.add(size=-1)
    with pytest.raises(ValueError, match="impossible things of 'logits/W'"):
        index._check_entry(name, entry.SerializeToString())
    path.write_bytes(whole[:-8] + bytes(8))
    assert "its index is none, or cut short" in refused(folder)


def test_a_packed_index():
    """Snappy, as its format description gives it: a literal, a near copy that overlaps itself, a far one."""
    packed = bytes([12, 3 << 2]) + b"abcd" + bytes([0b000_000_01, 2, 1 << 2 | 2, 6, 0]) + bytes([1 << 2]) + b"xy"
    assert index._unpacked(packed) == b"abcd" + b"cdcd" + b"cd" + b"xy"
    with pytest.raises(ValueError, match="malformed"):
        index._unpacked(bytes([4, 0b000_000_01, 2]))


def test_an_archive_of_any_size_is_not_unpacked(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_BYTES", 4000)
    assert "unpacks to more than" in refused(pack(tmp_path / "big.tar", folder))


@pytest.mark.parametrize("shape", [(7, 16), (1, 7, 16)])
def test_embeddings(tmp_path, shape):
    encoding = np.random.default_rng(0).standard_normal(shape)
    np.save(tmp_path / "a_embeddings.npy", encoding)
    found = embeddings.read(tmp_path / "a_embeddings.npy")
    assert found.dtype == np.float32
    assert (found == encoding.reshape(7, 16).astype(np.float32)).all()
    embeddings.write(tmp_path / "b.npy", found)
    assert np.load(tmp_path / "b.npy").shape == (7, 16)
    assert (embeddings.read(tmp_path / "b.npy") == found).all()
    with pytest.raises(UserError, match="exists"):
        embeddings.write(tmp_path / "b.npy", found)


def test_embeddings_that_are_none(tmp_path):
    path = tmp_path / "x.npy"
    with pytest.raises(UserError, match="no such file"):
        embeddings.read(path)
    for bad in (np.zeros((0, 16)), np.zeros((3, 15)), np.zeros((2, 3, 16)), np.full((3, 16), np.inf), np.array("a")):
        np.save(path, bad)
        with pytest.raises(UserError, match=r"x\.npy"):
            embeddings.read(path)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="not a readable"):
        embeddings.read(path)
    np.savez(tmp_path / "y.npz", a=np.zeros((3, 16)))
    with pytest.raises(UserError, match="archive"):
        embeddings.read(tmp_path / "y.npz")
    head = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 16), }"
    path.write_bytes(head.ljust(127) + b"\n")
    with pytest.raises(UserError, match="not a readable"):
        embeddings.read(path)
