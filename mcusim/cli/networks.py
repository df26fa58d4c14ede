"""Networks as commands take them: read, and rid of the channels that provably carry nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mcusim.network.prune import Pruned

Prune = Literal["exact", "none"]


def load(model: str, prune: Prune = "exact") -> Pruned:
    """The network called ``model``, pruned unless ``prune`` is "none"; raises what ``network.load`` does."""
    from mcusim import network
    from mcusim.network import prune as pruning

    graph = network.load(model)
    return pruning.prune(graph) if prune == "exact" else pruning.unpruned(graph)


def sentence(pruned: Pruned) -> str:
    """What was removed; nothing where nothing was."""
    from mcusim.network import geometry

    if not pruned.channels:
        return ""
    macs = pruned.macs + geometry.total_macs(pruned.graph)
    return (
        f"Removed as provably without effect: {pruned.channels:,} of {pruned.all_channels:,} channels, "
        f"{pruned.macs / macs:.1%} of the MACs"
    )
