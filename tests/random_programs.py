"""Random programs as assembly text, for hypothesis: loops, calls, branches and every kind of access."""

from __future__ import annotations

from hypothesis import strategies as st

FUNCTIONS = 4
_PLAIN = (
    "adds r0,#1",
    "mov.w r1,r0",
    "mul r1,r0,r1",
    "smlad r2,r0,r1,r2",
    "ldr r1,[sp]",
    "ldr.w r1,[sp,#4]",
    "str r1,[sp]",
    "strd r0,r1,[sp]",
    "udiv r1,r0,r6",
    "vadd.f32 s0,s0,s1",
    "vmla.f32 s2,s0,s1",
    "push {r0,r1}\npop {r0,r1}",
    "sub sp,#24\nstr r0,[sp,#4]\nadd sp,#24",
    "cmp r0,#7\nitte lt\naddlt r0,#2\nldrlt r1,[sp]\nsubge r0,#1",
    "cmp r0,#9\nit eq\npusheq {r2}\nit eq\npopeq {r2}",
    "stmdb sp!,{r1,r2,r3}\nldmia sp!,{r1,r2,r3}",
    "mov r3,sp\nstr r3,[sp,#4]\nstrb r0,[sp]\nldr r3,[sp,#4]\nldrb r1,[r3,#1]\nstrh r1,[r3]",
    "mov r3,sp\nstr r3,[r3]\nldr r3,[r3]\nstrb r0,[r3,#4]\nstr r0,[sp]",
    "and r3,r0,#4\nstr r1,[sp,r3]\nmovs r3,#0",
    "mov r3,sp\nmul r1,r6,r6\nlsrs r1,r1,#1\nstrb r0,[r3,r1]\neors r1,r0",
    "mov r3,sp\nldrex r1,[r3]\nstrex r2,r0,[r3]",
    "cmp r0,#6\nittt gt\nmovgt r3,sp\nldrgt r1,[r3,#4]!\nstrgt r0,[r3],#-4",
    "cmp r0,#4\nitet lt\nstrblt r0,[sp]\nldrge r1,[sp]\nstrlt r1,[sp,#4]\ncmp r1,#3",
    "mov r3,sp\nldrsb r1,[r3]\nand r1,#3\nldrb r1,[r3,r1]\nand r1,#3\nstrb r1,[r3,r1,lsl #1]",
    "vstr s0,[sp,#4]\nvldr s1,[sp,#4]\nvpush {d0}\nvpop {d1}",
    "movs r3,#0\ntbb [pc,r3]\n.byte 1,1",
    "movs r3,#1\ntbh [pc,r3,lsl #1]\n.short 2,2",
    "mov r3,sp\nstr r0,[r3,#4]!\nldr r1,[r3],#-4\nstrh r1,[r3],#2\nldrsh r1,[r3,#-2]!",
    "mov r3,sp\nstr r0,[r3,#1]\nldr r1,[r3,#2]\nstrh r1,[r3,#3]\nldrh r1,[r3,#1]",
    "mov r3,sp\nstrd r0,r1,[r3],#4\nldrd r1,r2,[r3,#-4]!\nstrd r2,r1,[r3]",
    "mov r3,sp\nldrd r3,r1,[r3]\nmov r3,sp\nldm r3,{r1,r3}\nmovs r3,#0",
    "mov r3,sp\nldrex r1,[r3]\nclrex\nstrex r2,r0,[r3]\nstr r2,[sp,r2,lsl #2]",
    "mov r3,sp\nldrexb r1,[r3]\nstrexb r2,r0,[r3]\nldrexh r1,[r3]\nstrexh r2,r0,[r3]",
    "mov r3,sp\nstrt r0,[r3,#4]\nldrbt r1,[r3,#4]\nand r1,#3\nldrsb.w r1,[r3,r1]",
    "add r3,sp,#8\nvstmdb r3!,{s0-s1}\nvldmia r3!,{d1}\nvldmdb r3!,{s4}",
    "add r3,sp,#8\nstmdb r3!,{r0,r1}\nldmia.w r3!,{r1,r2}\nldmdb r3,{r1,r2}",
    "cmp r0,#5\nitete ge\nstrge r1,[sp]\nldrlt r1,[sp,#4]\nldrge r1,[sp]\ncmplt r1,#7",
    "mov r3,sp\ncmp r0,#3\nittt ne\nstmne r3,{r0,r1}\ncmpne r0,r0\nldrne r1,[r3,#4]",
    "ldr.w r1,_word\nldrb.w r1,_word\nadr r3,_word\nldr r1,[r3]",
    "ldr r1,[sp,#8]\nldr r2,[sp]\nldrb.w r1,[sp,#5]\nldrh.w r2,[sp,#2]\nldr r2,[sp,#4]\nstr r2,[sp]",
    "mov r3,sp\nldrd r1,r2,[r3]\nadds r3,#1\nldr r1,[r3]\nldr r2,[r3,#4]\nldrb r1,[r3,#2]",
    "sub.w r3,sp,#64\nldr r1,[r3,#12]\nldrd r1,r2,[r3,#4]\nldrh r1,[r3,#2]\nldr r2,[sp]",
    "rsb r1,r0,#0\nsdiv r1,r1,r6",
    "cmp r0,#6\nite gt\nsdivgt r1,r0,r6\nudivle r1,r6,r0",
    "cmp r0,#3\nite eq\nvdiveq.f32 s0,s1,s2\nldmne sp,{r1,r2}\ncmp r0,#4",
)


