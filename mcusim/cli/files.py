"""Files that commands read and write, with one sentence for everything that can be wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcusim.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]


def claim(paths: Sequence[Path | None], *, force: bool) -> None:
    """Check, before any work is done, that every output file may be written.

    Raises UsageError if one exists (without ``force``), is a folder, is named twice, or has no folder
    to be in. What is not a regular file (/dev/null, a pipe) is never refused.
    """
    seen: set[Path] = set()
    for path in paths:
        if path is None:
            continue
        if path in seen:
            raise UsageError(f"{path} is named for more than one output")
        seen.add(path)
        if path.is_dir():
            raise UsageError(f"{path} is a folder, not a file to write")
        if not path.parent.is_dir():
            raise UsageError(f"{path} cannot be written: there is no folder {path.parent}")
        if path.is_file() and not force:
            raise UsageError(f"{path} exists; -f overwrites it")


def write(path: Path, content: bytes) -> None:
    """Raises UsageError if ``path`` cannot be written."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def read_array(path: Path) -> Array:
    """The array in a .npy file. Raises InputError if it cannot be read or is not one."""
    import numpy as np

    try:
        array: Any = np.load(path, allow_pickle=False)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: not a .npy file with a plain array") from error
    if not isinstance(array, np.ndarray):
        raise InputError(f"{path}: an .npz archive; a .npy file with one array is wanted")
    return array


def write_array(path: Path, array: Array) -> None:
    """Write ``array`` as .npy, whatever the file is called. Raises UsageError if that cannot be."""
    import io

    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write(path, buffer.getvalue())
