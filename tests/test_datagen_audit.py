"""The audit as a command: a good file passes, every kind of fault is found and named, nothing ends in a traceback."""

from collections import Counter

import fake_demos
import h5py
import numpy as np
import pytest
from fake_demos import audited, broken, rewrite, wooden

from datagen import audit, examine
from datagen.findings import INVARIANTS
from datagen.storage import StorageError

FIRST, SECOND = "demo_2", "demo_5"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return fake_demos.shared(tmp_path_factory)


def test_a_good_file_passes_every_invariant(good):
    result = examine.examine(good, sample=2)
    assert result.findings == []
    assert {name for name in INVARIANTS if not result.checked[name]} == set()
    assert (result.frames_drawn, result.frames_equal) == (16, 16)
    assert [row.name for row in result.rows] == [FIRST, SECOND]
    assert all(row.lag.shift == 1 for row in result.rows)
    assert len(result.shots) == 2


def test_the_sample_is_spread_and_may_be_empty(good):
    assert examine.spread(["a", "b", "c", "d", "e"], 3) == ["a", "c", "e"]
    assert examine.spread(["a", "b"], 20) == ["a", "b"]
    assert examine.spread(["a", "b"], 0) == []
    result = examine.examine(good, sample=0)
    assert result.passed
    assert result.checked["frames"] == 0
    assert result.shots == []


def test_progress_is_told(good):
    heard = []
    examine.examine(good, 0, lambda done, of, name: heard.append((done, of, name)))
    assert heard == [(0, 2, FIRST), (1, 2, SECOND), (2, 2, "")]


def put(key, row, value):
    def change(file):
        file[f"data/{FIRST}/{key}"][row] = value

    return change


def attribute(key, value):
    def change(file):
        file[f"data/{FIRST}"].attrs[key] = value

    return change


def twin(file):
    file.copy(f"data/{FIRST}", file["data"], name="demo_9")
    rewrite(file["mask"], "train", np.array([SECOND, "demo_9"], object))
    file["data"].attrs["total"] += file[f"data/{FIRST}"].attrs["num_samples"]


def black_picture(file):
    file[f"data/{FIRST}/obs/wrist"][0] = 0


def without_phases(file):
    del file[f"data/{FIRST}/phases"]


def sunk(file):
    states = file[f"data/{FIRST}/states"]
    states[-1] = states[0]


def hidden(file):
    group = file[f"data/{FIRST}/obs"]
    group["mask"][0] = 0
    group["box"][0] = -1


FAULTS = {
    "layout": without_phases,
    "finite": put("states", 3, np.nan),
    "limits": put("actions", 3, 1.5),
    "lag": lambda file: rewrite(file[f"data/{FIRST}"], "actions", file[f"data/{FIRST}/actions"][()][::-1]),
    "motion": put("actions", (3, 0), -0.9),
    "phases": put("phases", 3, 2),
    "end": attribute("outcome", "slipped"),
    "words": attribute("family", "spaceship"),
    "training": wooden(FIRST),
    "duplicates": twin,
    "subsets": lambda file: rewrite(file["mask"], "train", np.array([FIRST], object)),
    "box": put("obs/box", 2, 7.0),
    "visible": hidden,
    "states": put("obs/state", 0, 0.5),
    "lifted": sunk,
    "frames": black_picture,
    "mask": put("obs/mask", (0, 0, 0), 1),
    "readable": attribute("spec", "{"),
    "file": lambda file: file["data"].attrs.__setitem__("total", 7),
}


def test_every_invariant_has_a_fault_here():
    assert FAULTS.keys() == INVARIANTS.keys()


@pytest.mark.parametrize("invariant", FAULTS)
def test_a_fault_is_found_and_its_demonstration_named(good, tmp_path, invariant):
    result = examine.examine(broken(good, tmp_path, FAULTS[invariant]), sample=1)
    found = [finding for finding in result.findings if finding.invariant == invariant]
    assert found, result.findings
    named = {"duplicates": "demo_9", "subsets": "", "file": ""}.get(invariant, FIRST)
    assert {finding.demo for finding in found} == {named}
    assert not any(finding.demo == SECOND for finding in result.findings)
    assert not result.passed


def test_the_command_passes_and_writes_the_card(good, tmp_path, capsys):
    code, told = audited(good, capsys, "--out", str(tmp_path / "card.md"))
    assert code == 0
    assert "pass  2 demonstrations, 19 invariants looked at" in told
    assert {p.name for p in tmp_path.iterdir()} == {"card.md", "card.html"}


def test_the_command_fails_and_names_file_demonstration_and_key(good, tmp_path, capsys):
    path = broken(good, tmp_path, FAULTS["limits"])
    code, told = audited(path, capsys)
    assert code == 1
    assert f"limits {path}, {FIRST}: action of arm/joint1 is 1.5 at step 3" in told
    assert path.with_suffix(".md").exists()
    assert path.with_suffix(".html").exists()


