"""docs/papers.md: what others published of schedules that save SRAM, and the same networks here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from papers_table import Record, Row, Series, Table, Wanted

from mcusim.timing.document import table as markdown

KIB = 1024

_HEAD = """# Published schedules, and ours beside them

Written by `make papers`, which builds and runs every network here; all bytes are in KiB. In all rows the
image lies in flash. *Counted* is the peak by MCUNetV2's rules: depthwise convolutions in place, neither
projections nor residual additions counted, nor the image while patches run. *Measured* is everything in
SRAM during a simulated run: activations, kernel scratch, stack and static data. An empty cell is one for
which nothing is published, or that the rules do not cover. Weights are the zoo's
noise; what is compared is memory, work and time, not accuracy. Runs are of the day they were recorded:
kernels that have changed since show here when they are measured again.

| publication | what could be opened |
|---|---|
"""

_BLOCKS = """
## The first blocks of MobileNetV2

MCUNetV2's figure 1, 224 x 224: the memory of every block, layer by layer. The figures are those of the
largest sum of input and output among a block's ordinary convolutions, which leaves out what residual
additions hold.

"""

_PATCHED = """
In 4 x 4 patches over the first five blocks the published peak is {published:g} KiB. Counted, it is
{counted:.1f} KiB. A run, [below](#mobilenetv2-224-x-224), takes {measured:.1f} KiB: with the source of a
residual addition, which stays while a block is computed behind the patches, its kernels' scratch and the
stack.
"""

_REDUCTION = """
## Patches at 224 x 224

MCUNetV2 puts 4 x 4 patches into five networks: 3.7 to 8.0 times less memory for 8 to 17 % more MACs, and
for MobileNetV2-RD, whose receptive field was moved behind the patches, 3 %. Both by its own rules:

"""

_REDUCTION_NOTES = """
* Borders: halo beyond the image is not computed here, so MobileNetV2 costs a little less than the published
  10 %.
* MobileNetV2-RD is the zoo's: its patch stage is the published one, where its blocks went later is not
  published.
* The fifth network, OFA-CPU, is not in the zoo.
* It is not published which of the networks has which figure between the ends of the ranges.
"""

_CHIP = """
## Measured on a chip

MCUNetV2 measured SRAM on an STM32F746 (Cortex-M7). Here the chip is an STM32F412 at 100 MHz with the three
wait states that its flash needs (Cortex-M4, 256 KiB of SRAM, 1 MiB of flash), so time cannot be compared
with the published one; between schedules it can. Classifiers have two outputs: one for a thousand classes
does not fit the flash, and the peak is elsewhere.
"""

_CHIP_NOTES = """
Why the figures differ:

* The published ones were measured with the runtime's own buffers, which counting leaves out. That they
  are {least:.0f} to {most:.0f} % above what is counted for MobileNetV2 and its RD variant fits that; what
  they are made of is not published.
* Measured here is mostly less than counted, although more is in it: convolutions write over their input
  row by row or pixel by pixel, and kernel scratch lies in bytes of the arena that are free. With the smallest
  patches of MobileNetV2-RD it is more: the fullest step is then one of 18 x 18 pixels behind the
  patches, with the source of a residual addition beside it, which counting leaves out.
* FBNet-A: the published 310 KiB layer by layer cannot come from the public block table at this width, whose
  fullest step has half of that. The network that was measured is not public.
* MCUNet (width 1, 144 x 144; published 234, 85 and 56 KiB in layers, 2 x 2 and 3 x 3 patches) is not here:
  the block table of that variant could not be had.
* Cycles grow more than MACs in patches: rows are narrow, and every patch calls every kernel and reads its
  weights again. The published 4 % more time of MobileNetV2-RD in patches is of another core, with caches.
"""

_BEYOND = """
## Streams and bands

What keeps rows instead of computing halos again. `auto:sram=N` is the fastest schedule of single operators,
streams and bands that `mcusim` finds for N. The 224 x 224 network needs 4 MiB of flash, which of the chips
only mps2-an386 has, at 25 MHz without wait states. Its published figures are counted ones. Where a schedule
is refused, the reason stands in its row.
"""

_FRONTIER = """
msf-CNN (STM32 and others) searches how deep layers are fused, for MobileNetV2 of width 0.35 at 144 x 144,
"vanilla" being layer by layer. Beside each of its points the least that was measured here, stack included,
for no more MACs:

"""

_FRONTIER_NOTES = """
The networks are not quite the same. msf-CNN gives 194 kB for the network layer by layer without fusion,
where one pair of tensors of the zoo's takes 283.5 KiB: its first layers must have fewer channels, which
makes its figures smaller. For this network it also gives MCUNetV2 63 and StreamNet 66 kB, and for its own
time up to 2.5 to 4.4 times that without fusion. At the last points, where it computes most again, it needs
less than what was measured here.

## As published

Systems that are not built here, by what their abstracts say:

* vMCU overwrites input segment by segment: 12.0 to 49.5 % less RAM for single layers on Cortex-M4 and M7,
  61.5 % less at the bottleneck of a network. Typed in from the paper: MCUNet-320K 102.7 kB where TinyEngine
  needs 247.8. Here every convolution and pool overlaps its input so, in all schedules.
* StreamNet keeps what patches share in a buffer: 81 % fewer MACs and 7.3 times faster than patches,
  geometric mean over ten networks. A stream here computes nothing twice; beside the patches above, that is
  all of the additional MACs.
* TinyTS splits tensors in the compiler: up to 5.92 times less SRAM than layer by layer in TensorFlow Lite
  Micro, and 8.83 times faster than patches.
"""


def document(table: Table, record: Record) -> str:
    """The whole of docs/papers.md."""
    sources = "".join(f"| {source.title} | {source.opened} |\n" for source in table.sources.values())
    parts = [_HEAD, sources, _BLOCKS, _blocks(table, record), _REDUCTION, _reduction(table, record)]
    parts += [_REDUCTION_NOTES, _CHIP]
    measured = list(zip(table.measured, record.rows, strict=True))
    published = [(series, rows) for series, rows in measured if series.on_chip]
    parts += [_series(series, rows) for series, rows in published]
    parts += [_chip_notes([pair for pair in published if "mobilenet" in pair[0].network]), _BEYOND]
    parts += [_series(series, rows) for series, rows in measured if not series.on_chip]
    parts += [_FRONTIER, _frontier(table, record), _FRONTIER_NOTES]
    return "".join(parts)


def _kib(size: int) -> str:
    return f"{size / KIB:.1f}"


def _blocks(table: Table, record: Record) -> str:
    rows = [
        (str(number), f"{kib:g}", _kib(counted))
        for number, (kib, counted) in enumerate(zip(table.blocks.kib, record.blocks, strict=True))
    ]
    run = next(
        row.figures
        for series, rows in zip(table.measured, record.rows, strict=True)
        for row in rows
        if (series.network, row.schedule) == (table.blocks.network, table.blocks.schedule) and row.figures
    )
    return markdown(("block", "published", "counted"), rows) + _PATCHED.format(
        published=table.blocks.patched_kib,
        counted=record.patched.counted_bytes / KIB,
        measured=run.sram_peak_bytes / KIB,
    )


def _reduction(table: Table, record: Record) -> str:
    rows = [
        (
            wanted.network.removeprefix("zoo:"),
            f"`{wanted.schedule}`",
            wanted.published,
            f"{found.saved:.1f}x less; +{100 * (found.mac_factor - 1):.1f} %",
        )
        for wanted, found in zip(table.reduction, record.reduction, strict=True)
    ]
    return markdown(("network", "schedule", "published", "counted"), rows)


def _series(series: Series, rows: tuple[Row, ...]) -> str:
    lines = [_line(wanted, row) for wanted, row in zip(series.points, rows, strict=True)]
    head = ("schedule", "published", "counted", "measured", "MACs", "million cycles", "ms")
    place = f"`{series.network}` on {series.chip}"
    return f"\n### {series.title}\n\n{place}\n\n" + markdown(head, lines)


def _line(wanted: Wanted, row: Row) -> tuple[str, ...]:
    published = f"{wanted.published_kib:g}" if wanted.published_kib else ""
    if row.figures is None or row.planned is None:
        return (f"`{row.schedule}`", published, "", row.refusal, "", "", "")
    return (
        f"`{row.schedule}`",
        published,
        _kib(row.planned.counted_bytes) if row.planned.counted_bytes else "",
        _kib(row.figures.sram_peak_bytes),
        f"{row.planned.mac_factor:.2f}x",
        f"{row.figures.cycles / 1e6:.1f}",
        f"{row.figures.seconds * 1e3:.0f}",
    )


def _chip_notes(published: Sequence[tuple[Series, tuple[Row, ...]]]) -> str:
    """The notes with the range by which what was published exceeds what is counted."""
    above = [
        100 * (KIB * wanted.published_kib / row.planned.counted_bytes - 1)
        for series, rows in published
        for wanted, row in zip(series.points, rows, strict=True)
        if wanted.published_kib and row.planned
    ]
    return _CHIP_NOTES.format(least=min(above), most=max(above))


def _frontier(table: Table, record: Record) -> str:
    ours = next(
        rows
        for series, rows in zip(table.measured, record.rows, strict=True)
        if series.network == table.frontier.network
    )
    lines = []
    for point in table.frontier.points:
        peak, schedule = min(_affordable(ours, point.mac_factor))
        lines.append((f"{point.mac_factor:.2f}x", _kib(point.bytes), _kib(peak), f"`{schedule}`"))
    return markdown(("MACs", "msf-CNN", "measured here", "schedule"), lines)


def _affordable(rows: tuple[Row, ...], factor: float) -> Iterator[tuple[int, str]]:
    """Measured peak and schedule of the rows with at most ``factor`` times the MACs, as far as given."""
    for row in rows:
        if row.figures and row.planned and row.planned.mac_factor < factor + 0.005:
            yield row.figures.sram_peak_bytes, row.schedule
