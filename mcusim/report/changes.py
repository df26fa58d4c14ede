"""What differs between two runs, and what contributed how much: read from their traces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mcusim.errors import BudgetError
from mcusim.report.metrics import METRICS, Metric, Tolerance
from mcusim.trace import Layer, Trace

GUARDED = ("cycles", "sram", "flash")
"""The figures that a regression is looked for in unless others are named."""
OUTSIDE = "outside all layers"
FLASH_PARTS = {"text": "code", "initial": "first values"}
"""Kinds of flash whose names in traces are not words that reports use."""


@dataclass(frozen=True)
class Part:
    """A layer, function or kind of memory; ``key`` finds it again in another run."""

    key: str
    label: str
    value: float


@dataclass(frozen=True)
class Change:
    """A part in two runs; None where a run has no such part."""

    label: str
    old: float | None
    new: float | None

    @property
    def delta(self) -> float:
        """How much more the new run has."""
        return (self.new or 0) - (self.old or 0)


@dataclass(frozen=True)
class Regression:
    """A figure that grew by more than was tolerated."""

    tolerance: Tolerance
    old: float
    new: float

    def sentence(self) -> str:
        """What grew, by how much, and what was allowed; without a full stop."""
        metric = self.tolerance.metric
        grown = f" ({100 * (self.new / self.old - 1):+.2f} %)" if self.old else ""
        return (
            f"{metric.title} went from {metric.text(self.old)} to {metric.text(self.new)}, "
            f"{metric.exact(self.new - self.old)} more{grown} where {self.tolerance.text()} is tolerated"
        )


def layer_title(layer: Layer) -> str:
    """Number and operator; the function's name where a function was taken as a layer."""
    return layer.name if layer.op in {"", "function"} else f"#{layer.index} {layer.op}"


def by_layer(trace: Trace, metric: Metric = METRICS["cycles"]) -> list[Part]:
    """Parts of cycles, time, instructions, MACs or stack; those that are sums with the rest at the end.

    Empty for a run without layers, and for figures that layers have no part in.
    """
    fields = {"cycles": "cycles", "time": "cycles", "macs": "macs", "stack": "stack_bytes"}
    field = fields.get(metric.name, metric.name)
    if not trace.layers or field not in Layer.__struct_fields__:
        return []
    values: dict[str, int] = {}
    for layer in trace.layers:
        title = layer_title(layer)
        values[title] = values.get(title, 0) + int(getattr(layer, field))
    if field in {"cycles", "instructions"}:
        values[OUTSIDE] = getattr(trace.totals, field) - sum(values.values())
    per_second = trace.chip.clock_hz if metric.name == "time" else 1
    return [_part(title, value / per_second) for title, value in values.items()]


def by_function(trace: Trace) -> list[Part]:
    """Cycles of every function, callees apart. Functions of one name in several files are told apart."""
    files: dict[str, set[str]] = {}
    cycles: dict[tuple[str, str], int] = {}
    for function in trace.functions:
        file = function.file.rsplit("/", 1)[-1]
        files.setdefault(function.name, set()).add(file)
        cycles[function.name, file] = cycles.get((function.name, file), 0) + function.cycles_self
    return [
        Part(f"{name}@{file}", f"{name} ({file})" if len(files[name]) > 1 else name, value)
        for (name, file), value in cycles.items()
    ]


def by_memory(trace: Trace) -> list[Part]:
    """The parts of the SRAM peak."""
    names = ("arena", "scratch", "stack", "static", "heap")
    return [_part(METRICS[name].title, METRICS[name].of(trace)) for name in names]


def by_flash(trace: Trace) -> list[Part]:
    """What the image occupies in flash: every symbol and the padding; code and all else in older traces."""
    flash = trace.firmware.flash
    if flash is None:
        code = trace.firmware.text_bytes
        return [_part("code", code), _part("constants and initial data", trace.firmware.flash_bytes - code)]
    sizes: dict[str, int] = {"padding": flash.padding_bytes}
    for symbol in flash.symbols:
        title = f"{symbol.name} ({FLASH_PARTS.get(symbol.part, symbol.part)})"
        sizes[title] = sizes.get(title, 0) + symbol.bytes
    return [_part(title, size) for title, size in sizes.items()]


def by_live_bytes(trace: Trace) -> list[Part]:
    """The most bytes that were live in every layer."""
    return [_part(layer_title(layer), layer.live_peak_bytes) for layer in trace.layers]


def _part(name: str, value: float) -> Part:
    return Part(name, name, value)


def parts_of(metric: Metric, trace: Trace) -> list[Part]:
    """What a figure is made of, as far as the trace knows; empty where it does not."""
    layers = by_layer(trace, metric)
    if layers:
        return layers
    parts = {"cycles": by_function, "sram": by_memory, "flash": by_flash}.get(metric.name)
    return parts(trace) if parts else []


def changes(old: Iterable[Part], new: Iterable[Part]) -> list[Change]:
    """What changed, the largest change first; parts that did not change are left out."""
    before = {part.key: part for part in old}
    after = {part.key: part for part in new}
    found = []
    for key in before.keys() | after.keys():
        first, second = before.get(key), after.get(key)
        label = second.label if second else first.label if first else key
        found.append(Change(label, first.value if first else None, second.value if second else None))
    return sorted(
        (change for change in found if change.delta),
        key=lambda change: (-abs(change.delta), change.label),
    )


def regressions(old: Trace, new: Trace, tolerances: Sequence[Tolerance]) -> list[Regression]:
    """The figures that grew by more than their tolerance, in the order of ``tolerances``."""
    found = []
    for tolerance in tolerances:
        before, after = tolerance.metric.of(old), tolerance.metric.of(new)
        if not tolerance.allows(before, after):
            found.append(Regression(tolerance, before, after))
    return found


def improvements(old: Trace, new: Trace, tolerances: Sequence[Tolerance]) -> list[str]:
    """What fell by more than its tolerance, a phrase each."""
    found = []
    for tolerance in tolerances:
        metric = tolerance.metric
        before, after = metric.of(old), metric.of(new)
        if not tolerance.allows(after, before):
            change = metric.signed(after - before)
            found.append(f"{metric.title} fell from {metric.text(before)} to {metric.text(after)} ({change})")
    return found


def comparability(old: Trace, new: Trace) -> list[str]:
    """Why figures of two runs may differ although the firmware does not, a sentence each."""
    pairs = (
        ("chip", old.chip.name, new.chip.name),
        ("clock", f"{old.chip.clock_hz:,} Hz", f"{new.chip.clock_hz:,} Hz"),
        ("wait states", str(old.chip.wait_states), str(new.chip.wait_states)),
        ("timing model", _model(old), _model(new)),
        ("network", old.firmware.network or "none", new.firmware.network or "none"),
        ("schedule", str(old.schedule.get("name", "none")), str(new.schedule.get("name", "none"))),
        ("end of the run", old.exit.reason, new.exit.reason),
    )
    return [
        f"Not the same {what}: {first} before, {second} now."
        for what, first, second in pairs
        if first != second
    ]


def _model(trace: Trace) -> str:
    return f"{trace.timing.model}, version {trace.timing.version}"


def check(old: Trace, new: Trace, tolerances: Sequence[Tolerance]) -> None:
    """Raises BudgetError with one sentence for all regressions together."""
    found = regressions(old, new, tolerances)
    if found:
        raise BudgetError("; ".join(regression.sentence() for regression in found))
