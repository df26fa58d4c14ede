"""From the core's counts to functions and layers, and to the trace."""

from mcusim.profile.profile import FunctionCost, LayerCost, LayerMark, Profile, build

__all__ = ["FunctionCost", "LayerCost", "LayerMark", "Profile", "build"]
