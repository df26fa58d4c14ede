"""Which networks the zoo has, and how a specification such as ``mobilenet_v2?width=0.35`` is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from mcusim.errors import UsageError
from mcusim.network.graph import Graph
from mcusim.network.zoo.blocks import Table

Value = int | float


@dataclass(frozen=True)
class Parameter:
    """A parameter of an architecture: an int or a float, as its default is, within bounds."""

    name: str
    default: Value
    minimum: Value
    maximum: Value
    meaning: str

    def parse(self, text: str, owner: str) -> Value:
        """The value written as ``text``; raises UsageError if it is no number or out of bounds."""
        try:
            value: Value = int(text) if isinstance(self.default, int) else float(text)
        except ValueError:
            raise UsageError(f"zoo:{owner}: {self.name} is {text!r}, not {self._range()}") from None
        if not math.isfinite(value) or not self.minimum <= value <= self.maximum:
            raise UsageError(f"zoo:{owner}: {self.name} is {text}, not {self._range()}")
        return value

    def _range(self) -> str:
        kind = "an integer" if isinstance(self.default, int) else "a number"
        return f"{kind} from {self.minimum} to {self.maximum}"


@dataclass(frozen=True)
class Architecture:
    """A published network: ``build`` takes the graph's name and then the parameters by name. ``table`` if it
    is one of inverted residuals."""

    name: str
    source: str
    parameters: tuple[Parameter, ...]
    build: Callable[..., Graph]
    table: Table | None = None

    def values(self, query: str) -> dict[str, Value]:
        """Every parameter's value, from a query such as ``width=0.35&resolution=144``."""
        known = {parameter.name: parameter for parameter in self.parameters}
        values = {parameter.name: parameter.default for parameter in self.parameters}
        for item in filter(None, query.split("&")):
            name, _, text = item.partition("=")
            if name not in known:
                listed = ", ".join(known) or "none"
                raise UsageError(f"zoo:{self.name} has no parameter {name!r}; it has: {listed}")
            values[name] = known[name].parse(text, self.name)
        return values

    def graph_name(self, values: dict[str, Value]) -> str:
        """The architecture's name with every parameter that is not at its default."""
        defaults = {parameter.name: parameter.default for parameter in self.parameters}
        changed = [f"{name}{value:g}" for name, value in values.items() if value != defaults[name]]
        return "_".join([self.name, *changed])
