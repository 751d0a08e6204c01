"""The audit of pictures: equal to the bit where they must be, and JPEGs told from pictures that are false."""

import json
import re

import fake_demos
import numpy as np
import pytest
from fake_demos import audited, broken

from datagen import examine, generate
from datagen.frames import Frames
from datagen.generator import Generator
from datagen.storage import DemoFile

FIRST, SECOND = "demo_2", "demo_5"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return fake_demos.shared(tmp_path_factory)


def brighter(frames, made):
    """Changes the first `frames` frames of both demonstrations a little, and what they say they were made with."""

    def change(file):
        for name in (FIRST, SECOND):
            attrs = file[f"data/{name}"].attrs
            versions = {**json.loads(attrs["versions"]), **made}
            attrs["versions"] = json.dumps({key: value for key, value in versions.items() if value})
            for camera in ("head", "wrist"):
                pictures = file[f"data/{name}/obs/{camera}"]
                pictures[:frames] = np.minimum(pictures[:frames], 253) + 2

    return change


@pytest.mark.parametrize(
    ("frames", "made", "fine"),
    [
        (1, {}, False),
        (1, {"mujoco": "3.0.0"}, True),
        (1, {"gl": "another card"}, True),
        (1, {"gl": None}, False),  # the other frames are equal: it was the same driver
        (100, {"gl": None}, True),  # none is equal: it was another
    ],
)
def test_another_version_or_driver_may_draw_a_little_differently(good, tmp_path, frames, made, fine):
    result = examine.examine(broken(good, tmp_path, brighter(frames, made)), sample=2)
    assert {finding.invariant for finding in result.findings} == (set() if fine else {"frames"})
    assert len(result.findings) == (0 if fine else 4)
    assert result.frames_equal == (12 if frames == 1 else 0)


def as_jpeg(quality, said="jpeg", spoil=lambda step, frame: frame):
    """Pictures as JPEG files, as the generator's option --images stores them."""

    def change(file):
        for name in (FIRST, SECOND):
            group = file[f"data/{name}"]
            group.attrs["image_compression"] = said
            for key in ("head", "wrist"):
                frames = group[f"obs/{key}"][()]
                del group[f"obs/{key}"]
                spoilt = (spoil(step, frame) for step, frame in enumerate(frames))
                Frames.pack(spoilt, frames.shape[1:], quality).put(group, f"obs/{key}")

    return change


@pytest.mark.parametrize("quality", [95, 5])
def test_pictures_kept_as_jpeg_are_compared_as_jpeg_of_the_same_quality(good, tmp_path, quality):
    fine = examine.examine(broken(good, tmp_path, as_jpeg(quality)), sample=2)
    assert fine.findings == []
    assert (fine.frames_drawn, fine.frames_equal) == (16, 16)


def test_a_false_picture_is_found_among_jpegs_however_small_the_difference(good, tmp_path):
    def speck(step, frame):
        spoilt = frame.copy()
        spoilt[50:58, 70:78] = 255 - spoilt[50:58, 70:78]
        return spoilt if step == 0 else frame

    result = examine.examine(broken(good, tmp_path, as_jpeg(95, spoil=speck)), sample=2)
    assert {(f.invariant, f.problem.split(" is ")[0]) for f in result.findings} == {
        ("frames", "obs/head at step 0"),
        ("frames", "obs/wrist at step 0"),
    }
    assert "at least 40 wanted" in result.findings[0].problem


def test_another_decoder_of_jpeg_may_round_differently(good, tmp_path):
    def rounded(step, frame):
        return np.clip(frame.astype(int) + step % 2, 0, 255).astype(np.uint8)

    assert examine.examine(broken(good, tmp_path, as_jpeg(95, spoil=rounded)), sample=2).findings == []


def test_losses_that_are_not_declared_are_a_finding(good, tmp_path):
    result = examine.examine(broken(good, tmp_path, as_jpeg(95, said="lossless")), sample=0)
    assert {(f.invariant, f.demo) for f in result.findings} == {("layout", FIRST), ("layout", SECOND)}
    assert "yet pictures are stored with losses" in result.findings[0].problem


def other_size(rows):
    small = Frames.pack([np.zeros((60, 80, 3), np.uint8)], (60, 80, 3), 95)
    rows[0] = np.frombuffer(small.chunks[0], np.uint8)


def other_count(rows):
    rows.attrs["shape"] = (len(rows) + 1, 120, 160, 3)


def cut(rows):
    rows[0] = rows[0][:200]


def no_picture(rows):
    rows[0] = np.zeros(50, np.uint8)


def giant(rows):
    packet = rows[0].copy()
    at = re.search(rb"\xff[\xc0\xc2]", packet.tobytes()).start() + 5  # height and width in the header of the frame
    packet[at : at + 4] = 255
    rows[0] = packet


@pytest.mark.parametrize("damage", [other_size, other_count, cut, no_picture, giant])
def test_a_damaged_jpeg_spoils_one_demonstration_alone(good, tmp_path, damage):
    def change(file):
        as_jpeg(95)(file)
        damage(file[f"data/{FIRST}/obs/head"])

    result = examine.examine(broken(good, tmp_path, change), sample=2)
    assert {f.demo for f in result.findings} == {FIRST}
    assert any("obs/head" in f.problem for f in result.findings)


def test_a_file_made_with_jpeg_passes(tmp_path, monkeypatch, capsys):
    def here(request, path, indices, workers):
        maker, file = Generator(request), DemoFile(path)
        for index in indices:
            product = maker.make(index)
            file.write_part(product.content, index, product.group)
            yield product.result

    monkeypatch.setattr(generate, "run_local", here)
    path = tmp_path / "demos.h5"
    words = ["--episodes", "1", "--first", "5", "--image-size", "64x48", "--recovery", "0", "--hold-seconds", "1"]
    assert generate.main([*words, "--images", "jpeg95", "--out", str(path)]) == 0
    code, told = audited(path, capsys)
    assert (code, "pass  1 demonstrations, 19 invariants looked at" in told) == (0, True)
    assert "mask 64x48, jpeg; 8 of 8 drawn again are equal" in path.with_suffix(".md").read_text()
