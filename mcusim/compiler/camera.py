"""A camera that delivers the image line by line: which schedules can do with that, and what it needs.

Every line comes once and in order, so that the first stage must be a stream that contains all operators which
read the image. Of the image there is a ring of lines: those that the stream still needs, and the one that is
being delivered meanwhile.
"""

from __future__ import annotations

from mcusim.compiler import spatial
from mcusim.compiler.rows import height, pull, row_needs
from mcusim.errors import ScheduleError
from mcusim.network.graph import Graph


def check_camera(graph: Graph, mode: str, last: int) -> None:
    """Raises ScheduleError, which names the reason, unless a first stage of ``mode`` up to position ``last``
    can take the image of ``graph`` from a camera."""
    end = last_reader(graph)
    if mode != "stream":
        raise ScheduleError(
            f"a camera delivers every line once, in order, so that the first stage must be of mode stream, "
            f"not {mode}"
        )
    if last < end:
        raise ScheduleError(
            f"operator {graph.operators[end].index} reads the image behind the first stage, and a camera "
            "delivers no line twice"
        )


def last_reader(graph: Graph) -> int:
    """The last position whose operator reads the image.

    Raises ScheduleError if the network takes several inputs, or one without lines.
    """
    if len(graph.inputs) != 1:
        raise ScheduleError(f"a camera delivers one image, and {graph.name} takes {len(graph.inputs)} inputs")
    image = graph.inputs[0]
    if len(graph.tensors[image].shape) != 4:
        raise ScheduleError(f"a camera delivers lines, and the input of {graph.name} has none")
    return max(position for position, op in enumerate(graph.operators) if image in op.inputs)


def camera_lines(graph: Graph, chunk: int) -> int:
    """Lines of the image that a stream in ``chunk`` must have room for, the one being delivered included.

    The stream contains every reader of the image. Which of its operators follow does not matter behind the
    first that leaves one tensor alone.
    """
    image, end = graph.inputs[0], last_reader(graph)
    positions = range(end, len(graph.operators))
    alone = (p for p in positions if spatial.live_behind(graph, 0, p) == {graph.operators[p].outputs[0]})
    operators = graph.operators[: next(alone, end) + 1]
    needs = {step: row_needs(graph, op, image) for step, op in enumerate(operators) if image in op.inputs}
    done = dict.fromkeys(needs, 0)
    delivered = held = 0
    lines = height(graph, image)
    for call in pull(graph, operators, chunk):
        if call.step not in needs:
            continue
        delivered = max(delivered, int(needs[call.step].until[call.end]))
        still = min(int(needs[step].still[n]) for step, n in done.items())
        held = max(held, min(delivered + 1, lines) - still)
        done[call.step] = call.end
    return held


def camera_bytes(graph: Graph, chunk: int) -> int:
    """Bytes of ``camera_lines`` whole lines."""
    size = spatial.extent(graph.tensors[graph.inputs[0]])
    return camera_lines(graph, chunk) * size.width * size.channels
