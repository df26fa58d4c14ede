"""The models that the default was chosen from, and what the choice is worth on projects without say in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from accuracy_table import Figures, Table, errors_of_model, summarise

from mcusim.timing.model import TimingModel
from mcusim.timing.pipeline import DEFAULT_VARIANT, VARIANTS
from mcusim.timing.rules import Bound, Parameter

NO_VMOV_RULE = "m6, VMOV free"


def _candidates() -> dict[str, TimingModel]:
    models = {name: TimingModel(name) for name in VARIANTS}
    models[NO_VMOV_RULE] = TimingModel("m6")
    models[NO_VMOV_RULE].parameters[Parameter.ADDRESS_FROM_VMOV] = 0
    return models


CANDIDATES: Mapping[str, TimingModel] = _candidates()

LOW, HIGH = "rules at their lower ends", "rules at their upper ends"
MODELS: Mapping[str, TimingModel] = {
    **CANDIDATES,
    LOW: TimingModel(DEFAULT_VARIANT, Bound.LOW),
    HIGH: TimingModel(DEFAULT_VARIANT, Bound.HIGH),
}
"""All that are measured: the candidates, and the ends of the default's range."""


@dataclass(frozen=True)
class LeftOut:
    """``chosen`` has the least rms error on all projects but this one, where its error is ``rms``."""

    source: str
    rows: int
    chosen: str
    rms: float


@dataclass(frozen=True)
class InRange:
    """``inside`` of ``rows`` published counts lie between the default's ends, the others at most ``beyond``
    of themselves outside; ``width`` is the widest range, upper end less lower in parts of the count."""

    inside: int
    rows: int
    beyond: float
    width: float


def in_range(table: Table, figures: Mapping[str, Figures]) -> InRange:
    """How the range of the rules compares with what was measured on a chip."""
    low, high = (errors_of_model(table, figures, end) for end in (LOW, HIGH))
    beyond = [max(low[name], -high[name], 0.0) for name in low]
    width = max(high[name] - low[name] for name in low)
    return InRange(beyond.count(0.0), len(beyond), max(beyond), width)


def rms_by_source(table: Table, figures: Mapping[str, Figures], model: str) -> dict[str, float]:
    """Error of a model on the rows of each project, as a fraction."""
    signed = errors_of_model(table, figures, model)
    return {
        source: summarise([signed[row.name] for row in table.rows if row.source == source]).rms
        for source in dict.fromkeys(row.source for row in table.rows)
    }


def cross_validate(table: Table, figures: Mapping[str, Figures]) -> list[LeftOut]:
    """Choose a model without each project in turn, and try it there."""
    signed = {model: errors_of_model(table, figures, model) for model in CANDIDATES}
    found = []
    for source in dict.fromkeys(row.source for row in table.rows):
        inside = [row.name for row in table.rows if row.source == source]
        outside = [row.name for row in table.rows if row.source != source]
        chosen = min(CANDIDATES, key=lambda model: summarise([signed[model][name] for name in outside]).rms)
        rms = summarise([signed[chosen][name] for name in inside]).rms
        found.append(LeftOut(source, len(inside), chosen, rms))
    return found
