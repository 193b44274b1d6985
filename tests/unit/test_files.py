"""Files appear whole or not at all."""

from __future__ import annotations

import os
import pickle

import pytest

from nsynth_core.errors import FileExists, NotWritable, UserError
from nsynth_core.files import atomic, check_free, is_reserved_name, sha256


def test_file_appears_whole_and_alone(tmp_path):
    target = tmp_path / "new" / "folder" / "note.wav"
    with atomic(target) as temporary:
        assert temporary.suffix == ".wav"
        temporary.write_bytes(b"half")
        assert not target.exists()
        temporary.write_bytes(b"whole")
    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["note.wav"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failure_leaves_nothing_behind(tmp_path, failure):
    def write():
        with atomic(tmp_path / "note.wav") as temporary:
            temporary.write_bytes(b"half")
            raise failure

    with pytest.raises(failure):
        write()
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_what_was_there(tmp_path):
    target = tmp_path / "note.wav"
    target.write_bytes(b"old")

    def write():
        with atomic(target, force=True) as temporary:
            temporary.write_bytes(b"half")
            raise ValueError("stopped")

    with pytest.raises(ValueError, match="stopped"):
        write()
    assert target.read_bytes() == b"old"


def test_nothing_is_overwritten_unasked(tmp_path):
    target = tmp_path / "note.wav"
    target.write_bytes(b"old")
    with pytest.raises(UserError, match=r"note\.wav exists already"), atomic(target) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"old"
    with atomic(target, force=True) as temporary:
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_file_that_appears_meanwhile_is_kept(tmp_path):
    target = tmp_path / "note.wav"
    with pytest.raises(UserError, match="exists already"), atomic(target):
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["note.wav"]


def test_folder_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path, "."):
        with pytest.raises(UserError, match="is a folder"), atomic(place, force=True):
            pass
    with pytest.raises(UserError, match="is a folder"):
        check_free(tmp_path, force=True)


def test_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*note\.wav: "), atomic(tmp_path / "file" / "note.wav"):
        pass


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="cannot write"), atomic(tmp_path / "note.wav"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_hashes_of_files_say_what_is_wrong(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256(tmp_path / "a").startswith("ba7816bf")
    with pytest.raises(UserError, match="no such file"):
        sha256(tmp_path / "b")
    with pytest.raises(UserError, match="cannot be read"):
        sha256(tmp_path)


def test_names_that_windows_keeps_for_devices():
    for name in ("con", "NUL", "aux.wav", "com1", "LPT9.tar.gz", "com0", "clock$", "prn .txt"):
        assert is_reserved_name(name), name
    for name in ("concert", "com", "com10", "my con", "null.wav", ""):
        assert not is_reserved_name(name), name


def test_errors_know_the_file_and_survive_a_pickle(tmp_path):
    (tmp_path / "note.wav").write_bytes(b"")
    with pytest.raises(FileExists) as caught:
        check_free(tmp_path / "note.wav", force=False)
    assert caught.value.path == tmp_path / "note.wav"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.path) == (FileExists, str(caught.value), caught.value.path)
    with pytest.raises(NotWritable, match="it is a folder"):
        check_free(tmp_path, force=True)
