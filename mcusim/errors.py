"""One family of exceptions; each class carries the exit code that the command line returns for it.

Exit codes 0 to 62 belong to the firmware (63 stands for any firmware code above 62) and 2 is also the
code of a wrong command line; 64 and above are verdicts of the simulator.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_USAGE = 2
EXIT_FIRMWARE_OVERFLOW = 63
"""Stands for every firmware exit code above 62; the trace holds the real one."""


class McusimError(Exception):
    """Base of every error that mcusim raises on purpose; its text is one sentence for the user."""

    exit_code: ClassVar[int] = 70
    reason: ClassVar[str] = "error"


class UsageError(McusimError):
    """The command line or an argument of the Python interface makes no sense."""

    exit_code = EXIT_USAGE
    reason = "usage"


class FaultError(McusimError):
    """The firmware did what the core cannot do: undefined instruction, unmapped access, bad vector."""

    exit_code = 64
    reason = "fault"


class InputError(McusimError):
    """A file given by the user is not what it should be: ELF, model, tensor, trace, chip."""

    exit_code = 65
    reason = "bad-input"


class CycleLimitError(McusimError):
    """The firmware did not end within the cycles allowed."""

    exit_code = 66
    reason = "timeout"


class MemoryLimitError(McusimError):
    """The firmware wrote outside its memory: no region, flash, or below the stack's limit."""

    exit_code = 67
    reason = "memory"


class BudgetError(McusimError):
    """A measured figure exceeds the budget that the user set."""

    exit_code = 68
    reason = "budget"


class FitError(McusimError):
    """A network or an image needs more SRAM or flash than the chip has."""

    exit_code = 69
    reason = "does-not-fit"


class ToolchainError(McusimError):
    """The cross compiler is missing or refused generated code."""

    exit_code = 70
    reason = "toolchain"


class WorkerError(McusimError):
    """A process that did part of the work was killed."""

    exit_code = 72
    reason = "worker"


class UnsupportedError(InputError):
    """The model uses an operator, type or option that mcusim does not have (named with its index)."""

    reason = "unsupported"


class ScheduleError(InputError):
    """The schedule asked for cannot be applied to this network."""

    reason = "schedule"
