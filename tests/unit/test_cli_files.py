"""What commands do with files: refuse, overwrite, and one sentence for what is no array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim import image, network
from mcusim.cli import files
from mcusim.errors import InputError, UsageError


def test_existing_files_are_kept_unless_forced(tmp_path: Path) -> None:
    there = tmp_path / "there.json"
    there.write_text("kept")
    with pytest.raises(UsageError, match="exists; -f overwrites it"):
        files.claim([there], force=False)
    files.claim([there], force=True)
    files.claim([None, tmp_path / "new.json", Path("/dev/null")], force=False)
    assert there.read_text() == "kept"


def test_folders_and_files_named_twice_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        files.claim([tmp_path], force=True)
    with pytest.raises(UsageError, match="more than one output"):
        files.claim([tmp_path / "a", tmp_path / "a"], force=True)
    with pytest.raises(UsageError, match="there is no folder"):
        files.claim([tmp_path / "none" / "a"], force=True)


def test_arrays_are_written_and_read_under_any_name(tmp_path: Path) -> None:
    path = tmp_path / "array.dat"
    array = np.arange(6, dtype=np.int8).reshape(2, 3)
    files.write_array(path, array)
    read = files.read_array(path)
    assert read.dtype == np.int8
    assert np.array_equal(read, array)


def test_what_is_no_array_is_one_sentence(tmp_path: Path) -> None:
    archive = tmp_path / "archive.npz"
    np.savez(archive, a=np.zeros(1))
    pickled = tmp_path / "pickled.npy"
    np.save(pickled, np.array([{}], dtype=object))
    text = tmp_path / "text.npy"
    text.write_text("no array")
    empty = tmp_path / "empty.npy"
    empty.write_bytes(b"")
    cut = tmp_path / "cut.npy"
    np.save(cut, np.zeros(100))
    cut.write_bytes(cut.read_bytes()[:200])
    for path in (archive, pickled, text, empty, cut, tmp_path / "none.npy", tmp_path):
        with pytest.raises(InputError, match=path.name) as caught:
            files.read_array(path)
        assert "\n" not in str(caught.value)


def test_networks_are_built_before_they_run(tmp_path: Path) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(b"    TFL3")
    for name in ("zoo:tiny", str(model)):
        with pytest.raises(InputError, match=f"built first: mcusim build '{name}' -o fw.elf"):
            image.load(Path(name))
    firmware = tmp_path / "fw.elf"
    firmware.write_bytes(b"\x7fELF")
    with pytest.raises(UsageError, match="firmware already: mcusim run"):
        network.load(firmware)
