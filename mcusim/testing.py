"""Firmware held to limits and baselines inside a test suite: what the pytest plugin offers to tests.

Nothing here knows pytest; whatever is wrong is raised as an error of the family.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mcusim import trace as documents
from mcusim.errors import BudgetError, InputError
from mcusim.report import changes, figures
from mcusim.report.memory_parts import stack_path
from mcusim.report.metrics import METRICS, Metric, find, tolerance
from mcusim.trace import Trace

if TYPE_CHECKING:
    from mcusim.cli.networks import Prune
    from mcusim.compiler.schedule import InputIn
    from mcusim.machine.ports import Array
    from mcusim.simulate import SimulationResult

DEFAULT_TOLERANCES: Mapping[str, str] = {"cycles": "0.5%", "sram": "0", "flash": "1%"}
"""Runs are deterministic; what is tolerated is noise of harmless edits, not of the measurement."""
BULKY = frozenset({"hot_instructions", "sram_map", "execution"})
"""Parts of a trace that baselines leave out."""
TOP = 10
NAMED = 3
UPDATE = "--mcusim-update"


@dataclass(frozen=True)
class Settings:
    """Where baselines are, whether they are written instead of read, and the chip of runs that name none."""

    traces: Path
    update: bool
    chip: str


@dataclass
class Bench:
    """The fixture ``mcusim``: builds and runs firmware, and compares runs with baselines.

    ``name`` is that of the test, ``limits`` are those of its markers, by figure. ``tell`` takes sentences
    for the end of the session. ``built`` keeps images by what they were built from.
    """

    settings: Settings
    name: str
    limits: Mapping[str, Any]
    folder: Path
    tell: Callable[[str], None]
    built: dict[tuple[object, ...], Path] = field(default_factory=dict)
    runs: int = 0

    def build(
        self,
        model: str | Path,
        schedule: str = "layer",
        *,
        chip: str | None = None,
        input_in: InputIn | None = None,
        toolchain: str = "zig",
        prune: Prune = "exact",
    ) -> Path:
        """The image of a network (a .tflite file or zoo:NAME) under a schedule; once a session. ``prune``
        "none" keeps channels that provably carry nothing."""
        key = (str(model), schedule, chip or self.settings.chip, input_in, toolchain, prune)
        if key not in self.built:
            self.built[key] = self._build(*key)
        return self.built[key]

    def _build(
        self, model: str, spec: str, chip: str, input_in: InputIn | None, toolchain: str, prune: Prune
    ) -> Path:
        from mcusim import chips
        from mcusim.cli import networks
        from mcusim.compiler.build import build
        from mcusim.compiler.schedule import parse_spec

        pruned = networks.load(model, prune)
        graph = pruned.graph
        out = self.folder / str(len(self.built)) / f"{graph.name}.elf"
        target = chips.load(chip)
        schedule = parse_spec(spec, graph, input_in, target.sram.size, target.clock_hz)
        return build(graph, schedule, target, out=out, toolchain=toolchain, provenance=pruned.provenance).elf

    def run(
        self,
        firmware: Path | str,
        *,
        chip: str | None = None,
        inputs: Sequence[Array] | None = None,
        layers: str | None = None,
        max_cycles: int | None = None,
    ) -> SimulationResult:
        """Run an image to its end and hold it to the test's limits.

        ``inputs`` None: a network gets pseudo-random values, always the same. ``layers`` takes functions as
        layers, by a regular expression. Raises the error that the run ended with, BudgetError for a limit.
        """
        from mcusim.cli.subjects import default_inputs
        from mcusim.simulate import simulate

        image = Path(firmware)
        result = simulate(
            image,
            chip or self.settings.chip,
            inputs=default_inputs(image) if inputs is None else inputs,
            max_cycles=max_cycles,
            layers_regex=layers,
        )
        if result.error is not None:
            raise result.error
        self.runs += 1
        check_limits(result.trace, self.limits)
        return result

    def compare(
        self, run: SimulationResult | Trace, name: str | None = None, **tolerances: str | float
    ) -> None:
        """Hold a run to the baseline of this name (default: the test's), or write it when updating.

        ``tolerances`` say by how much a figure may grow, as a percentage or an amount; they replace and add
        to ``DEFAULT_TOLERANCES``. Raises BudgetError for a regression, InputError without a baseline.
        """
        new = run if isinstance(run, Trace) else run.trace
        path = self.settings.traces / f"{name or self.name}.json"
        shown = f"{path.parent.name}/{path.name}"
        allowed = [tolerance(*item) for item in {**DEFAULT_TOLERANCES, **tolerances}.items()]
        if self.settings.update:
            self._write(path, new)
            return
        if not path.is_file():
            raise InputError(f"there is no baseline {shown}; pytest {UPDATE} writes it")
        old = documents.load(path)
        differences = changes.comparability(old, new)
        if differences:
            raise InputError(
                f"the baseline {shown} is of another kind of run; pytest {UPDATE} writes it again. "
                + " ".join(differences)
            )
        found = changes.regressions(old, new, allowed)
        if found:
            blocks = [regression_text(regression, old, new) for regression in found]
            raise BudgetError("\n".join([*blocks, f"(baseline: {shown})"]))
        for improved in changes.improvements(old, new, allowed):
            self.tell(f"{shown}: {improved}; {UPDATE} keeps it")

    def _write(self, path: Path, new: Trace) -> None:
        content = documents.dump(as_baseline(new))
        if path.is_file() and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.tell(f"{path.parent.name}/{path.name}: written")


def as_baseline(trace: Trace) -> Trace:
    """``trace`` without what differs from host to host, so that equal runs are equal files, and without
    what any edit of the firmware moves about."""
    firmware = msgspec.structs.replace(
        trace.firmware, path=Path(trace.firmware.path).name, flash=_unplaced(trace.firmware.flash)
    )
    memory = msgspec.structs.replace(trace.memory, live=())
    host = msgspec.structs.replace(trace.host, seconds=0.0)
    empty = {field.name: field.default for field in msgspec.structs.fields(trace) if field.name in BULKY}
    return msgspec.structs.replace(trace, firmware=firmware, memory=memory, host=host, **empty)


def _unplaced(flash: documents.Flash | None) -> documents.Flash | None:
    """Symbols by name, all at address 0."""
    if flash is None:
        return None
    symbols = [msgspec.structs.replace(symbol, address=0) for symbol in flash.symbols]
    return msgspec.structs.replace(flash, symbols=tuple(sorted(symbols, key=lambda it: (it.name, it.bytes))))


def check_limits(trace: Trace, limits: Mapping[str, Any]) -> None:
    """Raises BudgetError with a sentence and the ten largest contributors for every limit exceeded."""
    blocks = []
    for name, amount in limits.items():
        metric = find(name)
        limit, value = metric.parse(amount), metric.of(trace)
        if value > limit:
            over = metric.exact(value - limit)
            sentence = (
                f"{metric.title}: {metric.text(value)}, over the limit of {metric.text(limit)} by {over}."
            )
            blocks.append("\n".join([sentence, *_largest(metric, trace)]))
    if blocks:
        raise BudgetError("\n".join(blocks))


def _largest(metric: Metric, trace: Trace) -> list[str]:
    parts = sorted(changes.parts_of(metric, trace), key=lambda part: (-part.value, part.label))
    whole = metric.of(trace)
    lines = _lines(
        (part.label, metric.text(part.value), figures.percent(part.value, whole))
        for part in parts[:TOP]
        if part.value
    )
    return [*lines, *_deepest(metric, trace)]


def _deepest(metric: Metric, trace: Trace) -> list[str]:
    """Where the stack was deepest, for the figure that this explains."""
    if metric.name != "stack" or not trace.memory.stack_chain:
        return []
    return [f"  deepest in {stack_path(trace.memory)}"]


def regression_text(regression: changes.Regression, old: Trace, new: Trace) -> str:
    """The sentence, the ten parts that changed most, and the functions or layers where that happened."""
    metric = regression.tolerance.metric
    found = changes.changes(changes.parts_of(metric, old), changes.parts_of(metric, new))[:TOP]
    lines = [f"{regression.sentence()}."]
    lines += _lines((change.label, metric.signed(change.delta)) for change in found)
    lines += _deepest(metric, new)
    if metric.name in {"cycles", "time", "instructions"} and new.layers:
        functions = changes.changes(changes.by_function(old), changes.by_function(new))
        lines += _named("cycles by function", functions, METRICS["cycles"])
    if metric.name in {"sram", "arena"}:
        layers = changes.changes(changes.by_live_bytes(old), changes.by_live_bytes(new))
        lines += _named("live bytes by layer", layers, METRICS["live"])
    return "\n".join(lines)


def _named(title: str, found: Sequence[changes.Change], metric: Metric) -> list[str]:
    """The largest changes in one line, none if nothing changed."""
    named = ", ".join(f"{change.label} {metric.signed(change.delta)}" for change in found[:NAMED])
    return [f"  {title}: {named}"] if named else []


def _lines(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows of texts as indented columns, all but the first aligned to the right."""
    table = list(rows)
    if not table:
        return []
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    return [
        "  "
        + "  ".join(
            [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
        )
        for row in table
    ]
