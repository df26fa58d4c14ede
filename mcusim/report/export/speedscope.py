"""speedscope's file format: the call tree as weighted stacks, by cycles and by instructions.

Format: https://github.com/jlfwong/speedscope/blob/main/src/lib/file-format-spec.ts; its JSON Schema is
https://www.speedscope.app/file-format-schema.json.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from mcusim.report.call_tree import Frame, frames, stacks
from mcusim.report.terminal import title_of
from mcusim.trace import Trace

SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def export(trace: Trace) -> bytes:
    """Two profiles over the same frames, in the order of first calls, so that time runs to the right."""
    tree = frames(trace)
    places: dict[tuple[str, str, int], int] = {}
    frame_of = [places.setdefault(_place(frame), len(places)) for frame in tree]
    samples = [[frame_of[index] for index in stack] for stack in stacks(tree)]
    document = {
        "$schema": SCHEMA,
        "name": title_of(trace),
        "exporter": f"mcusim {trace.host.mcusim_version}",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(*place) for place in places]},
        "profiles": [
            _profile("cycles", samples, [frame.cycles for frame in tree]),
            _profile("instructions", samples, [frame.instructions for frame in tree]),
        ],
    }
    return msgspec.json.encode(document)


def _place(frame: Frame) -> tuple[str, str, int]:
    return frame.label, frame.function.file, frame.function.line


def _frame(name: str, file: str, line: int) -> dict[str, Any]:
    return {"name": name, "file": file, "line": line} if file else {"name": name}


def _profile(name: str, samples: Sequence[list[int]], weights: Sequence[int]) -> dict[str, Any]:
    """Frames of no weight have no sample."""
    kept = [(sample, weight) for sample, weight in zip(samples, weights, strict=True) if weight]
    return {
        "type": "sampled",
        "name": name,
        "unit": "none",
        "startValue": 0,
        "endValue": sum(weight for _, weight in kept),
        "samples": [sample for sample, _ in kept],
        "weights": [weight for _, weight in kept],
    }
