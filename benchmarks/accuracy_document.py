"""docs/accuracy.md: what stands behind the cycle figures, and what does not."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from accuracy_flat import TRM_REFILL
from accuracy_models import CANDIDATES, cross_validate, in_range, rms_by_source
from accuracy_table import (
    COLUMNS,
    Record,
    Row,
    Source,
    Table,
    errors,
    errors_of_model,
    rows_of,
    summarise,
)

from mcusim.timing.document import table as markdown
from mcusim.timing.model import MODEL_VERSION

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "timing"))
from micro_benchmarks import PUBLISHED

_HEAD = """# How exact the cycles are

Written by `benchmarks/accuracy.py --record`. Every figure here is of this code: each sequence and program
was run in the simulator and is compared with what others measured on a chip and published. (The errors in
[timing.md](timing.md) are those of the study that the rules come from.)
"""

_PROGRAMS = """
## Programs

Hand-written assembly whose cycles somebody published for a Cortex-M4 that fetches without wait states:
integer and DSP instructions, and moves to and from the floating-point unit.
Beside the error of the model stand those of two simple rules: one cycle for every instruction, and the
table of the manual, added up, with {refill} cycles for a refill of the pipeline. Where the publication
counted around the call, so does the image, with the simulated cycle counter; what that adds is in all
columns.
"""

_RANGE = """
The range that reports print as ± n % is that of rules on which sources disagree; it says nothing of the
rest of the error. In these rows it is at most {width:.1%} wide, and holds {inside} of the {rows} published
counts; the others lie up to {beyond:.1%} outside.
"""

_NOTES = """
The programs are not part of this project, only how they are called:
[published.toml](../benchmarks/accuracy/published.toml) and the harnesses for
[AES](../benchmarks/accuracy/harness/aes.c), [binary fields](../benchmarks/accuracy/harness/gf254.c) and the
transforms of [Saber](../benchmarks/accuracy/harness/ntt_saber.c) and
[Dilithium](../benchmarks/accuracy/harness/ntt_dilithium.c) and
[compression](../benchmarks/accuracy/harness/kyber_compress.c), which check the results. The figures are of
the instructions of the named revisions, typed in from their text; functions that are not called were left
out, the others kept their places modulo four bytes. Calls by other compilers may differ by some cycles.
Published cycles of code whose published size is not that of any revision that could be had are not in the
table (decryption of AES with DSP instructions, key schedule of 256 bits). To measure again, check the
revisions out as `FOLDER/SOURCE/REVISION` and run

```
python benchmarks/accuracy.py --sources FOLDER
```

or bring images of your own and a table of what they took: `--elfs FOLDER --table TABLE.toml`, on another chip
with `--chip`. FOLDER holds `NAME.elf` for every row of the table; a row is

```toml
[[rows]]
name = "fir"
cycles = 1234                # as measured on the chip
functions = ["fir", "tail"]  # what was measured; cycles are per call of the first
# printed = "cycles"         # instead: the image prints "cycles N", from the cycle counter around the call
# clock = "168MHz"           # with the wait states that the chip needs at that clock
```

Rows of the same code that differ in the passes of a loop tell the loop from the rest, call and cycle counter
included, in cycles:
"""

_CHOICE = """
## Choice of the model

