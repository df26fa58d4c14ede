"""C text of a stage that runs in channel tiles: views, kernel calls by tile, the functions of its layers."""

from __future__ import annotations

from dataclasses import dataclass

from mcusim.compiler import spatial
from mcusim.compiler.names import ARENA, layer_symbol, location_of, scratch_of, stage_symbol
from mcusim.compiler.program import Program
from mcusim.compiler.stages import TileStage
from mcusim.compiler.tiles import sums_row_bytes
from mcusim.network.graph import Operator


def tiles_source(program: Program, number: int, stage: TileStage) -> str:
    """Everything of one stage in tiles."""
    return _Writer(program, number, stage).text()


@dataclass(frozen=True)
class _Writer:
    program: Program
    number: int
    stage: TileStage

    def text(self) -> str:
        block = self.stage.block
        parts = [
            self._views(),
            self._tiled_layer(block.expand, "source", "expanded"),
            self._tiled_layer(block.depthwise, "expanded", "filtered"),
            self._project_layer(),
        ]
        if block.add is not None:
            parts.append(self._add_layer(block.add))
        return "\n\n".join([*parts, self._driver()])

    def _name(self, what: str) -> str:
        return f"{what}_{self.number}"

    def _address(self, tensor: int) -> str:
        symbol, offset = location_of(self.program, tensor)
        return f"{symbol} + {offset}"

    def _view(self, tensor: int, *, base: str = "", capacity: int = 0, channels: int = 0) -> str:
        """The initialiser of a view of all columns; by default of the whole tensor where it lies."""
        size = spatial.extent(self.program.graph.tensors[tensor])
        return (
            f"{{.base = {base or self._address(tensor)}, .height = {size.height}, .width = {size.width}, "
            f".channels = {channels or size.channels}, .capacity = {capacity or size.height}, "
            f".pitch = {size.width * (channels or size.channels)}}}"
        )

    def _views(self) -> str:
        block, rings, graph = self.stage.block, self.stage.rings, self.program.graph
        expanded, filtered = block.expand.outputs[0], block.depthwise.outputs[0]
        projected, output = block.project.outputs[0], block.last.outputs[0]
        rows = max(band.size for band in self.stage.row_bands)
        pixel = sums_row_bytes(graph, block.project) // spatial.extent(graph.tensors[projected]).width
        base = self._address(projected) if block.add else scratch_of(self.program, block.project)
        sums = self._view(projected, base=base, capacity=rows, channels=pixel)
        lines = [
            f"static const mcu_view {self._name('source')} = {self._view(block.source)};",
            *(
                self._tile_views(name, t, rings[t])
                for name, t in (("expanded", expanded), ("filtered", filtered))
            ),
            f"static const mcu_view {self._name('sums')} = {sums};",
            f"static const mcu_view {self._name('output')} = {self._view(output)};",
        ]
        if block.add is not None:
            # What is added takes the place of sums that are no longer needed.
            projection = self._view(projected, capacity=rows)
            lines.append(f"static const mcu_view {self._name('projected')} = {projection};")
        return "\n".join(lines)

    def _tile_views(self, what: str, tensor: int, rows: int) -> str:
        views = [self._view(tensor, capacity=rows, channels=tile.size) for tile in self.stage.tiles]
        return f"static const mcu_view {self._name(what)}[] = {{{', '.join(views)}}};"

    def _kernels(self, op: Operator) -> str:
        names = [f"&op_{label}" for label, _ in self.program.kernels_of(op) if label[-1].isdigit()]
        return f"static const mcu_op *const tiles_{op.index:03d}[] = {{{', '.join(names)}}};"

    def _layer(self, op: Operator, calls: list[str]) -> str:
        width = spatial.extent(self.program.graph.output_of(op)).width
        body = "\n".join(f"    {call}" for call in calls)
        return (
            f"MCU_LAYER static void {layer_symbol(op)}(int32_t first, int32_t end, int32_t tile) {{\n"
            f"    const mcu_rect rect = {{(int16_t)first, (int16_t)end, 0, {width}}};\n{body}\n}}"
        )

    @property
    def _scratch(self) -> str:
        """That of the kernels; behind sums which have no place of their own."""
        offset = self.program.scratch_offset(self.stage.block.expand)
        return "NULL" if offset is None else f"{ARENA} + {offset}"

    def _tiled_layer(self, op: Operator, source: str, target: str) -> str:
        index = "" if source == "source" else "[tile]"
        call = (
            f"mcu_run(tiles_{op.index:03d}[tile], &{self._name(source)}{index}, NULL, "
            f"&{self._name(target)}[tile], &rect, {self._scratch});"
        )
        return f"{self._kernels(op)}\n\n{self._layer(op, [call])}"

    def _project_layer(self) -> str:
        op, last = self.stage.block.project, len(self.stage.tiles) - 1
        number = f"{op.index:03d}"
        tile, sums = f"&{self._name('filtered')}[tile]", f"&{self._name('sums')}"
        target = f"&{self._name('projected' if self.stage.block.add else 'output')}"
        calls = [
            f"if (tile == 0) {{ mcu_run(&op_{number}_begin, {tile}, NULL, {sums}, &rect, NULL); }}",
            f"mcu_run(tiles_{number}[tile], {tile}, NULL, {sums}, &rect, {self._scratch});",
            f"if (tile == {last}) {{ mcu_run(&op_{number}_end, {sums}, NULL, {target}, &rect, NULL); }}",
        ]
        return f"{self._kernels(op)}\n\n{self._layer(op, calls)}"

    def _add_layer(self, op: Operator) -> str:
        names = {self.stage.block.source: "source", self.stage.block.project.outputs[0]: "projected"}
        first, second = (f"&{self._name(names[t])}" for t in spatial.activations(self.program.graph, op))
        operands = f"{first}, {second}, &{self._name('output')}"
        call = f"mcu_run(&op_{op.index:03d}, {operands}, &rect, {self._scratch});"
        return self._layer(op, ["(void)tile;", call])

    def _driver(self) -> str:
        block = self.stage.block
        window = spatial.window_of(block.depthwise)
        bands = ", ".join(f"{{{band.first}, {band.end}}}" for band in self.stage.row_bands)
        height = spatial.extent(self.program.graph.input_of(block.depthwise)).height
        at_once = self.stage.rings[block.depthwise.outputs[0]]
        return (
            f"static const mcu_span {self._name('bands')}[] = {{{bands}}};\n"
            f"static const mcu_tile_stage {self._name('tiles')} = {{.bands = {self._name('bands')}, "
            f".expand = {layer_symbol(block.expand)}, .depthwise = {layer_symbol(block.depthwise)}, "
            f".project = {layer_symbol(block.project)}, "
            f".add = {layer_symbol(block.add) if block.add else 'NULL'}, "
            f".band_count = {len(self.stage.row_bands)}, .tile_count = {len(self.stage.tiles)}, "
            f".height = {height}, .kernel_h = {window.kernel_h}, .stride_h = {window.stride_h}, "
            f".pad_top = {window.padding.top}, .rows_at_once = {at_once}}};\n\n"
            f"MCU_LAYER void {stage_symbol(self.number)}(void) {{\n"
            f"    mcu_run_tiles(&{self._name('tiles')});\n}}"
        )
