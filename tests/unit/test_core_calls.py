"""Call tree, layers, stack and stops, on the native core and its twin."""

from __future__ import annotations

import pytest
from core_bench import RETURN, SRAM_SIZE, STACK_TOP, Bench, Prefer, Program, build, tree
from unicorn import UcError, arm_const

from mcusim.core.interface import Stop, StopState, Watch

SOURCE = """
calls:      push {r4,lr}
            movs r4,#3
_again:     bl leaf
            subs r4,#1
            bne _again
            movs r0,#3
            bl recursive
            bl tailer
            bl jumper
            adr r3,leaf
            adds r3,#1
            blx r3
            pop {r4,pc}
            .p2align 2
leaf:       adds r0,#1
            bx lr
recursive:  push {r0,lr}
            subs r0,#1
            beq _deepest
            bl recursive
_deepest:   pop {r1,pc}
tailer:     nop
            b.n leaf
jumper:     b.n neighbour
neighbour:  bx lr

layers:     push {r4,lr}
            bl outer
            bl outer
            pop {r4,pc}
outer:      push {r4,r5,lr}
            sub sp,#16
            movw r4,#0
            movt r4,#0x2000
            movs r5,#1
            str r5,[r4]
            bl inner
            add sp,#16
            pop {r4,r5,pc}
inner:      push {r6}
            movs r6,#0x11
            strb r6,[r4,#9]
            str r6,[r4,#64]
            pop {r6}
            bx lr

dynamic:    mov r3,sp
            sub sp,sp,r0
            push {r0,r1}
            mov sp,r3
            bx lr
overflows:  push {r4,lr}
            sub sp,#32
            bl overflows
endless:    b.n endless
unknown:    nop
            .inst.w 0xee010f10
            bx lr
predicated: cmp r0,#0
            itt eq
            pusheq {r4,r5}
            popeq {r4,r5}
            bx lr
longjumps:  push {r4,lr}
            mov r4,sp
            bl thrower
_caught:    pop {r4,pc}
thrower:    push {r5,lr}
            bl throws
            pop {r5,pc}
throws:     sub sp,#8
            mov sp,r4
            adr r3,_caught
            adds r3,#1
            bx r3
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(SOURCE, tmp_path_factory.mktemp("calls"))


def test_call_tree(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.call("calls")
    assert bench.core.stop_state() == StopState(Stop.RETURNED, bench.at("calls"))
    assert tree(bench) == [
        ("calls", 1),
        ("calls/jumper", 1),
        ("calls/leaf", 5),
        ("calls/neighbour", 1),
        ("calls/recursive", 1),
        ("calls/recursive/recursive", 1),
        ("calls/recursive/recursive/recursive", 1),
        ("calls/tailer", 1),
    ]
    counts = bench.core.counts()
    assert sum(node.cycles_self for node in counts.nodes) == counts.cycles
    assert sum(node.instructions_self for node in counts.nodes) == counts.instructions


def test_deepest_stack_and_its_chain(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.call("calls")
    counts = bench.core.counts()
    assert STACK_TOP - counts.stacks[0].lowest == 8 + 3 * 8
    assert list(counts.stacks[0].chain) == [bench.at("calls")] + [bench.at("recursive")] * 3


def test_layers(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, {"outer": Watch.LAYER, "inner": Watch.LAYER})
    bench.call("layers")
    counts = bench.core.counts()
    outer, inner = counts.layers
    assert (outer.function, inner.function) == (bench.at("outer"), bench.at("inner"))
    assert (outer.calls, inner.calls) == (2, 2)
    assert (outer.stack_bytes, inner.stack_bytes) == (12 + 16 + 4, 4)
    assert inner.touched_bytes == 1 + 4 + 4
    assert outer.touched_bytes == inner.touched_bytes + 4 + 12
    assert (outer.live_peak_bytes, inner.live_peak_bytes) == (8 + 12 + 4, 8 + 12 + 4)
    assert 0 < inner.cycles < outer.cycles < counts.cycles
    assert counts.high_water == (SRAM_SIZE,)
    memory = counts.memory
    assert (memory.touched_bytes, memory.live_peak_bytes) == (8 + outer.touched_bytes, 24)
    assert (inner.unread_bytes, outer.unread_bytes, memory.unread_bytes) == (2 * 5, 2 * 9, 2 * 9)


def test_stops_at_entry_and_return(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, {"recursive": Watch.STOP})
    bench.call("calls")
    stops = []
    while (state := bench.core.stop_state()).address != bench.at("calls"):
        stops.append(state.stop)
        assert bench.uc.reg_read(arm_const.UC_ARM_REG_PC) & ~1 == (
            bench.at("recursive")
            if state.stop is Stop.ENTERED
            else bench.uc.reg_read(arm_const.UC_ARM_REG_PC)
        )
        bench.proceed()
    assert stops == [Stop.ENTERED] * 3 + [Stop.RETURNED] * 3


def test_stopping_changes_no_count(program: Program, prefer: Prefer) -> None:
    plain, stopped = Bench(program, prefer), Bench(program, prefer, {"leaf": Watch.STOP})
    plain.call("calls")
    stopped.call("calls")
    while stopped.core.stop_state().address != stopped.at("calls"):
        stopped.proceed()
    assert stopped.core.counts().runs == plain.core.counts().runs
    assert stopped.core.counts().cycles == plain.core.counts().cycles


def test_tail_call_returns_from_the_watched_caller(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, {"tailer": Watch.STOP | Watch.LAYER})
    bench.call("calls")
    assert bench.core.stop_state() == StopState(Stop.ENTERED, bench.at("tailer"))
    bench.proceed()
    assert bench.core.stop_state() == StopState(Stop.RETURNED, bench.at("tailer"))
    assert ("calls/tailer/leaf", 1) in tree(bench)
    assert bench.core.counts().layers[0].instructions == 4


def test_dynamic_stack_pointer(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.call("dynamic", 64)
    assert bench.core.stop_state().stop is Stop.RETURNED
    assert bench.core.counts().stacks[0].lowest == STACK_TOP


def test_predicated_stack_use(program: Program, prefer: Prefer) -> None:
    for argument in (0, 1):
        bench = Bench(program, prefer)
        bench.call("predicated", argument)
        assert bench.core.counts().instructions == 5
        assert bench.core.counts().stacks[0].lowest == STACK_TOP


def test_stack_limit(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, stack_limit=STACK_TOP - 100)
    bench.call("overflows")
    state = bench.core.stop_state()
    assert state == StopState(Stop.STACK, STACK_TOP - 120, bench.at("overflows") + 2)
    assert list(bench.core.call_chain) == [bench.at("overflows")] * 4


def test_cycle_limit(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, cycle_limit=1000)
    bench.call("endless")
    assert bench.core.stop_state().stop is Stop.CYCLES
    assert bench.core.cycles == 1000


def test_unknown_instruction(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    with pytest.raises(UcError):
        bench.call("unknown")
    bench.core.finish(bench.at("unknown") + 6)
    blamed = bench.at("unknown") + 2
    assert bench.core.stop_state() == StopState(Stop.UNDECODED, blamed, blamed)


def test_longjmp_unwinds(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.call("longjumps")
    assert bench.core.stop_state() == StopState(Stop.RETURNED, bench.at("longjumps"))
    assert [calls for _, calls in tree(bench)] == [1, 1, 1]


def test_begin_again_forgets(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, {"outer": Watch.LAYER})
    bench.call("layers")
    first = bench.core.counts()
    for index in range(len(bench.sram)):
        bench.sram[index] = 0
    bench.call("layers")
    assert bench.core.counts() == first


def test_exception_is_a_call(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.begin("calls")
    bench.core.jump(bench.at("leaf"), 12)
    assert list(bench.core.call_chain) == [bench.at("calls"), bench.at("leaf")]
    bench.core.jump(bench.at("calls"), 10)
    counts = bench.core.counts()
    assert counts.cycles == 22
    assert counts.instructions == 0


def test_exception_return_pops(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer, {"leaf": Watch.STOP})
    bench.call("calls")
    interrupted = bench.uc.reg_read(arm_const.UC_ARM_REG_PC) & ~1
    chain = list(bench.core.call_chain)
    bench.core.jump(bench.at("recursive"), 12)
    assert list(bench.core.call_chain) == [*chain, bench.at("recursive")]
    bench.core.jump(interrupted, 10)
    assert list(bench.core.call_chain) == chain


def test_finish_commits_part_of_a_run(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.begin("calls")
    bench.uc.emu_start(bench.at("calls") | 1, bench.at("calls") + 4)
    bench.core.finish(bench.at("calls") + 4)
    counts = bench.core.counts()
    assert counts.instructions == 2
    assert [(run.start, run.end, run.next, run.count) for run in counts.runs] == [
        (bench.at("calls"), bench.at("calls") + 4, 0, 1)
    ]
    assert RETURN not in counts.stacks[0].chain


def test_close_is_final(program: Program, prefer: Prefer) -> None:
    bench = Bench(program, prefer)
    bench.core.close()
    bench.core.close()
