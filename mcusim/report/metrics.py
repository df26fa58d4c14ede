"""Figures of a trace that can be limited and compared: how each is read, written and parsed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mcusim.errors import UsageError
from mcusim.report import figures
from mcusim.trace import Trace

Unit = Literal["count", "bytes", "seconds"]

_SCALES: dict[Unit, dict[str, float]] = {
    "count": {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9},
    "bytes": {"": 1, "B": 1, "kB": 1e3, "KiB": 1 << 10, "MB": 1e6, "MiB": 1 << 20},
    "seconds": {"s": 1, "ms": 1e-3, "us": 1e-6},
}
_AMOUNT = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")
_SHARE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")


@dataclass(frozen=True)
class Metric:
    """A figure of a whole run, less of which is better. ``name`` is what users write, ``title`` what
    they read."""

    name: str
    title: str
    unit: Unit
    of: Callable[[Trace], float]

    def text(self, value: float) -> str:
        """``value`` as reports write it."""
        if self.unit == "seconds":
            return figures.time(value)
        return figures.kib(round(value)) if self.unit == "bytes" else figures.count(round(value))

    def exact(self, value: float) -> str:
        """``value`` to the last byte or cycle, with its unit."""
        if self.unit == "seconds":
            return figures.time(value)
        unit = self.title if self.unit == "count" else "byte" if round(value) == 1 else "bytes"
        return f"{figures.count(round(value))} {unit}"

    def signed(self, delta: float) -> str:
        """A difference with its sign, to the last byte or cycle."""
        if self.unit == "seconds":
            return f"{'-' if delta < 0 else '+'}{figures.time(abs(delta))}"
        return f"{round(delta):+,}{' B' if self.unit == 'bytes' else ''}"

    def parse(self, amount: str | float) -> float:
        """The value of an amount such as 1.2M, 32 KiB or 12 ms. Raises UsageError if it is none."""
        if isinstance(amount, int | float):
            return float(amount)
        found = _AMOUNT.fullmatch(amount)
        scale = _SCALES[self.unit].get(found[2]) if found else None
        if found is None or scale is None:
            raise UsageError(f"{self.name}={amount!r} is no amount such as {self._example()}")
        return float(re.sub("[_,]", "", found[1])) * scale

    def _example(self) -> str:
        return {"count": "1.2M or 350_000", "bytes": "32 KiB or 512", "seconds": "12 ms"}[self.unit]


_ALL = (
    Metric("cycles", "cycles", "count", lambda trace: trace.totals.cycles),
    Metric("time", "time", "seconds", lambda trace: trace.totals.seconds),
    Metric("instructions", "instructions", "count", lambda trace: trace.totals.instructions),
    Metric("macs", "MACs", "count", lambda trace: trace.totals.macs),
    Metric("sram", "SRAM peak", "bytes", lambda trace: trace.memory.sram_peak_bytes),
    Metric("live", "live at once", "bytes", lambda trace: trace.memory.live_peak_bytes),
    Metric("arena", "arena", "bytes", lambda trace: trace.memory.arena_bytes),
    Metric("input", "of it input", "bytes", lambda trace: trace.memory.input_bytes),
    Metric("written", "of it written", "bytes", lambda trace: trace.memory.arena_high_water_bytes),
    Metric("scratch", "scratch", "bytes", lambda trace: trace.memory.scratch_bytes),
    Metric("stack", "stack", "bytes", lambda trace: trace.memory.stack_bytes),
    Metric("static", "static data", "bytes", lambda trace: trace.memory.static_bytes),
    Metric("heap", "heap", "bytes", lambda trace: trace.memory.heap_bytes),
    Metric("flash", "flash", "bytes", lambda trace: trace.firmware.flash_bytes),
    Metric("code", "code", "bytes", lambda trace: trace.firmware.text_bytes),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def find(name: str) -> Metric:
    """Raises UsageError, listing what there is, for an unknown name."""
    if name not in METRICS:
        raise UsageError(f"there is no figure {name!r}; there are: {', '.join(METRICS)}")
    return METRICS[name]


@dataclass(frozen=True)
class Tolerance:
    """How much more than before is still taken: a share of the old value, or an amount."""

    metric: Metric
    share: float = 0.0
    amount: float = 0.0

    def allows(self, old: float, new: float) -> bool:
        """Whether ``new`` is no more than ``old`` and the tolerance together, rounding of floats apart."""
        return new - old <= old * self.share + self.amount + 1e-9 * old

    def text(self) -> str:
        """The tolerance as a user would write it."""
        return self.metric.exact(self.amount) if self.amount else f"{100 * self.share:g} %"


def tolerance(name: str, text: str | float) -> Tolerance:
    """``text`` is a percentage such as 2%, or an amount. Raises UsageError if it is neither."""
    metric = find(name)
    found = _SHARE.fullmatch(text) if isinstance(text, str) else None
    if found:
        return Tolerance(metric, share=float(found[1]) / 100)
    return Tolerance(metric, amount=metric.parse(text))
