"""The benchmark command: same bytes for any worker count, nothing lost when it is stopped, clear refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_episodes import dies_at_birth, faulty, slow, steady, unbuildable

from assets import vulkan
from assets.gl import RenderingError
from benchmarks.journal import EPISODES, TIMING
from benchmarks.run import main

UNSEEN = ("--suite", "unseen_objects")
EXPERT = ("--policy", "expert")  # a later word takes its place


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*words: str, factory=steady) -> int:
    return main([*UNSEEN, *EXPERT, *words], factory)


def refused(capsys, *words: str, factory=steady) -> str:
    assert run(*words, factory=factory) == 2
    return capsys.readouterr().err


def rows(folder: str) -> list[dict]:
    return [json.loads(line) for line in Path(folder, EPISODES).read_text().splitlines()]


def started(folder: str, *words: str) -> subprocess.Popen:
    """The command with slow episodes, in a process group of its own as a shell would start it."""
    # A shell's background jobs, and all that they start, ignore SIGINT: the command shall hear it here all the same.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import benchmarks.run, fake_episodes as f; sys.exit(benchmarks.run.main(sys.argv[1:], f.slow))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, *UNSEEN, *EXPERT, "--workers", "2", "--out", folder, *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_rows(folder: str, count: int) -> None:
    path, deadline = Path(folder, EPISODES), time.monotonic() + 30
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.02)


def test_a_run_writes_rows_summary_and_report(capsys):
    assert run("--episodes", "30", "--first", "1000") == 0
    folder = "runs/unseen_objects-expert-1"
    table = rows(folder)
    assert [row["index"] for row in table] == list(range(1000, 1030))
    assert all("wall_s" not in row for row in table)
    summary = json.loads(Path(folder, "summary.json").read_text())
    won = sum(row["success"] for row in table)
    assert 0 < won < 30
    assert (summary["suite"], summary["version"], summary["policy"]) == ("unseen_objects", 1, "expert")
    assert (summary["n"], summary["successes"], summary["errors"], summary["first"]) == (30, won, 0, 1000)
    assert summary["success_rate"] == won / 30
    assert summary["ci_low"] < won / 30 < summary["ci_high"]
    assert sum(summary["outcomes"].values()) == 30
    assert summary["privileged"] == ["simulator"]
    assert summary["wall_seconds"] > 0
    assert {"mujoco", "numpy", "python", "dexclutter"} <= summary["versions"].keys()
    assert "<!doctype html>" in Path(folder, "report.html").read_text()
    printed = capsys.readouterr().out
    assert f"({won}/30, 95 % interval" in printed
    assert "privileged" in printed


def test_the_rows_are_the_same_bytes_for_any_number_of_workers():
    assert run("--episodes", "12", "--workers", "1", "--out", "one") == 0
    assert run("--episodes", "12", "--workers", "2", "--out", "two") == 0
    assert Path("one", EPISODES).read_bytes() == Path("two", EPISODES).read_bytes()
    assert [json.loads(line)["index"] for line in Path("two", TIMING).read_text().splitlines()] == list(range(12))


def test_a_killed_run_is_resumed_to_the_same_bytes():
    assert run("--episodes", "24", "--out", "whole") == 0
    process = started("killed", "--episodes", "24")
    wait_for_rows("killed", 6)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    with Path("killed", EPISODES).open("a") as file:
        file.write('{"suite": "unseen_objects", "ind')  # the line that was being written
    kept = Path("killed", EPISODES).read_bytes().count(b"\n")
    assert 6 <= kept < 24
    Path("begun").unlink()
    assert main([*UNSEEN, *EXPERT, "--episodes", "24", "--out", "killed", "--resume"], slow) == 0
    assert len(Path("begun").read_text().split()) == 24 - kept
    assert Path("killed", EPISODES).read_bytes() == Path("whole", EPISODES).read_bytes()
    assert Path("killed", "summary.json").exists()


def test_control_c_keeps_what_is_done_and_says_how_to_go_on():
    process = started("stopped", "--episodes", "200")
    wait_for_rows("stopped", 3)
    os.killpg(process.pid, signal.SIGINT)
    printed, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume" in printed
    assert "--out stopped" in printed
    assert not Path("stopped", "summary.json").exists()
    kept = len(rows("stopped"))
    assert kept >= 3
    assert run("--episodes", "200", "--out", "stopped", "--resume") == 0
    assert [row["index"] for row in rows("stopped")] == list(range(200))


def test_a_resumed_run_may_grow_but_not_shrink(capsys):
    assert run("--episodes", "6", "--out", "grown") == 0
    assert "outside 0 to 3" in refused(capsys, "--episodes", "4", "--out", "grown", "--resume")
    assert run("--episodes", "9", "--out", "grown", "--resume") == 0
    assert len(rows("grown")) == 9


def test_errors_are_shown_not_scored_and_played_again_on_resume(capsys):
    assert run("--episodes", "5", "--out", "errors", factory=faulty) == 1
    assert "1 of 5 episodes lost" in capsys.readouterr().out
    summary = json.loads(Path("errors", "summary.json").read_text())
    assert (summary["errors"], summary["n"], summary["successes"]) == (1, 4, 4)
    assert summary["success_rate"] == 1.0
    assert "fell through the table" in rows("errors")[3]["error"]
    assert "fell through the table" in Path("errors", "report.html").read_text()
    assert run("--episodes", "5", "--out", "errors", "--resume") == 0
    assert [row["outcome"] == "error" for row in rows("errors")] == [False] * 5


def test_a_folder_in_use_is_refused_with_what_to_do(capsys):
    assert run("--episodes", "2", "--out", "used") == 0
    message = refused(capsys, "--episodes", "2", "--out", "used")
    assert "used is not empty" in message
    assert "--resume" in message
    Path("foreign").mkdir()
    Path("foreign", "thesis.txt").touch()
    assert "foreign is not empty" in refused(capsys, "--out", "foreign")
    assert "holds no run" in refused(capsys, "--out", "foreign", "--resume")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--policy", "random"), "policy is 'expert' there and 'random' here"),
        (("--attempts", "3"), "attempts is 1 there and 3 here"),
        (("--hand", "rh56"), "hand is 'g0r' there and 'rh56' here"),
        (("--suite", "seen_objects"), "suite is 'unseen_objects' there and 'seen_objects' here"),
        (("--record", "demos.h5"), "record is None there and 'demos.h5' here"),
    ],
)
def test_a_run_is_not_resumed_as_another(capsys, words, what):
    assert run("--episodes", "1", "--out", "mine") == 0
    assert what in refused(capsys, "--episodes", "1", "--out", "mine", "--resume", *words)


def test_a_damaged_row_is_named(capsys):
    assert run("--episodes", "3", "--out", "damaged") == 0
    path = Path("damaged", EPISODES)
    path.write_text(path.read_text().replace('"suite"', "suite", 1))
    assert "episodes.jsonl, line 1 cannot be read" in refused(capsys, "--out", "damaged", "--resume")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--suite", "moon"), "unknown suite 'moon'; choose one of: adversarial, "),
        (("--policy", "oracle"), "unknown policy 'oracle'; choose from: default, expert, hold-still, random"),
        (("--hand", "claw"), "unknown hand 'claw'; choose from: g0r, rh56"),
        (("--episodes", "0"), "--episodes must be at least 1, got 0"),
        (("--first", "-1"), "--first must be at least 0, got -1"),
        (("--workers", "0"), "--workers must be at least 1, got 0"),
        (("--attempts", "0"), "--attempts must be at least 1, got 0"),
    ],
)
def test_bad_wishes_are_refused_before_anything_is_written(capsys, words, message):
    assert message in refused(capsys, *words)
    assert list(Path().iterdir()) == []


def test_unknown_words_on_the_command_line_end_with_code_2():
    with pytest.raises(SystemExit) as caught:
        run("--speed", "fast")
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("factory", "reason"), [(unbuildable, "no library for unseen_objects"), (dies_at_birth, "die while starting")]
)
def test_workers_that_cannot_start_stop_the_run_and_point_to_the_doctor(capsys, factory, reason):
    assert run("--episodes", "3", factory=factory) == 1
    message = capsys.readouterr().err
    assert reason in message
    assert "benchmarks.doctor" in message


def test_two_runs_do_not_write_to_one_folder(capsys):
    process = started("shared", "--episodes", "100")
    wait_for_rows("shared", 1)
    message = refused(capsys, "--episodes", "100", "--out", "shared", "--resume")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert "another process is writing to shared" in message


def test_folders_are_numbered_and_the_last_one_is_resumed():
    assert run("--episodes", "2") == 0
    assert run("--episodes", "2") == 0
    assert run("--episodes", "3", "--resume") == 0
    assert [len(rows(f"runs/unseen_objects-expert-{n}")) for n in (1, 2)] == [2, 3]


def test_without_vulkan_nothing_of_renderer_shift_is_begun_by_who_looks(capsys, monkeypatch):
    def missing():
        raise RenderingError("there is no Vulkan driver here")

    monkeypatch.setattr(vulkan, "load", missing)
    few = ("--suite", "renderer_shift", "--episodes", "2", "--workers", "1")
    message = refused(capsys, *few, "--policy", "default")
    assert "sees in renderer_shift is drawn by Filament, which needs Vulkan: there is no Vulkan driver here" in message
    assert not Path("runs").exists()
    assert run(*few) == 0  # the expert does not look


def test_an_existing_file_of_demonstrations_is_not_written_over(capsys):
    Path("demos.h5").write_bytes(b"somebody's work")
    assert "demos.h5 exists already" in refused(capsys, "--record", "demos.h5")
    assert Path("demos.h5").read_bytes() == b"somebody's work"
