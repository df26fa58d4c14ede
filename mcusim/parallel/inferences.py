"""Many inputs through one image on all cores, with the result of one after the other.

A further inference starts from the state in which the first one entered the network, whichever came before.
So every worker runs the first one and its own share, and tells of its share.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from mcusim import image as images
from mcusim import trace
from mcusim.chips import Chip
from mcusim.errors import McusimError
from mcusim.machine.ports import Array, split_inferences
from mcusim.parallel.pool import cores, run_all
from mcusim.profile.document import inferences
from mcusim.simulate import DEFAULT_MODEL, SimulationResult, simulate

SHORT_SECONDS = 2.0
"""Emulation that takes less stays in one process."""
SHARES_PER_CORE = 2
"""More than one, so that it is known how far the work is."""
LEAST_SHARE = 4
"""Inferences that are worth running the first one again."""

Console = Callable[[str], None]
ProgressOf = Callable[[int], AbstractContextManager[Callable[[int], None]]]


def _silent(_: int) -> AbstractContextManager[Callable[[int], None]]:
    return nullcontext(lambda _: None)


@dataclass(frozen=True)
class Batch:
    """An image and how to run it; see ``simulate``."""

    elf: Path | bytes
    chip: Chip
    max_cycles: int | None = None
    layers_regex: str | None = None
    memory: bool = True
    model: str = DEFAULT_MODEL
    allow_null: bool = False
    heap: str | None = None

    def run(
        self,
        inputs: Sequence[Array],
        console: Console,
        *,
        survey_flashes: bool = False,
    ) -> SimulationResult:
        """One inference after the other in this process."""
        return simulate(
            self.elf,
            self.chip,
            inputs=inputs,
            max_cycles=self.max_cycles,
            layers_regex=self.layers_regex,
            memory=self.memory,
            model=self.model,
            allow_null=self.allow_null,
            heap=self.heap,
            console=console,
            survey_flashes=survey_flashes,
        )


@dataclass(frozen=True)
class _Share:
    """``inputs``: of the first inference of all, then of those to tell of."""

    batch: Batch
    inputs: Sequence[Sequence[Array]]


@dataclass(frozen=True)
class _Told:
    """What a share added to the first inference; ``text``: what it printed, from the boot on."""

    outputs: Sequence[list[Array]]
    cycles: Sequence[int]
    text: str
    warnings: Sequence[str]
    seconds: float
    error: McusimError | None


def simulate_batch(
    batch: Batch,
    inputs: Sequence[Array],
    *,
    console: Console,
    survey_flashes: bool = False,
    progress: ProgressOf = _silent,
) -> SimulationResult:
    """What ``simulate`` gives for all ``inputs``, but for the host's seconds.

    ``progress`` makes of the number of shares into which the work is cut what is told how many are done.
    Raises what ``simulate`` does, and WorkerError.
    """
    single = _split(batch.elf, inputs)
    if len(single) < 2:
        return batch.run(inputs, console, survey_flashes=survey_flashes)
    printed: list[str] = []

    def listen(text: str) -> None:
        printed.append(text)
        console(text)

    first = batch.run(single[0], listen, survey_flashes=survey_flashes)
    if first.error is not None:
        return first
    shares = [_Share(batch, [single[0], *share]) for share in _shares(single[1:], first.trace.host.seconds)]
    with progress(len(shares)) as watch:
        told = run_all(_run_share, shares, watch=watch)
    return _joined(first, told, len("".join(printed)), console)


def _split(elf: Path | bytes, inputs: Sequence[Array]) -> list[list[Array]]:
    """The inputs of each inference; none where ``simulate`` has something to say about them."""
    layers = images.load(elf).layers if inputs else None
    return split_inferences(inputs, layers.inputs) if layers else []


def _shares(single: Sequence[Sequence[Array]], seconds: float) -> Iterator[Sequence[Sequence[Array]]]:
    """Neighbouring inferences of ``seconds`` each, in shares of about the same size."""
    count = 1
    if seconds * len(single) > SHORT_SECONDS:
        count = max(1, min(SHARES_PER_CORE * cores(), len(single) // LEAST_SHARE))
    bounds = [len(single) * number // count for number in range(count + 1)]
    return (single[start:end] for start, end in itertools.pairwise(bounds))


def _run_share(share: _Share) -> _Told:
    printed: list[str] = []
    inputs = [array for single in share.inputs for array in single]
    result = share.batch.run(inputs, printed.append)
    return _Told(
        outputs=result.outputs[1:],
        cycles=result.inference_cycles[1:],
        text="".join(printed),
        warnings=result.trace.warnings,
        seconds=result.trace.host.seconds,
        error=result.error,
    )


def _joined(
    first: SimulationResult, told: Sequence[_Told], printed: int, console: Console
) -> SimulationResult:
    """The first inference with the shares behind it, up to the first error. ``printed``: number of letters
    that the boot and the first inference print."""
    outputs, cycles = list(first.outputs), list(first.inference_cycles)
    warnings, seconds = first.trace.warnings, first.trace.host.seconds
    error: McusimError | None = None
    for share in told:
        console(share.text[printed:])
        outputs += share.outputs
        cycles += share.cycles
        warnings = _with_new(warnings, share.warnings)
        seconds += share.seconds
        error = share.error
        if error is not None:
            break
    document = msgspec.structs.replace(
        first.trace,
        inferences=inferences(cycles),
        warnings=warnings,
        exit=first.trace.exit if error is None else trace.Exit(reason=error.reason, code=error.exit_code),
        host=msgspec.structs.replace(first.trace.host, seconds=seconds),
    )
    return replace(first, trace=document, outputs=outputs, inference_cycles=cycles, error=error)


def _with_new(known: tuple[str, ...], others: Sequence[str]) -> tuple[str, ...]:
    """``known`` with what only ``others`` have, in the place where it comes first."""
    place = next((i for i, (a, b) in enumerate(zip(known, others, strict=False)) if a != b), len(known))
    new = tuple(warning for warning in others if warning not in known)
    return (*known[:place], *new, *known[place:])
