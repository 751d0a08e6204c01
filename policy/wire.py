"""Messages between a robot and the machine that thinks for it: a JSON header, then arrays as they lie in memory.

A frame is: length of the header (4 bytes, little-endian), header (JSON, UTF-8), the arrays one after the other. The
header's key "arrays" lists [name, encoding, shape] of each; encoding is "float32", "uint8", or "jpeg" for a picture
that crosses as a JPEG file (whose bytes are counted in "shape": [length]).
"""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from envs.interface import DexClutterError

PROTOCOL = "dexclutter-remote/1"
PORT = 8765
RAW, JPEG = "raw", "jpeg"
ENCODINGS = (RAW, JPEG)
JPEG_QUALITY = 90
MAX_BYTES = 16 << 20  # of one message; two raw pictures are 1.8 MB
_DTYPES = {"float32": np.dtype("<f4"), "uint8": np.dtype("u1")}
_HEAD_BYTES = 4

# Kinds of messages: questions of the robot, answers of the server. FAILED ends the attempt, REFUSED the connection.
HELLO, RESET, OBSERVE, ECHO, REHEARSE = "hello", "reset", "observe", "echo", "rehearse"
WELCOME, READY, ACTION, ECHOED, REHEARSED = "welcome", "ready", "action", "echoed", "rehearsed"
FAILED, REFUSED = "failed", "refused"


class WireError(DexClutterError, ValueError):
    """Bytes that are no message of this protocol."""


@dataclass(frozen=True, eq=False)
class Message:
    """What crosses: its kind, plain JSON values, arrays by name (float32 of any shape, pictures (H, W, 3) uint8)."""

    kind: str
    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)

    def get(self, name: str, kind: type) -> Any:
        """The value called `name`. Raises WireError where it is missing or not of this type."""
        value = self.values.get(name)
        if not isinstance(value, kind):
            raise WireError(f"a message {self.kind!r} needs {name!r} of type {kind.__name__}; got {value!r}")
        return value


def pack(message: Message, pictures: str = RAW) -> bytes:
    """The frame of a message. pictures: RAW, equal to the bit, or JPEG."""
    listed, parts = [], []
    for name, array in message.arrays.items():
        if pictures == JPEG and array.dtype == np.uint8 and array.ndim == 3:
            file = io.BytesIO()
            Image.fromarray(array).save(file, format="JPEG", quality=JPEG_QUALITY, subsampling=0)
            parts.append(file.getvalue())
            listed.append([name, JPEG, [len(parts[-1])]])
            continue
        encoding = "uint8" if array.dtype == np.uint8 else "float32"
        parts.append(np.ascontiguousarray(array, _DTYPES[encoding]).tobytes())
        listed.append([name, encoding, list(array.shape)])
    header = json.dumps({**message.values, "kind": message.kind, "arrays": listed}).encode()
    return b"".join([len(header).to_bytes(_HEAD_BYTES, "little"), header, *parts])


def unpack(frame: bytes | str) -> Message:
    """The message of a frame. Raises WireError for anything that is none."""
    if isinstance(frame, str):
        raise WireError("a text message; this protocol is binary")
    end = _HEAD_BYTES + int.from_bytes(frame[:_HEAD_BYTES], "little")
    try:
        values = json.loads(frame[_HEAD_BYTES:end])
        kind, listed = values.pop("kind"), values.pop("arrays")
        arrays = {}
        for name, encoding, shape in listed:
            arrays[name], end = _array(frame, end, encoding, [int(n) for n in shape])
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise WireError(f"no message of {PROTOCOL}: {fault}") from fault
    if end != len(frame):
        raise WireError(f"a message {kind!r} of {len(frame)} bytes should have {end}")
    return Message(kind, values, arrays)


def _array(frame: bytes, start: int, encoding: str, shape: list[int]) -> tuple[np.ndarray, int]:
    """The array that begins at `start`, and where it ends."""
    if encoding == JPEG:
        (length,) = shape
        try:
            picture = np.array(Image.open(io.BytesIO(frame[start : start + length]), formats=["JPEG"]))
        except (UnidentifiedImageError, OSError) as fault:
            raise ValueError(f"a damaged JPEG file ({fault})") from fault
        return picture, start + length
    if encoding not in _DTYPES or any(n < 0 for n in shape):
        raise ValueError(f"an array of encoding {encoding!r} and shape {shape}")
    dtype, count = _DTYPES[encoding], int(np.prod(shape, dtype=np.int64))
    # A copy: what lies in the frame is read-only, which torch does not take without a complaint.
    return np.frombuffer(frame, dtype, count, start).reshape(shape).copy(), start + count * dtype.itemsize
