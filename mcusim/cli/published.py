"""Figures from the literature that ``plan`` puts beside its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcusim.network.graph import Graph
    from mcusim.report.plan import PublishedFigure


@dataclass(frozen=True)
class Published:
    """A schedule of a network as someone else reports it: peak activations in KiB, MACs over ``layer``."""

    spec: str
    kib: float
    mac_factor: float


MCUNETV2 = "MCUNetV2, arXiv 2110.15352, section 3 and table 1"
PUBLISHED = {
    "mobilenet_v2": (
        Published("layer", 1372, 1.0),
        Published("patch:4x4@12", 172, 1.10),
    ),
}
"""By the name of a network of the zoo; source: MCUNETV2. The patch stage is the first five blocks."""


def beside(graph: Graph) -> tuple[PublishedFigure, ...]:
    """What is published of ``graph``, with our plan and our count by the published rules beside it.

    The image lies in flash, since the publication does not count it.
    """
    from mcusim.compiler.analysis import mac_factor, published_peak
    from mcusim.compiler.memory_plan import plan_memory
    from mcusim.compiler.schedule import parse_spec
    from mcusim.report.plan import PublishedFigure

    figures = []
    for published in PUBLISHED.get(graph.name, ()):
        schedule = parse_spec(published.spec, graph, "flash")
        figures.append(
            PublishedFigure(
                spec=published.spec,
                planned_bytes=plan_memory(graph, schedule, sharing="depthwise").arena_bytes,
                accounting_bytes=published_peak(graph, schedule),
                published_kib=published.kib,
                mac_factor=mac_factor(graph, schedule),
                published_factor=published.mac_factor,
            )
        )
    return tuple(figures)
