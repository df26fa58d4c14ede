"""The emulator as the machine sees it: Unicorn's interface, narrowed and typed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Protocol, cast

import unicorn
from unicorn import arm_const

EngineError: Any = unicorn.UcError  # type: ignore[attr-defined]
"""Raised by ``emu_start``; ``errno`` is one of Unicorn's UC_ERR_* numbers."""


class Engine(Protocol):
    """The part of ``unicorn.Uc`` that is used; see Unicorn's own documentation of each call."""

    def mem_map_ptr(self, address: int, size: int, perms: int, ptr: int) -> None: ...

    def mmio_map(
        self,
        address: int,
        size: int,
        read_cb: Callable[[Any, int, int, Any], int],
        user_data_read: object,
        write_cb: Callable[[Any, int, int, int, Any], None],
        user_data_write: object,
    ) -> None: ...

    def reg_read(self, reg_id: int) -> int: ...

    def reg_write(self, reg_id: int, value: int) -> None: ...

    def hook_add(self, htype: int, callback: Callable[..., object]) -> int: ...

    def emu_start(self, begin: int, until: int) -> None: ...

    def emu_stop(self) -> None: ...

    def context_save(self) -> Any: ...

    def context_restore(self, context: Any) -> None: ...

    def ctl_set_cpu_model(self, model: int) -> None: ...


def create() -> Engine:
    """A Cortex-M4 in Thumb state with an empty memory map."""
    engine: Any = unicorn.Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)  # type: ignore[attr-defined,no-untyped-call]
    engine.ctl_set_cpu_model(arm_const.UC_CPU_ARM_CORTEX_M4)
    return cast(Engine, engine)


def emulate(engine: Engine, begin: int, until: int) -> int | None:
    """Run from ``begin`` until something stops the engine; its error number, None if there is no error.

    Emulation runs in a thread of its own, so that Ctrl-C reaches Python: it stops the engine and is
    raised again here. An exception of a Python callback is raised here as well.
    """
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            engine.emu_start(begin, until)
        except BaseException as error:  # handed to the caller's thread
            outcome.append(error)

    worker = threading.Thread(target=work, name="mcusim-emulation", daemon=True)
    worker.start()
    try:
        worker.join()
    except BaseException:
        engine.emu_stop()
        worker.join()
        raise
    if not outcome:
        return None
    if isinstance(outcome[0], EngineError):
        return int(outcome[0].errno)
    raise outcome[0]
