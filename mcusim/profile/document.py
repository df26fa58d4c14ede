"""The trace, put together from image, chip and profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcusim import trace
from mcusim.chips import Chip
from mcusim.image import Image
from mcusim.profile import execution, flash
from mcusim.profile.profile import LayerCost, Profile, function_start
from mcusim.timing.flash import FlashTiming


def build(
    image: Image,
    chip: Chip,
    profile: Profile,
    memory: trace.Memory,
    ending: trace.Exit,
    *,
    timing: trace.TimingInfo,
    inference_cycles: Sequence[int],
    warnings: Sequence[str],
    host: trace.Host,
    read: Callable[[int, int], bytes | None],
    hot_instructions: tuple[trace.HotInstruction, ...] = (),
    sram_map: trace.SramMap | None = None,
    surveyed: Sequence[FlashTiming] = (),
) -> trace.Trace:
    """The document of one run; ``inference_cycles`` of every network call that returned. ``read`` gives the
    code, (address, size) to bytes."""
    section = image.layers
    tree = fold_tree(profile, image)
    return trace.Trace(
        firmware=_firmware(image, chip),
        chip=chip_info(chip),
        timing=timing,
        exit=ending,
        totals=trace.Totals(
            cycles=profile.cycles,
            instructions=profile.instructions,
            seconds=profile.cycles / chip.clock_hz,
            macs=sum(layer.macs for layer in profile.layers),
        ),
        memory=memory,
        layers=layers(profile, memory.sram_peak_bytes),
        functions=functions(profile, image),
        call_tree=call_tree(profile, tree),
        hot_instructions=hot_instructions,
        sram_map=sram_map,
        schedule=section.schedule if section else {},
        inferences=inferences(inference_cycles),
        execution=execution.record(profile, image, tree.node_of, read, timing.model, surveyed),
        warnings=tuple(warnings),
        host=host,
    )


def layers(profile: Profile, sram_peak_bytes: int) -> tuple[trace.Layer, ...]:
    """One entry for every layer, executed or not."""
    return tuple(_layer(cost, sram_peak_bytes) for cost in profile.layers)


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


@dataclass(frozen=True)
class CallTree:
    """Nodes of the trace's call tree, as (parent, function) pairs, and which one each node of the core's
    belongs to."""

    nodes: Sequence[tuple[int, int]]
    node_of: Sequence[int]


def fold_tree(profile: Profile, image: Image) -> CallTree:
    """The call tree over the entries of ``functions``, recursion folded into the outermost call, so that
    it is no deeper than there are functions."""
    position = {cost.start: index for index, cost in enumerate(profile.functions)}
    nodes: dict[tuple[int, int], int] = {}
    paths: list[dict[int, int]] = []
    node_of: list[int] = []
    for call in profile.counts.nodes:
        function = position[function_start(image, call.function)]
        parent = node_of[call.parent] if call.parent >= 0 else -1
        above = paths[parent] if parent >= 0 else {}
        index = above[function] if function in above else nodes.setdefault((parent, function), len(nodes))
        node_of.append(index)
        if index == len(paths):
            paths.append({**above, function: index})
    return CallTree(tuple(nodes), node_of)


def call_tree(profile: Profile, tree: CallTree) -> tuple[trace.CallTreeNode, ...]:
    """The nodes of ``tree`` with what they cost."""
    sums = [[0, 0, 0] for _ in tree.nodes]
    for call, index in zip(profile.counts.nodes, tree.node_of, strict=True):
        for column, value in enumerate((call.calls, call.cycles_self, call.instructions_self)):
            sums[index][column] += value
    return tuple(
        trace.CallTreeNode(
            function=function, parent=parent, calls=calls, cycles=cycles, instructions=instructions
        )
        for (parent, function), (calls, cycles, instructions) in zip(tree.nodes, sums, strict=True)
    )


def _layer(cost: LayerCost, sram_peak_bytes: int) -> trace.Layer:
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
        live_peak_bytes=cost.live_peak_bytes,
        dead_bytes=max(sram_peak_bytes - cost.live_peak_bytes, 0) if cost.touched_bytes else 0,
        unread_bytes=cost.unread_bytes,
        stack_bytes=cost.stack_bytes,
        shape_in=mark.shape_in,
        shape_out=mark.shape_out,
        stage=mark.stage,
    )


def _firmware(image: Image, chip: Chip) -> trace.Firmware:
    sizes = image.sizes(chip)
    return trace.Firmware(
        path=image.path,
        sha256=image.sha256,
        text_bytes=sizes.text,
        flash_bytes=sizes.flash,
        static_sram_bytes=sizes.static_sram,
        build=image.layers.build if image.layers else {},
        network=image.layers.network if image.layers else "",
        flash=flash.measure(image, chip),
    )


def chip_info(chip: Chip) -> trace.ChipInfo:
    """What the trace says of the chip."""
    sizes = {"sram": 0, "flash": 0, "peripheral": 0}
    for region in chip.regions:
        sizes[region.kind] += region.size
    return trace.ChipInfo(
        name=chip.name,
        clock_hz=chip.clock_hz,
        wait_states=chip.wait_states,
        sram_bytes=sizes["sram"],
        flash_bytes=sizes["flash"],
    )


def inferences(cycles: Sequence[int]) -> trace.Inferences | None:
    """What the trace says of inferences that took ``cycles``; None without any."""
    if not cycles:
        return None
    return trace.Inferences(
        count=len(cycles),
        cycles_min=min(cycles),
        cycles_max=max(cycles),
        cycles_mean=sum(cycles) / len(cycles),
    )
