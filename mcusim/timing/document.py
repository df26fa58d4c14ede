"""The timing rules as Markdown tables, for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mcusim.timing.rules import RULES, Rule


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _cycles(rule: Rule) -> str:
    if rule.low == rule.high:
        return str(rule.best)
    return f"{rule.best} ({rule.low} to {rule.high})"


def rules_table() -> str:
    """Every rule: number, what it is about, best cycles (low to high), source, status."""
    rows = [(str(rule.number), rule.text, _cycles(rule), rule.source, str(rule.status)) for rule in RULES]
    return table(("rule", "applies to", "cycles", "source", "status"), rows)
