"""What can be asked of a run: several suites at once, one episode alone; and what cannot."""

import json
from pathlib import Path

import pytest
from fake_episodes import faulty, filming, steady

from benchmarks.board import BOARD
from benchmarks.journal import EPISODES, MEDIA, SUMMARY
from benchmarks.options import Options, asked_suites, resume_command
from benchmarks.run import main
from benchmarks.suites import suite_names

EXPERT = ("--policy", "expert", "--workers", "1")
UNSEEN = ("--suite", "unseen_objects", *EXPERT)
BOTH = ("--suite", "unseen_objects,seen_objects", *EXPERT)


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(capsys, *words: str) -> str:
    assert main(list(words), steady) == 2
    assert list(Path().iterdir()) == []
    return capsys.readouterr().err


def rows(folder) -> list[dict]:
    return [json.loads(line) for line in Path(folder, EPISODES).read_text().splitlines()]


def test_suites_are_played_one_after_the_other_with_a_table_and_a_board_at_the_end(capsys):
    assert main([*BOTH, "--episodes", "3"], steady) == 0
    folder = Path("runs/suites-expert-1")
    for suite in ("unseen_objects", "seen_objects"):
        assert [row["suite"] for row in rows(folder / suite)] == [suite] * 3
        assert (folder / suite / SUMMARY).exists()
    told = capsys.readouterr().out
    assert told.rindex("unseen_objects v1") < told.rindex("seen_objects v1") < told.index(f"board {folder / BOARD}")
    page = (folder / BOARD).read_text()
    assert 'href="unseen_objects/report.html"' in page
    assert 'href="seen_objects/report.html"' in page
    assert main([*BOTH, "--episodes", "4", "--resume"], steady) == 0
    assert len(rows(folder / "seen_objects")) == 4


def test_a_stopped_run_of_several_suites_goes_on_where_it_was():
    assert main([*BOTH, "--episodes", "4", "--out", "whole"], steady) == 0
    assert main(["--suite", "unseen_objects", *EXPERT, "--episodes", "2", "--out", "half/unseen_objects"], steady) == 0
    assert main([*BOTH, "--episodes", "4", "--out", "half", "--resume"], steady) == 0
    for suite in ("unseen_objects", "seen_objects"):
        assert Path("half", suite, EPISODES).read_bytes() == Path("whole", suite, EPISODES).read_bytes()


def test_errors_in_one_suite_do_not_keep_the_next_from_being_played():
    assert main([*BOTH, "--episodes", "4", "--out", "faulty"], faulty) == 1
    assert len(rows("faulty/seen_objects")) == 4


def test_a_folder_with_something_else_is_not_filled(capsys):
    Path("mine").mkdir()
    Path("mine", "thesis.txt").touch()
    assert main([*BOTH, "--out", "mine"], steady) == 2
    assert "mine is not empty" in capsys.readouterr().err


def test_names_of_suites_are_told_apart_from_names_of_objects():
    of_policies = [name for name in suite_names() if not {"train", "planner"} & set(name.split("_"))]
    assert asked_suites("all") == tuple(of_policies)
    assert asked_suites("unseen_objects, train") == ("unseen_objects", "train")
    assert asked_suites("user:mug,cup,seen_objects") == ("user:mug,cup", "seen_objects")
    assert asked_suites("user:mug,user:cup") == ("user:mug", "user:cup")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--suite", "seen_objects,moon", *EXPERT), "unknown suite 'moon'"),
        (("--suite", "seen_objects,seen_objects", *EXPERT), "--suite names seen_objects more than once"),
        ((*BOTH, "--record", "demos.h5"), "--record keeps the demonstrations of one suite"),
        ((*UNSEEN, "--episode", "3", "--first", "2"), "--episode does not go with --first"),
        ((*UNSEEN, "--episode", "3", "--episodes", "2"), "--episode does not go with --episodes"),
        ((*UNSEEN, "--episode", "-1"), "--episode must be at least 0, got -1"),
        ((*UNSEEN, "--shard", "1/2", "--record", "demos.h5"), "--shard does not go with --record"),
        ((*UNSEEN, "--shard", "1/2", "--adaptive", "0.1"), "--adaptive does not go with --shard"),
        ((*UNSEEN, "--adaptive", "0.1", "--record", "demos.h5"), "--adaptive does not go with --record"),
        ((*UNSEEN, "--adaptive", "10"), "--adaptive must lie between 0 and 1 (0.1 for ten points), got 10"),
        ((*UNSEEN, "--shard", "3/2"), "--shard must be i/n with 1 <= i <= n"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_written(capsys, words, message):
    assert message in refused(capsys, *words)


def test_one_episode_is_played_again_with_its_film():
    assert main([*UNSEEN, "--episodes", "12", "--out", "whole"], filming) == 0
    assert main([*UNSEEN, "--episode", "7", "--video", "1", "--out", "one"], filming) == 0
    assert rows("one") == rows("whole")[7:8]
    assert Path("one", MEDIA, "000007.mp4").exists()


def test_the_words_that_go_on_with_a_run_ask_for_all_of_it():
    options = Options("a,b", policy="expert", shard="2/3", engine="ray", ray_address="host:1", adaptive=0.1, workers=3)
    assert resume_command(options, Path("there")) == (
        "python -m benchmarks.run --out there --suite a,b --policy expert --adaptive 0.1 --shard 2/3 --engine ray "
        "--ray-address host:1 --resume"
    )
