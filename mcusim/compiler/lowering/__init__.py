"""Lowering: from an operator of the graph to a row kernel and the constants it reads."""

from mcusim.compiler.lowering.types import Constant, LoweredOp, no_scratch

__all__ = ["Constant", "LoweredOp", "no_scratch"]
