"""Perfetto's native trace format, for ui.perfetto.dev and trace_processor: the call tree as a timeline.

A slice is all calls of one function under one caller together, beside one another in the order of first
calls; its length is their time on the chip. Format: the protocol buffers of
https://perfetto.dev/docs/reference/synthetic-track-event, encoded as
https://protobuf.dev/programming-guides/encoding says.
"""

from __future__ import annotations

from mcusim.report.call_tree import Frame, frames
from mcusim.report.terminal import chip_line, title_of
from mcusim.trace import Trace

TRACK = 1
SEQUENCE = 1
SLICE_BEGIN, SLICE_END = 1, 2
NANOSECONDS = 1_000_000_000

# Field numbers of perfetto_trace.proto.
TRACE_PACKET = 1
PACKET_TIMESTAMP, PACKET_SEQUENCE, PACKET_EVENT, PACKET_TRACK = 8, 10, 11, 60
TRACK_UUID, TRACK_NAME = 1, 2
EVENT_ANNOTATION, EVENT_TYPE, EVENT_TRACK, EVENT_NAME = 4, 9, 11, 23
ANNOTATION_INTEGER, ANNOTATION_NAME = 3, 10


def export(trace: Trace) -> bytes:
    """One track with the slices, each with its calls, cycles and instructions."""
    tree = frames(trace)
    name = f"{title_of(trace)} on {chip_line(trace)}"
    packets = [_packet(0, _message(PACKET_TRACK, _integer(TRACK_UUID, TRACK) + _text(TRACK_NAME, name)))]
    start = 0
    for index, frame in enumerate(tree):
        if frame.parent < 0:
            _slice(tree, index, start, trace.chip.clock_hz, packets)
            start += frame.total_cycles
    return b"".join(_message(TRACE_PACKET, packet) for packet in packets)


def _slice(tree: list[Frame], index: int, start: int, clock_hz: int, packets: list[bytes]) -> None:
    """Append begin, children and end; the frame's own cycles come behind those of its children."""
    frame = tree[index]
    begin = _integer(EVENT_TYPE, SLICE_BEGIN) + _integer(EVENT_TRACK, TRACK) + _text(EVENT_NAME, frame.label)
    for key, value in (
        ("calls", frame.calls),
        ("cycles", frame.cycles),
        ("instructions", frame.instructions),
    ):
        note = _text(ANNOTATION_NAME, key) + _integer(ANNOTATION_INTEGER, value)
        begin += _message(EVENT_ANNOTATION, note)
    packets.append(_packet(start * NANOSECONDS // clock_hz, _message(PACKET_EVENT, begin)))
    inner = start
    for child in frame.children:
        _slice(tree, child, inner, clock_hz, packets)
        inner += tree[child].total_cycles
    end = _integer(EVENT_TYPE, SLICE_END) + _integer(EVENT_TRACK, TRACK)
    last = (start + frame.total_cycles) * NANOSECONDS // clock_hz
    packets.append(_packet(last, _message(PACKET_EVENT, end)))


def _packet(nanoseconds: int, content: bytes) -> bytes:
    return _integer(PACKET_TIMESTAMP, nanoseconds) + _integer(PACKET_SEQUENCE, SEQUENCE) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _integer(number: int, value: int) -> bytes:
    """A field of wire type 0, an unsigned integer."""
    return _varint(number << 3) + _varint(value)


def _message(number: int, content: bytes) -> bytes:
    """A field of wire type 2, bytes with their length before them."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _message(number, text.encode())