def test_a_damaged_chunk_spoils_one_demonstration_alone(good, tmp_path, capsys):
    with h5py.File(good) as file:
        where = file[f"data/{FIRST}/obs/mask"].id.get_chunk_info(4)
    path = broken(good, tmp_path, lambda file: None)
    with path.open("r+b") as raw:
        raw.seek(where.byte_offset)
        raw.write(b"\xff" * where.size)
    code, told = audited(path, capsys)
    assert code == 1
    assert f"readable {path}, {FIRST}: 'obs/mask' cannot be read at step 4" in told
    assert SECOND not in told


@pytest.mark.parametrize(("key", "value"), [("phrasings", "3"), ("spec", "[]"), ("versions", "1"), ("attempts", "two")])
def test_an_attribute_of_a_wrong_kind_is_a_finding(good, tmp_path, key, value):
    result = examine.examine(broken(good, tmp_path, attribute(key, value)), sample=2)
    assert [finding.demo for finding in result.findings if finding.invariant == "readable"] == [FIRST]


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def no_hdf5(path):
    path.write_text("not at all")


def foreign(path):
    with h5py.File(path, "w") as file:
        file["episodes"] = np.zeros(3)


def old(path):
    with h5py.File(path, "r+") as file:
        file["data"].attrs["format"] = "dexclutter-demos/0"


def nameless(path):
    with h5py.File(path, "r+") as file:
        del file["data"].attrs["format"]


def without_total(path):
    with h5py.File(path, "r+") as file:
        del file["data"].attrs["total"]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (truncated, "is no HDF5 file, or a damaged one"),
        (no_hdf5, "is no HDF5 file, or a damaged one"),
        (foreign, "it has no group 'data'"),
        (old, "has format 'dexclutter-demos/0'; this version reads dexclutter-demos/1"),
        (nameless, "says no format"),
        (without_total, "data: attribute 'total' is missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_without_a_traceback(good, tmp_path, capsys, damage, words):
    path = broken(good, tmp_path, lambda file: None)
    damage(path)
    code, told = audited(path, capsys)
    assert code == 1
    assert f"datagen.audit: {path}" in told
    assert words in told


def test_bytes_damaged_anywhere_never_end_in_a_traceback(good, tmp_path):
    def structure_alone(file):  # pictures would take most hits
        for name in (FIRST, SECOND):
            for key in ("head", "wrist", "mask", "box"):
                del file[f"data/{name}/obs/{key}"]

    heavy = broken(good, tmp_path, structure_alone)
    light, struck, rng = tmp_path / "light.h5", tmp_path / "struck.h5", np.random.default_rng(1)
    with h5py.File(heavy) as source, h5py.File(light, "w") as copy:
        for key in source:
            source.copy(key, copy)
    content, ends, unreadable = light.read_bytes(), Counter(), []
    for _ in range(24):
        damaged = bytearray(content)
        for at in rng.integers(40_000, size=4):  # where names, attributes and addresses lie
            damaged[at : at + 8] = rng.bytes(8)
        struck.write_bytes(damaged)
        try:
            ends["fail" if examine.examine(struck, 0).findings else "pass"] += 1
        except StorageError as fault:
            unreadable.append(str(fault))
    assert ends["fail"] >= 5
    assert unreadable
    assert all(str(struck) in words for words in unreadable)


def test_bad_usage_is_code_2(good, tmp_path, capsys):
    assert audited(tmp_path / "nothing.h5", capsys)[0] == 2
    assert audited(good, capsys, "--out", str(tmp_path / "card.txt")) == (
        2, f"datagen.audit: --out is the Markdown card, a name that ends in .md; got {tmp_path / 'card.txt'} "
    )  # fmt: skip
    assert audited(good, capsys, "--out", str(tmp_path / "no" / "card.md"))[0] == 2
    assert audited(good, capsys, "--sample", "-1")[0] == 2
    with pytest.raises(SystemExit) as ended:
        audit.main(["--no-such-option"])
    assert ended.value.code == 2


def test_a_file_without_pictures_is_checked_by_its_numbers(good, tmp_path):
    def blind(file):
        for name in (FIRST, SECOND):
            for key in ("head", "wrist", "mask", "box"):
                del file[f"data/{name}/obs/{key}"]

    result = examine.examine(broken(good, tmp_path, blind), sample=2)
    assert result.passed
    assert {n for n in INVARIANTS if not result.checked[n]} == {"box", "visible", "frames", "mask"}


def test_phases_that_nobody_noted_are_not_looked_at(good, tmp_path):
    def unknown(file):
        for name in (FIRST, SECOND):
            file[f"data/{name}/phases"][:] = -1

    result = examine.examine(broken(good, tmp_path, unknown), sample=0)
    assert result.passed
    assert result.checked["phases"] == 0


def test_what_became_of_every_scene_is_counted(good, tmp_path):
    def change(file):
        words = np.array(["success", "success", "slipped", "error"], object)
        file.create_dataset("jobs/outcome", data=words, dtype=h5py.string_dtype("utf-8"))
        file.copy(f"data/{FIRST}", file.create_group("data_failed"), name="demo_7")
        file["data_failed/demo_7"].attrs["outcome"] = "slipped"

    result = examine.examine(broken(good, tmp_path, change), sample=0)
    assert result.passed
    assert result.jobs == {"success": 2, "slipped": 1, "error": 1}
    assert result.failures == {"slipped": 1}
