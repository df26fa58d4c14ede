"""A function as the pipeline sees it: straight lines, and for each instruction when and why it waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from mcusim.timing.decode import Instruction, decode_run
from mcusim.timing.flash import FlashTiming, FlashUnit
from mcusim.timing.hazards import Step
from mcusim.timing.isa import Branch, Class, Flag
from mcusim.timing.model import TimedStep, TimingModel, ends_line
from mcusim.timing.outcomes import with_outcomes
from mcusim.timing.pipeline import Slot
from mcusim.timing.rules import CLASS_CYCLES, RULES, Parameter

_RULE_OF = {rule.parameter: rule.number for rule in RULES}
_FP_RULE = _RULE_OF[Parameter.FP_DEPENDENT]
_SKIP_RULE = _RULE_OF[Parameter.IT]
FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Explained:
    """An instruction on the timeline of its line.

    ``execute`` is its first execute cycle, 0 being that of the taken branch before the line; ``cost`` the
    cycles it occupies the pipeline, ``wait`` those that passed idle before it. ``rule`` is the number of
    the rule behind the cost, ``reasons`` are those behind the waiting: rule numbers, or "fetch".
    ``words`` of code were fetched or on their way when it was decoded. An IT that folds has no cost.
    ``flash`` is what the core waits, the first time, for the line of flash that begins here.
    """

    instruction: Instruction
    execute: int
    cost: int
    wait: int
    rule: int
    reasons: tuple[str, ...]
    words: int
    flash: int = 0


@dataclass(frozen=True)
class Line:
    """Code executed in a row, entered by a taken branch to ``entry``; ``rows`` show [start, shown) of it.

    Conditional branches forward fall through; one backward is taken and ends the line. Code behind a loop
    is shown as its last pass goes on: there ``start`` is not ``entry``. ``end`` is the end of the line,
    ``cycles`` are those from ``start`` to it. ``target`` is where the last instruction branches to, None
    if that is not known.
    """

    entry: int
    start: int
    rows: Sequence[Explained]
    shown: int
    end: int
    cycles: int
    target: int | None

    @property
    def is_loop(self) -> bool:
        """Whether the line is the whole body of a loop."""
        return self.target == self.start


@dataclass(frozen=True)
class Piece:
    """Bytes of code, without data between, at ``start``."""

    start: int
    code: bytes


def branch_target(code: bytes, instruction: Instruction) -> int | None:
    """Where the direct branch encoded by ``code`` goes (DDI 0403E, A7.7.12, A7.7.21); None for others."""
    if instruction.branch is not Branch.DIRECT:
        return None
    first = int.from_bytes(code[:2], "little")
    pc = instruction.address + 4
    if instruction.size == 2:
        if first >> 12 == 0b1011:  # CBZ, CBNZ
            return pc + (first >> 3 & 0x40 | first >> 2 & 0x3E)
        if first >> 12 == 0b1101:
            return pc + _signed((first & 0xFF) << 1, 9)
        return pc + _signed((first & 0x7FF) << 1, 12)
    second = int.from_bytes(code[2:4], "little")
    sign, j1, j2 = first >> 10 & 1, second >> 13 & 1, second >> 11 & 1
    low = (second & 0x7FF) << 1
    if second >> 12 & 1:
        i1, i2 = 1 - (j1 ^ sign), 1 - (j2 ^ sign)
        return pc + _signed(sign << 24 | i1 << 23 | i2 << 22 | (first & 0x3FF) << 12 | low, 25)
    return pc + _signed(sign << 20 | j2 << 19 | j1 << 18 | (first & 0x3F) << 12 | low, 21)


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def explain_function(pieces: Sequence[Piece], model: TimingModel) -> list[Line]:
    """Every line of a function, which is entered at the start of its first piece."""
    decoded = [decode_run(piece.code, piece.start) for piece in pieces]
    entries = {piece.start for piece in pieces if piece.code}
    for piece, run in zip(pieces, decoded, strict=True):
        for instruction in run:
            offset = instruction.address - piece.start
            target = branch_target(piece.code[offset : offset + 4], instruction)
            if target is not None:
                entries.add(target)
            if instruction.branch in (Branch.CALL, Branch.CALL_INDIRECT):
                entries.add(instruction.end)
    return [line for piece in pieces for line in _piece_lines(piece, sorted(entries), model)]


def _piece_lines(piece: Piece, entries: Sequence[int], model: TimingModel) -> list[Line]:
    """The lines from ``entries`` that lie in ``piece``, each up to the next, and what is behind loops."""
    end = piece.start + len(piece.code)
    inside = [entry for entry in entries if piece.start <= entry < end]
    lines: list[Line] = []
    for entry, following in zip(inside, [*inside[1:], end], strict=True):
        line = explain_line(piece, entry, model, shown=following)
        lines.append(line)
        while line.end < following and line.rows[-1].instruction.flags & Flag.CONDITIONAL:
            line = explain_line(piece, entry, model, start=line.end, shown=following)
            lines.append(line)
    return lines


def explain_line(
    piece: Piece, entry: int, model: TimingModel, *, start: int | None = None, shown: int | None = None
) -> Line:
    """The line of ``piece`` entered at ``entry``, going on at least to ``start``; rows of [start, shown)."""
    start = entry if start is None else start
    run, target = _straight(piece, entry, start)
    taken = run[-1].branch is not Branch.NONE
    executed = with_outcomes(run, 0, taken=taken)
    rows = _rows(run, executed, timed := model.timeline(executed, taken=taken))
    end = run[-1].end
    shown = end if shown is None else min(shown, end)
    before = sum(row.cost + row.wait for row in rows if row.instruction.address < start)
    cycles = timed[-1].end + model.refill(run[-1]) - before
    visible = [row for row in rows if start <= row.instruction.address < shown]
    return Line(entry, start, visible, shown, end, cycles, target)


def _straight(piece: Piece, entry: int, start: int) -> tuple[Sequence[Instruction], int | None]:
    """Instructions from ``entry`` to the branch behind ``start`` that ends the line; where that goes."""
    code = piece.code[entry - piece.start :]
    run = decode_run(code, entry)
    for index, instruction in enumerate(run):
        offset = instruction.address - entry
        target = branch_target(code[offset : offset + 4], instruction)
        backward = target is not None and target <= instruction.address and instruction.address >= start
        if ends_line(instruction) or backward:
            return run[: index + 1], target
    return run, None


def waiting_for_flash(lines: Iterable[Line], flash: FlashTiming) -> list[Line]:
    """The lines with what each waits for flash if nothing of it is cached."""
    return [replace(line, rows=_with_flash(line, flash)) for line in lines]


def _with_flash(line: Line, flash: FlashTiming) -> list[Explained]:
    """A line is read, and waits, where its first byte is executed."""
    rows = list(line.rows)
    if not rows or flash.offset(line.entry) is None:
        return rows
    size = flash.code.line_bytes
    hidden = FlashUnit(flash).missing_lines(line.start, line.end, line.cycles)
    for number, ahead in enumerate(hidden):
        begin = max(line.start, (line.start // size + number) * size)
        index = next((i for i, row in enumerate(rows) if begin < row.instruction.end), None)
        if index is not None:
            more = max(0, flash.wait_states - ahead)
            rows[index] = replace(rows[index], flash=rows[index].flash + more)
    return rows


def _rows(
    run: Sequence[Instruction], executed: Sequence[Instruction], timed: Iterable[TimedStep]
) -> list[Explained]:
    """``executed`` is the run with what is skipped in it."""
    rows: list[Explained] = []
    free_at = 1
    for place in timed:
        current, step, slot = run[len(rows)], place.step, place.slot
        rows.append(
            Explained(
                instruction=current,
                execute=slot.execute,
                cost=step.cost,
                wait=slot.execute - free_at,
                rule=_rule(current) if executed[len(rows)].kind is current.kind else _SKIP_RULE,
                reasons=_reasons(step, slot, free_at),
                words=slot.words,
            )
        )
        if step.instructions == 2:
            folded = run[len(rows)]
            rows.append(replace(rows[-1], instruction=folded, cost=0, wait=0, rule=_rule(folded), reasons=()))
        free_at = place.end + 1
    return rows


def _rule(instruction: Instruction) -> int:
    if instruction.kind is Class.LOAD and instruction.flags & Flag.LITERAL:
        return _RULE_OF[Parameter.LITERAL]
    return _RULE_OF[CLASS_CYCLES[instruction.kind][0]]


def _reasons(step: Step, slot: Slot, free_at: int) -> tuple[str, ...]:
    """What made a step wait; of waits that overlap, the one that ended last."""
    if slot.execute == free_at:
        return ()
    if slot.execute == free_at + step.stall:
        return tuple(str(number) for number in step.rules)
    return (FETCH,) if slot.execute == slot.decode + 1 else (str(_FP_RULE),)
