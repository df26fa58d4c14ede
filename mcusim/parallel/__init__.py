"""The same work for many inputs on all cores, with the results of one after the other."""

from mcusim.parallel.pool import cores, run_all

__all__ = ["cores", "run_all"]
