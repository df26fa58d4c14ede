"""Parts of the trace that come from the profile."""

from __future__ import annotations

from mcusim import trace
from mcusim.image import Image
from mcusim.profile.profile import LayerCost, Profile


def layers(profile: Profile) -> tuple[trace.Layer, ...]:
    """One entry for every layer, executed or not."""
    return tuple(_layer(cost) for cost in profile.layers)


def functions(profile: Profile, image: Image) -> tuple[trace.Function, ...]:
    """One entry for every function that ran, with its place in the source where that is known."""
    entries = []
    for cost in profile.functions:
        file, line = image.lines.at(cost.start)
        entries.append(
            trace.Function(
                name=cost.name,
                file=file,
                line=line,
                calls=cost.calls,
                cycles_self=cost.cycles_self,
                cycles_total=cost.cycles_total,
                instructions=cost.instructions,
            )
        )
    return tuple(entries)


def _layer(cost: LayerCost) -> trace.Layer:
    mark = cost.mark
    return trace.Layer(
        index=mark.index,
        name=mark.name,
        op=mark.op,
        symbol=mark.symbol,
        calls=cost.calls,
        cycles=cost.cycles,
        instructions=cost.instructions,
        macs=cost.macs,
        touched_bytes=cost.touched_bytes,
        live_peak_bytes=0,
        stack_bytes=cost.stack_bytes,
        shape_in=mark.shape_in,
        shape_out=mark.shape_out,
        stage=mark.stage,
    )
