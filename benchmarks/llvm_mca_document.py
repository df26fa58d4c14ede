"""docs/llvm-mca.md: where the model and llvm-mca differ, and which rule makes the difference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llvm_mca_run import FOLDED, REFILL, RESULT, Comparison

from mcusim.timing.document import table as markdown
from mcusim.timing.explain import FETCH

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "llvm-mca.md"


@dataclass(frozen=True)
class Explanation:
    """A cause of differences: its name in tables, and what lies behind it."""

    title: str
    text: str


EXPLANATIONS = {
    "2": Explanation(
        "second cycle of a load",
        "rule 2: a load takes two cycles unless an access comes next; llvm-mca lets every instruction issue "
        "in one and waits only where the loaded value is used at once",
    ),
    "4": Explanation("store", "rule 4: a load behind a store waits, a store with register offset takes two"),
    "5": Explanation(
        "address from arithmetic", "rule 5: an address that was only just computed waits a cycle"
    ),
    "6": Explanation("base written back", "rule 6: an access on a base that the one before wrote back waits"),
    "7": Explanation("several words", "rule 7: a cycle for every word; llvm-mca counts one instruction"),
    "11": Explanation("unaligned loads", "rule 11: 32-bit loads in a row that are not word aligned"),
    "12": Explanation(
        "literal load", "rules 2 and 12: the second cycle of a load relative to PC and one more"
    ),
    "15": Explanation("IT", "rule 15: what an IT that does not fold adds"),
    "17": Explanation("division", "rule 17: llvm-mca issues the next instruction at once"),
    "18": Explanation("two registers moved", "rule 18: VMOV of two registers takes two cycles"),
    "19": Explanation(
        "floating point", "rule 19: loads and stores take two cycles, results and long operations wait"
    ),
    "21": Explanation("system register", "rule 21: reading one takes two cycles"),
    FETCH: Explanation(
        "fetch",
        "the fetch unit holds three words: 32-bit instructions in a row outrun it; llvm-mca fetches nothing",
    ),
    FOLDED: Explanation(
        "folded IT", "rule 15: an IT behind a 16-bit instruction costs nothing; llvm-mca counts it"
    ),
    REFILL: Explanation(
        "refill", "rules 8 and 9: a taken branch empties the pipeline; llvm-mca knows no branches"
    ),
    RESULT: Explanation(
        "result awaited in llvm-mca",
        "its latencies: 2 for loads and long multiplies, more for floating point, waited for by the "
        "instruction that uses the result; in the model a loaded value costs its user nothing (rule 13)",
    ),
}
"""By the key in ``Comparison.parts``."""

_HEAD = """# A second opinion: llvm-mca

Written by `benchmarks/llvm_mca.py --document` with {version}. LLVM's scheduling model of the Cortex-M4
guides its compilers; `llvm-mca -mtriple=thumbv7em -mcpu=cortex-m4` runs code through it. It counts an
instruction a cycle and the latencies of results, nothing of fetches, memory or branches. So it is no measure
of this model; but what it says of straight code should differ for reasons that can be named. Each difference
is the sum of parts that a rule of [the model](timing.md) or a latency of LLVM's accounts for; the tests check
that nothing is left over.

The [straight micro-benchmarks](timing.md#micro-benchmarks), without their branch, in the steady state of
many in a row; cycles of one:

"""

_PARTS = """
What the parts are, in this table or in loops of kernels:

"""

_LOOPS = """
The command prints the same for the longest loop of every kernel of a network, a pass of each; these move
with the kernels and the compiler, so they are not kept here.

```
python benchmarks/llvm_mca.py --network zoo:ds_cnn
```
"""


def document(version: str, comparisons: Sequence[Comparison]) -> str:
    """The whole text."""
    lines = [
        (
            found.name,
            f"`{'; '.join(found.body)}`",
            f"{found.model:.2f}",
            f"{found.llvm:.2f}",
            f"{found.difference:+.2f}",
            ", ".join(f"{EXPLANATIONS[key].title} {value:+.4g}" for key, value in found.parts.items()),
        )
        for found in comparisons
    ]
    parts = "".join(f"* **{each.title}**: {each.text}.\n" for each in EXPLANATIONS.values())
    head = ("snippet", "code", "mcusim", "llvm-mca", "difference", "explained by")
    return _HEAD.format(version=version) + markdown(head, lines) + _PARTS + parts + _LOOPS
