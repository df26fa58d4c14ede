"""Cores: what watches an emulator and counts. ``create`` picks one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Literal

from mcusim.core.interface import Core, CoreSpec

if TYPE_CHECKING:
    from unicorn.unicorn_py3.unicorn import Uc

_LOG = logging.getLogger(__name__)


def create(uc: Uc, spec: CoreSpec, prefer: Literal["native", "twin"] = "native") -> Core:
    """A core that watches ``uc`` from now on: the native one, or its Python twin if that is preferred.

    Without the native library the twin runs, slowly, and a warning is logged. Raises UsageError for an
    unknown timing model.
    """
    from mcusim.core.twin import TwinCore

    if prefer == "twin":
        return TwinCore(uc, spec)
    from mcusim.core.native import NativeCore

    try:
        return NativeCore(uc, spec)
    except OSError as error:
        _LOG.warning("The slow Python core runs because the native one cannot: %s.", error)
        return TwinCore(uc, spec)
