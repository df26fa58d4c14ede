"""Symbols of the generated firmware, and where in it activations lie."""

from __future__ import annotations

from mcusim.compiler.program import Program
from mcusim.network.graph import Graph, Operator, OpKind

INVOKE = "mcusim_invoke"
ARENA = "mcu_arena"
SCRATCH = "mcu_scratch"
STREAM_STATE = "stream_state"
CAMERA = "camera"
_SHORT_NAMES = {
    OpKind.CONV_2D: "conv",
    OpKind.DEPTHWISE_CONV_2D: "depthwise",
    OpKind.FULLY_CONNECTED: "dense",
    OpKind.AVERAGE_POOL_2D: "average_pool",
    OpKind.MAX_POOL_2D: "max_pool",
    OpKind.RESIZE_NEAREST_NEIGHBOR: "resize",
}


def layer_symbol(op: Operator) -> str:
    """The C function of an operator, for example mcu_layer_007_depthwise."""
    return f"mcu_layer_{op.index:03d}_{_SHORT_NAMES.get(op.kind, op.kind.lower())}"


def stage_symbol(number: int) -> str:
    """The C function of a stage that runs in pieces."""
    return f"mcu_stage_{number}"


def scratch_of(program: Program, op: Operator) -> str:
    """Where the operator's kernel has its scratch, as a C expression."""
    offset = program.scratch_offset(op)
    return "NULL" if offset is None else f"{ARENA} + {offset}"


def input_symbol(graph: Graph, tensor: int) -> str:
    """The read-only object that holds a network input which lies in flash."""
    return f"mcu_input_{graph.inputs.index(tensor)}"


def location_of(program: Program, tensor: int) -> tuple[str, int]:
    """Symbol and byte offset at which an activation lies."""
    aliases = program.ranges.aliases
    root, shift = aliases.roots[tensor], aliases.shift(tensor)
    if root in program.ranges.buffers:
        return ARENA, program.offsets[root] + shift
    return input_symbol(program.graph, root), shift
