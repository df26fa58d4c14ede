"""Stacks of threads and exceptions on the native core and its twin, with a test that plays the machine."""

from __future__ import annotations

import pytest
from core_bench import SRAM, STACK_TOP, Bench, Prefer, Program, build, tree
from unicorn import arm_const

from mcusim.core.interface import Stop, Watch

SOURCE = """
starts:     push {r4,lr}
            msr psp,r0
            movs r1,#2
            msr control,r1
            isb
            bl thread
            b.n starts
thread:     push {r4-r7,lr}
            bl work
            bl work
            b.n thread
work:       push {r4,lr}
            pop {r4,pc}
handler:    push {r4-r7,lr}
            pop {r4-r7,lr}
            b.n tick
tick:       nop
            bx lr
second:     nop
            b.n tick
other:      push {r0-r3}
            bl work
            b.n other
"""
WATCHES = {"work": Watch.STOP, "tick": Watch.STOP}
AREA = (SRAM + 0x100, SRAM + 0x180)
OTHER = (SRAM + 0x180, SRAM + 0x200)
FRAME = 32
SPSEL = 2


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    return build(SOURCE, tmp_path_factory.mktemp("stacks"))


def _in_thread(program: Program, prefer: Prefer, top: int = AREA[1]) -> Bench:
    """About to execute ``work`` for a thread on the process stack."""
    bench = Bench(program, prefer, WATCHES, stack_limit=STACK_TOP - 256, areas=(AREA, OTHER))
    bench.call("starts", top)
    assert bench.core.stop_state().stop is Stop.ENTERED
    return bench


def _enter(bench: Bench, handler: str) -> tuple[int, int]:
    """An exception interrupts the thread; its process stack pointer and link register before."""
    link = int(bench.uc.reg_read(arm_const.UC_ARM_REG_LR))
    pointer = int(bench.uc.reg_read(arm_const.UC_ARM_REG_PSP))
    bench.uc.reg_write(arm_const.UC_ARM_REG_PSP, pointer - FRAME)
    bench.uc.reg_write(arm_const.UC_ARM_REG_CONTROL, 0)
    _set_exception(bench, 14)
    bench.core.jump(bench.at(handler), 12)
    bench.core.resume()
    bench.go(bench.at(handler))
    return pointer, link


def _set_exception(bench: Bench, number: int) -> None:
    flags = bench.uc.reg_read(arm_const.UC_ARM_REG_XPSR)
    bench.uc.reg_write(arm_const.UC_ARM_REG_XPSR, flags & ~0x1FF | number)


def _leave(bench: Bench, address: int, pointer: int, link: int = 0) -> None:
    """The exception returns to a thread."""
    bench.uc.reg_write(arm_const.UC_ARM_REG_LR, link)
    _set_exception(bench, 0)
    bench.uc.reg_write(arm_const.UC_ARM_REG_CONTROL, SPSEL)
    bench.uc.reg_write(arm_const.UC_ARM_REG_PSP, pointer)
    bench.core.finish(bench.uc.reg_read(arm_const.UC_ARM_REG_PC))
    bench.core.jump(address, 10)
    bench.core.resume()
    bench.go(address)


def test_an_exception_runs_on_the_main_stack(program: Program, prefer: Prefer) -> None:
    bench = _in_thread(program, prefer)
    saved = _enter(bench, "handler")
    main, thread = bench.core.counts().stacks
    assert (main.top - main.lowest, main.is_process) == (8 + 20, False)
    assert [program_name(bench, start) for start in main.chain] == ["starts", "handler"]
    assert (thread.top, thread.is_process, thread.area) == (AREA[1], True, AREA)
    assert thread.top - thread.lowest == 20 + FRAME  # what thread pushed, and the exception's frame
    assert [program_name(bench, start) for start in thread.chain] == ["starts", "thread", "work"]
    _leave(bench, bench.at("work"), *saved)
    assert bench.core.stop_state().stop is Stop.RETURNED
    assert len(bench.core.counts().stacks) == 2
    assert [program_name(bench, start) for start in bench.core.call_chain] == ["starts", "thread"]


def test_an_exception_may_return_to_another_thread(program: Program, prefer: Prefer) -> None:
    """The first switch begins the other thread, the second one goes back to where the first one was."""
    bench = _in_thread(program, prefer)
    first = _enter(bench, "handler")
    _leave(bench, bench.at("other"), OTHER[1])
    assert [program_name(bench, start) for start in bench.core.call_chain][-2:] == ["other", "work"]
    second = _enter(bench, "handler")
    _leave(bench, bench.at("work"), *first)
    stacks = bench.core.counts().stacks
    assert [stack.area for stack in stacks] == [None, AREA, OTHER]
    assert stacks[2].top - stacks[2].lowest == 16 + FRAME
    assert stacks[2].top - second[0] == 16
    assert [program_name(bench, start) for start in bench.core.call_chain] == ["starts", "thread"]
    assert dict(tree(bench))["starts/handler"] == 2


def test_one_exception_may_follow_another(program: Program, prefer: Prefer) -> None:
    """Without unstacking in between, so that the second returns to where the first would have."""
    bench = _in_thread(program, prefer)
    saved = _enter(bench, "handler")
    bench.core.finish(bench.uc.reg_read(arm_const.UC_ARM_REG_PC))
    _set_exception(bench, 15)
    bench.core.jump(bench.at("second"), 6)
    bench.core.resume()
    bench.go(bench.at("second"))
    assert [program_name(bench, start) for start in bench.core.call_chain] == ["starts", "tick"]
    _leave(bench, bench.at("work"), *saved)
    assert [program_name(bench, start) for start in bench.core.call_chain] == ["starts", "thread"]
    assert dict(tree(bench))["starts/second"] == 1


def test_a_frame_may_be_too_much(program: Program, prefer: Prefer) -> None:
    """The thread has room for what it pushes, not for the registers that an exception stores."""
    bench = _in_thread(program, prefer, AREA[0] + 40)
    _enter(bench, "handler")
    state = bench.core.stop_state()
    assert (state.stop, state.address) == (Stop.STACK, AREA[0] + 40 - 20 - FRAME)


def program_name(bench: Bench, start: int) -> str:
    """The function that starts there."""
    return next(name for name, address in bench.program.symbols.items() if address == start and name)
