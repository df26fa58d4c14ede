"""docs/accuracy.md: what stands behind the cycle figures, and what does not."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from accuracy_flat import TRM_REFILL
from accuracy_table import COLUMNS, Record, Row, Source, Table, errors, summarise

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

Hand-written assembly whose cycles somebody published for a Cortex-M4 that fetches without wait states.
Beside the error of the model stand those of two simple rules: one cycle for every instruction, and the
table of the manual, added up, with {refill} cycles for a refill of the pipeline. Where the publication
counted around the call, so does the image, with the simulated cycle counter; what that adds is in all
columns.
"""

_NOTES = """
The programs are not part of this project, only how they are called:
[published.toml](../benchmarks/accuracy/published.toml) and the harnesses for
[AES](../benchmarks/accuracy/harness/aes.c) and [binary fields](../benchmarks/accuracy/harness/gf254.c),
which check the results. The figures are of the instructions of the named revisions, typed in from their
text; functions that are not called were left out, the others kept their places modulo four bytes. Calls by
other compilers may differ by some cycles. To measure again, check the revisions out as
`FOLDER/SOURCE/REVISION` and run

```
python benchmarks/accuracy.py --sources FOLDER
```

or bring images of your own and a table of what they took: `--elfs FOLDER --table TABLE.toml`.

The rules were not adjusted to any of these rows. Rows of the same code that differ in the passes of a loop
tell the loop from the rest, call and cycle counter included, in cycles:
"""

_OPEN = """
So the error of encryption and decryption sits in their loops, where the branch back comes behind
arithmetic. The loops of the key schedules of 128 and 192 bits, where it comes behind a store of several
words, are too long by about a cycle a pass. Whether the difference is the core's or that of the flash
interface cannot be told from these figures. The key schedule of 256 bits is far off, and no known rule
explains it.

In the products and the inversion of the binary field nearly all of the error comes from moves of two
registers to or from the floating-point unit: behind each, the fetch machine waits for a cycle that the chip
does not take.
"""

_REST = """
## Not validated

* **Wait states, prefetch, accelerators and caches of flash**: all figures here are of memory that answers at
  once. At a chip's highest clock the counts are higher.
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
    rows = [row for row in table.rows if row.name in record.rows]
    return "".join(
        (
            _HEAD,
            _sequences(),
            _PROGRAMS.format(refill=TRM_REFILL),
            _age(record),
            "\n" + _rows(table, rows, record),
            "\n" + _summary(table, record),
            "\n" + _sources({row.source: table.sources[row.source] for row in rows}.values()),
            _NOTES,
            "\n" + _loops(rows, record),
            _OPEN,
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


def _rows(table: Table, rows: Sequence[Row], record: Record) -> str:
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
            for row in rows
        ],
    )


def _summary(table: Table, record: Record) -> str:
    lines = []
    for column in COLUMNS:
        found = summarise(list(errors(table, record.rows, column).values()))
        lines.append((column, *(f"{value:.1%}" for value in (found.mean, found.rms, found.p95, found.worst))))
    return markdown(("all rows", "mean", "rms", "95 % within", "worst"), lines)


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