The costs of [instructions](timing.md#rules) are those of the study that the rules come from, but for one.
The fetch machine was chosen by the rows above, from those of the study and `m6`. Errors of all of them:
"""

_WHY = """
`m5` keeps fetches away in the last cycle of a long instruction (a load before arithmetic, a load or store
of several registers, a VMOV of two) and in the one behind it. In code of 32-bit instructions nearly each of
these then costs a cycle too many; `m6` is `m5` without that. `m1` has no such cycles either, but restarts
too late after a long wait: that shows in the binary field. `m2` waits throughout, far beyond its error in
the study, whose code was not at hand. The products of Saber that miss their cycles in the column "VMOV
free" load from an address that a VMOV from one floating-point register wrote just before, nine times in
each of 32 passes in the first and once in the others: they are short by 9 x 32 and 32 cycles, up to the
rest of six and four. Hence rule 5 for VMOV; VMOV of two registers shows no such wait in the binary field.

So the rows had a say in the choice, but for those of the inverted key schedule and of the compression for
Kyber, which were added after it. How it does on others is seen by leaving each project out of it: choose on
all but one, then try the choice on that one.
"""

_OPEN = """
What is left: the reading of the counter and the call, by other compilers than there, in each row. In the
compression for Kyber, one cycle for every pass whose last store, with the base written back and arithmetic
behind it, is not aligned: 24 passes of `5-smmulr`, 16 of `10-smmulr`, 8 of `5-smlaw` and `11-smlaw`. Other
stores that are not aligned, with a store behind them, take what rule 14 says. Whether write-back or the
instruction behind makes the difference cannot be told from these rows, so no rule was made of it. And in the
transforms of Dilithium, {ntt} and {inverse} cycles that nothing here explains; a function in C that is not
part of the figure here accounts for some of them.
"""

_WAITING = """
## Wait states

The same code of Saber at 168 MHz, where the flash of the STM32F407 needs 5 wait states: what its
accelerator (instruction and data cache, prefetch) leaves of them. No rule was adjusted to these rows.
"""

_REST = """
## Not validated

* **Flash with wait states on other chips** than the STM32F407, and code there that leaves the caches again
  and again: the rows above run through their code once or in short loops.
* **Another Cortex-M4 without wait states**: all rows are of the STM32F4. The study's rows, of an STM32L4R5,
  were met best by `m5`; whether that is the chip or the code cannot be told without them.
* **Compiled code**: no published count was found with the image that it was measured on; another version of
  a compiler makes other code. The study behind the rules had such rows, the compiler's difference included.
* **Floating point, division, exceptions**: rules of the manual and of compilers' descriptions of the core,
  not compared with a chip; [timing.md](timing.md) gives source and status rule by rule.
* **Code in SRAM** beside data, where both meet on one bus; data spread over several memories.
* **DMA** and whatever else takes bus cycles from the core.
* **Whole networks**: no published count of one at zero wait states comes with its image.
"""


def document(table: Table, record: Record) -> str:
    """The whole text, from the published rows and what was measured."""
    measured = msgspec.structs.replace(
        table, rows=tuple(row for row in table.rows if row.name in record.rows)
    )
    still, waiting = rows_of(measured, waiting=False), rows_of(measured, waiting=True)
    used = {row.source: table.sources[row.source] for row in measured.rows}
    return "".join(
        (
            _HEAD,
            _sequences(),
            _PROGRAMS.format(refill=TRM_REFILL),
            _age(record),
            "\n" + _rows(still, record),
            "\n" + _summary(still, record),
            _range(still, record),
            "\n" + _sources(used.values()),
            _NOTES,
            "\n" + _loops(still.rows, record),
            _OPEN.format(**_missing(still, record)),
            _CHOICE,
            "\n" + _by_model(still, record),
            "\n" + _by_source(still, record),
            _WHY,
            "\n" + _left_out(still, record),
            _WAITING,
            "\n" + _rows(waiting, record),
            "\n" + _summary(waiting, record),
            _REST,
        )
    )


def _sequences() -> str:
    """The published micro-benchmarks, which the tests run one by one."""
    exact = sum(benchmark.expected == benchmark.cycles for benchmark in PUBLISHED)
    missed = [benchmark for benchmark in PUBLISHED if benchmark.expected != benchmark.cycles]
    lines = [f"* {b.name}: {b.expected} cycles, on the chip {b.cycles}\n" for b in missed]
    return (
        "\n## Sequences\n\n"
        f"{exact} of {len(PUBLISHED)} published sequences of a few instructions take the very number of "
        "cycles\nthat was measured; the tests run each of [them](timing.md). The rules were "
        "chosen to meet them.\nMissed:\n\n" + "".join(lines)
    )


def _age(record: Record) -> str:
    age = f"\nModel {record.model}, version {record.model_version}."
    if record.model_version < MODEL_VERSION:
        age += f" The model is at version {MODEL_VERSION}; these rows were not measured\nagain since."
    return age + "\n"


def _rows(table: Table, record: Record) -> str:
    signed = [errors(table, record.rows, column) for column in COLUMNS]
    head = ("program", "revision", "published", "simulated", *(f"error, {column}" for column in COLUMNS))
    return markdown(
        head,
        [
            (
                row.name,
                row.revision,
                f"{row.cycles:,.0f}",
                f"{record.rows[row.name].model:,.0f}",
                *(f"{error[row.name]:+.1%}" for error in signed),
            )
            for row in table.rows
        ],
    )


def _missing(table: Table, record: Record) -> dict[str, str]:
    """Cycles by which the transforms of Dilithium come out short."""
    short = {row.name: row.cycles - record.rows[row.name].model for row in table.rows}
    return {name: f"{short[f'dilithium-{name}']:.0f}" for name in ("ntt", "inverse")}


def _by_model(table: Table, record: Record) -> str:
    signed = [errors_of_model(table, record.rows, model) for model in CANDIDATES]
    lines = [(row.name, *(f"{error[row.name]:+.1%}" for error in signed)) for row in table.rows]
    return markdown(("program", *CANDIDATES), lines)


def _by_source(table: Table, record: Record) -> str:
    found = [rms_by_source(table, record.rows, model) for model in CANDIDATES]
    lines = [(source, *(f"{rms[source]:.1%}" for rms in found)) for source in found[0]]
    everything = [
        summarise(list(errors_of_model(table, record.rows, model).values())) for model in CANDIDATES
    ]
    lines.append(("all rows", *(f"{summary.rms:.1%}" for summary in everything)))
    return markdown(("project, rms", *CANDIDATES), lines)


def _left_out(table: Table, record: Record) -> str:
    lines = [
        (left.source, str(left.rows), left.chosen, f"{left.rms:.1%}")
        for left in cross_validate(table, record.rows)
    ]
    return markdown(("project left out", "its rows", "chosen on the others", "rms there"), lines)


def _range(table: Table, record: Record) -> str:
    found = in_range(table, record.rows)
    return _RANGE.format(width=found.width, inside=found.inside, rows=found.rows, beyond=found.beyond)


def _summary(table: Table, record: Record) -> str:
    lines = []
    for column in COLUMNS:
        found = summarise(list(errors(table, record.rows, column).values()))
        lines.append((column, *(f"{value:.1%}" for value in (found.mean, found.rms, found.p95, found.worst))))
    head = f"all {len(table.rows)} rows"
    return markdown((head, "mean", "rms", "95 % within", "worst"), lines)


def _loops(rows: Sequence[Row], record: Record) -> str:
    """A pass and the rest of each code that was run with two numbers of passes: published and simulated."""
    lines = []
    for functions, found in itertools.groupby((row for row in rows if row.passes), lambda row: row.functions):
        first, *_, last = found
        more = last.passes - first.passes
        cells = []
        for few, many in (
            (first.cycles, last.cycles),
            (record.rows[first.name].model, record.rows[last.name].model),
        ):
            one_pass = (many - few) / more
            cells.append((f"{one_pass:.1f}", f"{few - one_pass * first.passes:.0f}"))
        (published, rest), (simulated, simulated_rest) = cells
        lines.append((f"`{functions[0]}`", published, simulated, rest, simulated_rest))
    head = ("code", "a pass, published", "a pass, simulated", "rest, published", "rest, simulated")
    return markdown(head, lines)


def _sources(sources: Iterable[Source]) -> str:
    return "".join(
        f"* {source.title}: [code]({source.repository}), {source.licence}; "
        f"[figures]({source.figures}).\n  {source.board}; {source.method}.\n"
        for source in sources
    )
