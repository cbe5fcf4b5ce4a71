"""Reads the embedded log by docs/formats/log.md: a reader that shares no code with Weir."""

import json
import struct
from pathlib import Path

_TABLE = []
for _value in range(256):
    for _ in range(8):
        _value = _value >> 1 ^ (0x82F63B78 if _value & 1 else 0)
    _TABLE.append(_value)


def crc32c(data, before=0):
    crc = before ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def read_stream(folder, stream):
    """{(partition, offset): payload} of every durable record; an AssertionError when the bytes are not as described."""
    info = json.loads((Path(folder) / stream / "stream.json").read_text())
    assert (info["format"], info["version"], info["stream"]) == ("weir-log", 1, stream), info
    records = {}
    for partition in range(info["partitions"]):
        place = Path(folder) / stream / str(partition)
        (durable,) = struct.unpack("<q", (place / "durable").read_bytes())
        expected = None
        for path in sorted(place.glob("*.seg")):
            assert expected in (None, int(path.stem)), f"{path} does not begin at {expected}"
            expected = int(path.stem)
            for payload in _read_segment(path, info["id"], partition):
                records[partition, expected] = payload
                expected += 1
        assert expected == durable, f"{place} ends at {expected}, durable says {durable}"
    return records


def _read_segment(path, stream_id, partition):
    data = path.read_bytes()
    magic, version, number, base, owner, zero, crc = struct.unpack_from("<8sIIq32sII", data)
    assert (magic, version, number, base, zero) == (b"WeirLog1", 1, partition, int(path.stem), 0), path
    assert owner.rstrip(b"\0").decode() == stream_id and crc == crc32c(data[:60]), path
    seed = crc32c(owner + struct.pack("<I", partition))
    at, offset = 64, base
    while at < len(data) and data[at:at + 4] != bytes(4):
        magic, length, crc, count, first = struct.unpack_from("<4sIIIq", data, at)
        frame = data[at:at + length]
        assert magic == b"WFRM" and length % 8 == 0 and len(frame) == length, f"{path}, byte {at}"
        assert crc == crc32c(frame[:8] + frame[12:], seed) and first == offset, f"{path}, byte {at}"
        yield from _read_records(frame, count)
        at, offset = at + length, offset + count


def _read_records(frame, count):
    (key_bytes,) = struct.unpack_from("<H", frame, 48)
    at = 56 + key_bytes
    for _ in range(count):
        payload, key, headers, subject = struct.unpack_from("<iiii", frame, at)
        at += 24 + sum(max(size, 0) for size in (subject, key, headers))
        yield frame[at:at + payload]
        at += payload
    assert at <= len(frame) < at + 8, "a frame is longer than its records"
