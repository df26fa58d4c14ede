"""Bit-exact numpy kernels, one module per family of operators.

Every kernel takes the graph, the operator and its activations and constants in the operator's order.
Activations have a batch dimension of any size in front: shape (batch, *tensor.shape[1:]).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from mcusim.network.graph import Graph, Operator

Activation: TypeAlias = NDArray[Any]
Kernel: TypeAlias = Callable[[Graph, Operator, Sequence[Activation]], Activation]
