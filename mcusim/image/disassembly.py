"""Machine code as assembly text."""

from __future__ import annotations


def disassemble(code: bytes, start: int) -> dict[int, str]:
    """Address to text for the Thumb code at ``start``; what is no instruction is shown as bytes."""
    import capstone

    engine = capstone.Cs(capstone.CS_ARCH_ARM, capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS)
    engine.skipdata = True
    return {i.address: f"{i.mnemonic} {i.op_str}".strip() for i in engine.disasm(code, start)}
