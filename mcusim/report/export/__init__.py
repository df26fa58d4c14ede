"""Traces as files of other tools: one module a format, each with a function ``export``."""

from __future__ import annotations

from collections.abc import Callable

from mcusim.report.export import callgrind, collapsed, perfetto, speedscope
from mcusim.trace import Trace

FORMATS: dict[str, Callable[[Trace], bytes]] = {
    "speedscope": speedscope.export,
    "perfetto": perfetto.export,
    "callgrind": callgrind.export,
    "collapsed": collapsed.export,
}
