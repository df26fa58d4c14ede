"""docs/timing.md holds the tables that the code and the micro-benchmarks give.

``MCUSIM_UPDATE=1`` in the environment writes them there.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from micro_benchmarks import MICRO_BENCHMARKS, MicroBenchmark

from mcusim.timing.document import rules_table, table

DOCUMENT = Path(__file__).parents[2] / "docs" / "timing.md"


def _code(benchmark: MicroBenchmark) -> str:
    lines = benchmark.code.format(start="1").replace("b.n 9f", "b").splitlines()
    grouped: list[tuple[str, int]] = []
    for line in lines:
        count = grouped.pop()[1] + 1 if grouped and grouped[-1][0] == line else 1
        grouped.append((line, count))
    text = "; ".join(line if count == 1 else f"{line} (x{count})" for line, count in grouped)
    place = f"at {benchmark.offset} mod 8: " if benchmark.offset else ""
    return f"{place}`{text}`" + (", in SRAM" if benchmark.in_sram else "")


def _cycles(benchmark: MicroBenchmark) -> str:
    if benchmark.model_cycles:
        return f"{benchmark.cycles}, **the model says {benchmark.model_cycles}**"
    return str(benchmark.cycles)


def _micro_benchmarks() -> str:
    rows = [(b.name, _code(b), _cycles(b), b.status) for b in MICRO_BENCHMARKS]
    return table(("snippet", "code", "cycles", "status"), rows)


@pytest.mark.parametrize(
    ("name", "content"), [("rules", rules_table()), ("micro-benchmarks", _micro_benchmarks())]
)
def test_tables_are_current(name: str, content: str) -> None:
    text = DOCUMENT.read_text()
    first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = text.split(first)
    found, after = rest.split(last)
    if os.environ.get("MCUSIM_UPDATE"):
        DOCUMENT.write_text(before + first + content + last + after)
        found = content
    assert found == content
