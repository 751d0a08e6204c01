"""The list of suites: all of them, with sizes and axes, and a refusal in words."""

import json

import pytest

from benchmarks.list import levels, main
from benchmarks.suites import Suite, axis_levels, expert_minutes, get_suite, suite_names
from envs.episode import make_episode


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "220")


def test_it_shows_every_suite_with_size_version_axes_and_time(capsys):
    assert main([]) == 0
    rows, name = {}, ""
    for cells in (line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if line.startswith("│")):
        name = cells[0].strip() or name  # a row may take several lines
        before = rows.get(name, [""] * len(cells))
        rows[name] = [f"{so_far} {cell.strip()}".strip() for so_far, cell in zip(before, cells, strict=True)]
    for suite in map(get_suite, suite_names()):
        _, size, version, axes, description, time = rows[suite.name]
        assert (size, version, description) == (f"{suite.size:,}", str(suite.version), suite.description)
        assert time.endswith(" min")
        assert all(f"{axis} ({len(levels(suite, axis))})" in axes for axis in suite.axes)


def test_it_shows_the_levels_of_one_suite(capsys):
    assert main(["generalization"]) == 0
    shown = capsys.readouterr().out
    assert "1287 episodes" in shown
    for level, count in (("pink_towel", 103), ("disco", 103), ("unseen_backgrounds", 618)):
        assert any(level in line and str(count) in line for line in shown.splitlines())


def test_an_unknown_suite_is_refused_with_the_choices(capsys):
    assert main(["unseen"]) == 2
    error = capsys.readouterr().err
    assert "unknown suite 'unseen'" in error
    assert "unseen_lighting" in error


def test_a_file_of_episodes_is_a_suite_without_axes(tmp_path, capsys):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([make_episode("density", index).as_dict() for index in (4, 1)]))
    assert main([str(path)]) == 0
    assert "2 episodes" in capsys.readouterr().out.replace("\n", " ")
    suite = get_suite(str(path))
    assert (suite.size, suite.axes, axis_levels(suite, 1)) == (2, (), {})


def test_time_grows_with_episodes_and_shrinks_with_cores():
    suite = Suite("x", 1, 120, "")
    assert expert_minutes(suite, 2) == pytest.approx(expert_minutes(suite, 1) / 2)
    assert expert_minutes(Suite("x", 1, 240, ""), 2) == pytest.approx(expert_minutes(suite, 1))
    assert expert_minutes(get_suite("smoke"), 2) < 1
