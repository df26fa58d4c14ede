"""How figures are written: one way for each unit, the same in every renderer."""

from __future__ import annotations

KIB = 1024


def count(value: int) -> str:
    """Digits in groups of three: 1,234,567."""
    return f"{value:,}"


def kib(size: int) -> str:
    """``size`` bytes: as bytes below 1 KiB, else in KiB with one decimal."""
    if size < KIB:
        return f"{size} B"
    return f"{size / KIB:,.1f} KiB"


def percent(part: float, whole: float) -> str:
    """``part`` of ``whole`` with one decimal; a dash when there is no whole."""
    if whole <= 0:
        return "-"
    return f"{100 * part / whole:.1f} %"


def ratio(value: float, base: float) -> str:
    """``value`` over ``base`` as a factor; a dash when there is no base."""
    if base <= 0:
        return "-"
    return f"{value / base:.3f}x"


def change(value: float, base: float) -> str:
    """``value`` against ``base`` as a signed percentage; a dash when there is no base."""
    if base <= 0:
        return "-"
    return f"{100 * (value - base) / base:+.1f} %"


def time(seconds: float) -> str:
    """Seconds, milliseconds or microseconds, whichever keeps one to three digits before the point."""
    if seconds >= 1:
        return f"{seconds:.3f} s"
    if seconds >= 1e-3:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds * 1e6:.1f} us"


def frequency(hertz: int) -> str:
    """MHz without needless decimals."""
    return f"{hertz / 1e6:g} MHz"


def per(value: float, units: float) -> str:
    """``value`` per unit with two decimals; a dash when there are no units."""
    if units <= 0:
        return "-"
    return f"{value / units:.2f}"


def shape(dimensions: tuple[int, ...]) -> str:
    """A tensor's shape without its leading batch dimension of 1: 48x48x8."""
    inner = dimensions[1:] if len(dimensions) > 1 and dimensions[0] == 1 else dimensions
    return "x".join(str(size) for size in inner) or "-"
