"""Runs that may end early: after the same episodes for any number of workers, with nothing left of later ones."""

import json
import sys
from pathlib import Path

import pytest
from fake_episodes import fake_result, faulty, filming, steady

from benchmarks.ending import Ending
from benchmarks.evaluate import Plan, error_result
from benchmarks.journal import EPISODES, MEDIA, RUN, SUMMARY, TIMING
from benchmarks.run import main

UNSEEN = ("--suite", "unseen_objects", "--policy", "expert")
PLAN = Plan(suite="unseen_objects", version=1, policy="expert", hand="g0r")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(folder) -> list[dict]:
    return [json.loads(line) for line in Path(folder, EPISODES).read_text().splitlines()]


class Rule:
    """A rule that is easy to foresee: look after every second row, stop after six, and an interval like no other."""

    def __init__(self, width: float, total: int) -> None:
        self.width, self.total = width, total
        self.checkpoints = (*range(2, total, 2), total)

    def interval(self, successes: int, n: int) -> tuple[float, float]:
        return 0.125, 0.125 + self.width / 2 if n == 6 else 0.875

    def done(self, successes: int, n: int) -> bool:
        assert n in self.checkpoints
        assert 0 <= successes <= n
        return n >= min(6, self.total)


@pytest.fixture(autouse=True)
def foreseen(monkeypatch):
    module = type(sys)("benchmarks.adaptive")
    module.Stopper = Rule
    monkeypatch.setitem(sys.modules, "benchmarks.adaptive", module)


def test_a_run_ends_after_the_same_episodes_for_any_number_of_workers(capsys):
    for workers in ("1", "2"):
        words = [*UNSEEN, "--episodes", "30", "--first", "1000", "--adaptive", "0.2", "--video", "30"]
        assert main([*words, "--workers", workers, "--out", workers], filming) == 0
    assert [row["index"] for row in rows("1")] == list(range(1000, 1006))
    assert Path("1", EPISODES).read_bytes() == Path("2", EPISODES).read_bytes()
    for folder in ("1", "2"):
        films = sorted(path.name for path in Path(folder, MEDIA).glob("*.mp4"))
        assert films == [f"{index:06d}.mp4" for index in range(1000, 1006)]  # those begun beyond the end are gone
        assert len(Path(folder, TIMING).read_text().splitlines()) == 6
        summary = json.loads(Path(folder, SUMMARY).read_text())
        assert (summary["n"], summary["ci_low"], summary["ci_high"]) == (6, 0.125, pytest.approx(0.225))
        assert (summary["adaptive_width"], summary["adaptive_total"]) == (0.2, 30)
        page = Path(folder, "report.html").read_text()
        assert "12.5 to 22.5 %" in page
        assert "Wilson" not in page
    assert "after 6 of 30 episodes" in capsys.readouterr().out


def test_a_run_that_ended_early_has_nothing_to_resume_and_is_resumed_as_such_alone(capsys):
    words = [*UNSEEN, "--episodes", "30", "--adaptive", "0.2", "--out", "early"]
    assert main(words, steady) == 0
    before = Path("early", EPISODES).read_bytes()
    assert main([*words, "--resume"], steady) == 0
    assert Path("early", EPISODES).read_bytes() == before
    assert json.loads(Path("early", RUN).read_text())["adaptive_total"] == 30
    assert main([*UNSEEN, "--episodes", "30", "--out", "early", "--resume"], steady) == 2
    assert "adaptive_width is 0.2 there and 0.0 here" in capsys.readouterr().err


def test_the_end_is_looked_for_in_the_order_of_the_indices_alone():
    ending = Ending(0.2, range(10, 30))
    played = {index: fake_result(PLAN, index, "success") for index in range(11, 30)}
    assert ending.prefix(played) is None  # the first one is still out
    played[10] = fake_result(PLAN, 10, "missed")
    assert ending.prefix(played) == range(10, 16)
    played[12] = error_result(PLAN, 12, "gone")  # not scored: one more is needed
    assert ending.prefix(played) == range(10, 17)
    assert Ending(None, range(3)).prefix(played) is None


def test_a_run_that_is_never_sure_is_played_to_the_end():
    assert main([*UNSEEN, "--episodes", "5", "--adaptive", "0.2", "--out", "short"], faulty) == 1
    assert len(rows("short")) == 5
    assert json.loads(Path("short", SUMMARY).read_text())["n"] == 4
