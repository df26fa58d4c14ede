"""Binary columns as text that a JSON document can hold: compressed by zlib, written as base64."""

from __future__ import annotations

import base64
import zlib


def compressed(raw: bytes, level: int = 9) -> str:
    """The text that ``expanded`` turns back. ``level`` is zlib's, 1 (fast) to 9 (small)."""
    return base64.b64encode(zlib.compress(raw, level)).decode()


def expanded(text: str) -> bytes:
    """Raises ValueError if the text is damaged."""
    try:
        return zlib.decompress(base64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError(str(error)) from error
