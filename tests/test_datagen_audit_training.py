"""The audit of what a file is for: nothing that policies are tested on gets into training data unnoticed."""

import json

import fake_demos
import pytest
from fake_demos import audited, broken, wooden

from datagen import examine

FIRST, SECOND = "demo_2", "demo_5"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return fake_demos.shared(tmp_path_factory)


def from_suite(suite, *names):
    """Attributes of the file, and of the named demonstrations, say that they come from a suite."""

    def change(file):
        known = json.loads(file["data"].attrs["env_args"])
        file["data"].attrs["env_args"] = json.dumps(known | {"env_kwargs": {"hand": "g0r", "suite": suite}})
        for name in names:
            file[f"data/{name}"].attrs["suite"] = suite

    return change


def test_one_demonstration_of_another_suite_does_not_hide_among_training(good, tmp_path):
    def stray(file):
        wooden(FIRST)(file)
        file[f"data/{FIRST}"].attrs["suite"] = "seen_objects"

    result = examine.examine(broken(good, tmp_path, stray), sample=0)
    assert [(f.invariant, f.demo) for f in result.findings] == [("training", FIRST)]
    assert result.findings[0].problem == "a scene of suite seen_objects; table of the tests: wood"
    assert result.checked["training"] == 2


@pytest.mark.parametrize("claimed", ["file", "demonstration"])
def test_suites_of_a_user_s_own_objects_are_training_data_too(good, tmp_path, claimed):
    def change(file):
        wooden(FIRST)(file)
        from_suite("seen_objects", FIRST, SECOND)(file)
        from_suite("user:blue_mug", *([] if claimed == "file" else [SECOND]))(file)

    result = examine.examine(broken(good, tmp_path, change), sample=0)
    faulty = {FIRST, SECOND} if claimed == "file" else {FIRST}
    assert {f.demo for f in result.findings if f.invariant == "training"} == faulty
    assert result.not_for_training == ""


def test_a_file_of_a_benchmark_is_said_to_be_no_training_data(good, tmp_path, capsys):
    def change(file):
        wooden(FIRST)(file)
        from_suite("unseen_objects", FIRST, SECOND)(file)

    path = broken(good, tmp_path, change)
    code, told = audited(path, capsys, "--sample", "0")
    assert code == 0
    assert "no training data: holds benchmark scenes (2 of 2), test looks (1 of 2)" in told
    for card in (path.with_suffix(".md"), path.with_suffix(".html")):
        assert "No training data" in card.read_text()
        assert "benchmark scenes (2 of 2), test looks (1 of 2)" in card.read_text()
    code, told = audited(path, capsys, "--sample", "0", "--training")
    assert code == 1
    assert f"training {path}, {FIRST}: a scene of suite unseen_objects; table of the tests: wood" in told
    assert f"training {path}, {SECOND}: a scene of suite unseen_objects" in told
    assert "No training data" not in path.with_suffix(".md").read_text()


def test_training_data_passes_when_it_is_asked_to_be_such(good):
    result = examine.examine(good, sample=0, training=True)
    assert result.passed
    assert result.not_for_training == ""
