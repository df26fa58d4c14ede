"""The trace document: reading, writing, and the schema that is published."""

from __future__ import annotations

import json
from pathlib import Path

import example_trace
import jsonschema
import msgspec
import pytest

from mcusim import trace
from mcusim.errors import InputError

SCHEMA = Path(__file__).parents[2] / "docs" / "trace.schema.json"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(trace.dump(example_trace.trace()))
    assert trace.load(path) == example_trace.trace()
    assert path.read_bytes().endswith(b"}\n")


def test_published_schema_is_current() -> None:
    assert SCHEMA.read_text() == json.dumps(trace.json_schema(), indent=2) + "\n"


def test_schema_is_valid_and_accepts_a_trace() -> None:
    schema = trace.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    document = json.loads(trace.dump(example_trace.trace()))
    validator.validate(document)
    del document["totals"]["cycles"]
    assert not validator.is_valid(document)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    document = msgspec.to_builtins(example_trace.trace()) | {"version": 99}
    path.write_bytes(msgspec.json.encode(document))
    with pytest.raises(InputError, match="not an mcusim trace of version 1"):
        trace.load(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": "other"}'])
def test_what_is_no_trace_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"run\.json"):
        trace.load(path)


def test_a_missing_trace_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        trace.load(tmp_path / "none.json")
