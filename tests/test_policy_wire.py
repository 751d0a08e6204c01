"""Frames between robot and server: what goes in comes out, and what is no frame is refused."""

import numpy as np
import pytest

from policy import wire
from policy.wire import Message, WireError, pack, unpack

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, (48, 64, 3), np.uint8)
MESSAGE = Message(
    wire.OBSERVE,
    {"step": 3, "instruction": "the µ-shaped can", "none": None},
    {"state": RNG.random(13, np.float32), "head": PICTURE, "chunk": RNG.random((2, 13), np.float32)},
)


def test_a_message_crosses_to_the_bit():
    there = unpack(pack(MESSAGE))
    assert (there.kind, there.values) == (MESSAGE.kind, MESSAGE.values)
    assert there.arrays.keys() == MESSAGE.arrays.keys()
    for name, array in MESSAGE.arrays.items():
        assert there.arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(there.arrays[name], array)
        there.arrays[name][...] = 0  # whoever gets it may write to it


def test_other_numbers_cross_as_single_precision_and_in_any_layout():
    there = unpack(pack(Message("x", {}, {"a": np.arange(12.0).reshape(3, 4).T, "p": PICTURE[::-1, ::2]})))
    np.testing.assert_array_equal(there.arrays["a"], np.arange(12, dtype=np.float32).reshape(3, 4).T)
    np.testing.assert_array_equal(there.arrays["p"], PICTURE[::-1, ::2])


def test_jpeg_is_much_smaller_and_nearly_the_same():
    smooth = np.zeros((480, 640, 3), np.uint8)
    smooth[:] = np.linspace(0, 255, 640).astype(np.uint8)[:, None]
    message = Message("x", {}, {"head": smooth, "state": MESSAGE.arrays["state"]})
    frame = pack(message, wire.JPEG)
    assert len(frame) < len(pack(message)) / 20
    there = unpack(frame).arrays
    assert np.abs(there["head"].astype(int) - smooth).max() <= 4
    np.testing.assert_array_equal(there["state"], MESSAGE.arrays["state"])


GOOD = pack(MESSAGE)


@pytest.mark.parametrize(
    ("frame", "what"),
    [
        ("hello", "binary"),
        (b"", "no message"),
        (b"\xff\xff\xff\xff", "no message"),
        (GOOD[:-1], "no message"),
        (GOOD + b"x", "should have"),
        (GOOD.replace(b'"kind"', b'"kine"'), "kind"),
        (GOOD.replace(b"[13]", b"[-1]"), "shape"),
        (GOOD.replace(b"[13]", b"[99]"), "no message|should have"),
        (GOOD.replace(b"float32", b"float33"), "float33"),
        (GOOD.replace(b'"uint8"', b' "jpeg"').replace(b"[48, 64, 3]", b"[9216]     "), "JPEG"),
        (pack(Message("x", {"arrays": 3})).replace(b"[]", b"17"), "no message"),
        (b"\x02\x00\x00\x00[]", "no message"),
    ],
)
def test_what_is_no_frame_is_refused(frame, what):
    with pytest.raises(WireError, match=what):
        unpack(frame)


def test_values_of_the_wrong_type_are_named():
    with pytest.raises(WireError, match="'step' of type str; got 3"):
        MESSAGE.get("step", str)
    with pytest.raises(WireError, match="'absent'"):
        MESSAGE.get("absent", int)