class _Writer:
    """Turns drawn items into assembly with labels of its own; loops use R4 and R5 by depth."""

    def __init__(self) -> None:
        self._labels = 0

    def label(self) -> str:
        self._labels += 1
        return f"_l{self._labels}"

    def text(self, item: object, function: int, depth: int) -> str:
        match item:
            case str():
                return item
            case ("loop", int(times), list(body)) if depth < 2:
                top, counter = self.label(), f"r{4 + depth}"
                inside = self.texts(body, function, depth + 1)
                return f"movs {counter},#{times}\n{top}:\n{inside}\nsubs {counter},#1\nbne {top}"
            case ("skip", list(body)):
                end = self.label()
                return f"cmp r0,#5\nbgt.w {end}\n{self.texts(body, function, depth)}\n{end}:"
            case ("call", int(to)) if function + 1 + to < FUNCTIONS:
                return f"bl f{function + 1 + to}"
            case ("pointer", int(to)) if function + 1 + to < FUNCTIONS:
                return f"adr.w r3,f{function + 1 + to}\nadds r3,#1\nblx r3"
            case _:
                return "nop"

    def texts(self, items: list[object], function: int, depth: int) -> str:
        return "\n".join(self.text(item, function, depth) for item in items)


def _items(depth: int) -> st.SearchStrategy[list[object]]:
    plain: st.SearchStrategy[object] = st.sampled_from(_PLAIN)
    calls = st.tuples(st.sampled_from(["call", "pointer"]), st.integers(0, 2))
    choices = [plain, plain, calls]
    if depth:
        inner = _items(depth - 1)
        choices += [
            st.tuples(st.just("loop"), st.integers(1, 4), inner),
            st.tuples(st.just("skip"), inner),
        ]
    return st.lists(st.one_of(choices), min_size=1, max_size=5)


@st.composite
def programs(draw: st.DrawFn) -> str:
    """FUNCTIONS functions; each calls later ones only, and returns or tail-calls the next."""
    writer, lines = _Writer(), []
    for function in range(FUNCTIONS):
        body = writer.texts(draw(_items(2)), function, 0)
        tail = function + 1 < FUNCTIONS and draw(st.booleans())
        leave = f"add sp,#8\npop {{r4-r6,lr}}\nb f{function + 1}" if tail else "add sp,#8\npop {r4-r6,pc}"
        lines.append(f"f{function}: push {{r4-r6,lr}}\nsub sp,#8\nmovs r6,#3\n{body}\n{leave}")
    return "\n".join(lines) + "\n.p2align 2\n_word: .word 0x12345678\n"
