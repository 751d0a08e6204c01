"""One suite on one worker, two, a Ray cluster, or in shards: the same bytes; and shards that do not fit are refused."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fake_episodes import faulty, filming, slow, steady

from benchmarks import merge
from benchmarks.errors import UsageError
from benchmarks.journal import EPISODES, MEDIA, REPORT, RUN, SUMMARY, TIMING
from benchmarks.run import main
from benchmarks.shards import Shard, parse_shard

ROOT = Path(__file__).parent.parent
UNSEEN = ("--suite", "unseen_objects", "--policy", "expert", "--workers", "1")
FEW = ("--first", "2", "--episodes", "3", "--video", "1")
RAY_LIMIT_S = 200


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(out: str, *words: str, factory=steady) -> str:
    assert main([*UNSEEN, "--out", out, *words], factory) == 0
    return out


def shards(of: int, *words: str, factory=steady) -> list[str]:
    return [run(f"part{i}", "--shard", f"{i}/{of}", *words, factory=factory) for i in range(1, of + 1)]


def contents(folder: str) -> dict[str, bytes]:
    """What decides a run's figures; wall-clock times and the page that shows them are others each time."""
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in files
        if path.name not in (".lock", TIMING, SUMMARY, REPORT)
    }


def figures(folder: str) -> dict:
    summary = json.loads(Path(folder, SUMMARY).read_text())
    del summary["wall_seconds"]
    return summary


def refused(capsys, *folders: str) -> str:
    assert merge.main(["merged", *folders]) == 2
    assert not Path("merged").exists()
    return capsys.readouterr().err


def on_ray(runs: dict[str, str], *words: str) -> tuple[dict[str, int], str]:
    """Exit codes of some runs, folder -> factory, on one cluster of Ray's own, and what they say.

    In a process of its own: Ray aborts in one that has loaded CoACD, as other tests do. Beside it lies what a cluster
    leaves behind that has crashed: nobody shall wait for that one.
    """
    code = (
        "import json, sys, fake_episodes, benchmarks.worker\nfrom benchmarks.run import main\n"
        f"runs, words = {runs!r}, {[*UNSEEN, '--engine', 'ray', *words]!r}\n"
        "codes = {out: main([*words, '--out', out], eval(factory)) for out, factory in runs.items()}\n"
        "print(json.dumps(codes))"
    )
    command = [sys.executable, "-c", code]
    with tempfile.TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as home:  # short, for the names of sockets
        Path(home, "ray").mkdir()
        Path(home, "ray", "ray_current_cluster").write_text("192.0.2.1:6379")
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_TMPDIR": home,
        }
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=RAY_LIMIT_S
        )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return json.loads(ended.stdout.splitlines()[-1]), ended.stderr


needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is an extra: install with the extra 'ray'"
)


def test_merged_shards_equal_the_whole_run():
    asked = ("--episodes", "11", "--first", "1000", "--video", "4")
    whole, parts = run("whole", *asked, factory=filming), shards(3, *asked, factory=filming)
    assert sorted(len(Path(part, EPISODES).read_text().splitlines()) for part in parts) == [3, 4, 4]
    assert merge.main(["merged", parts[2], parts[0], parts[1]]) == 0
    assert contents("merged") == contents(whole)
    assert any(name.startswith(MEDIA) for name in contents("merged"))
    assert figures("merged") == figures(whole)
    assert "<!doctype html>" in Path("merged", REPORT).read_text()
    indices = [json.loads(line)["index"] for line in Path("merged", TIMING).read_text().splitlines()]
    assert indices == list(range(1000, 1011))
    wall = [json.loads(Path(folder, SUMMARY).read_text())["wall_seconds"] for folder in (*parts, "merged")]
    assert wall[3] == pytest.approx(sum(wall[:3]), abs=0.01)


def test_a_shard_says_what_it_is_and_the_merged_run_does_not():
    shards(2, "--episodes", "4")
    assert json.loads(Path("part2", RUN).read_text())["shard"] == {"number": 2, "of": 2, "first": 0, "episodes": 4}
    assert [json.loads(line)["index"] for line in Path("part2", EPISODES).read_text().splitlines()] == [1, 3]
    assert merge.main(["merged", "part1", "part2"]) == 0
    assert json.loads(Path("merged", RUN).read_text())["shard"] is None


def test_a_merged_run_goes_on_as_a_whole_one():
    shards(2, "--episodes", "4")
    assert merge.main(["merged", "part1", "part2"]) == 0
    run("merged", "--episodes", "6", "--resume")
    assert contents("merged") == contents(run("whole", "--episodes", "6"))


def test_errors_among_the_rows_are_merged_and_told(capsys):
    for i in (1, 2):
        code = main([*UNSEEN, "--episodes", "5", "--shard", f"{i}/2", "--out", f"part{i}"], faulty)
        assert code == (1 if i == 2 else 0)  # episode 3
    assert merge.main(["merged", "part1", "part2"]) == 1
    assert figures("merged")["errors"] == 1


def test_a_missing_shard_is_named(capsys):
    shards(3, "--episodes", "6")
    assert "shard 2 of 3 is missing; there are only part1, part3" in refused(capsys, "part1", "part3")


def test_a_double_shard_is_named(capsys):
    shards(2, "--episodes", "4")
    shutil.copytree("part1", "again")
    assert "again and part1 are both shard 1/2" in refused(capsys, "part1", "part2", "again")
    assert "part2 is named more than once" in refused(capsys, "part1", "part2", "part2")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--policy", "random"), "policy is 'expert' there and 'random' here"),
        (("--hand", "rh56"), "hand is 'g0r' there and 'rh56' here"),
        (("--first", "1"), "it is shard 2/2 of episodes 1 to 4"),
        (("--shard", "2/3"), "it is shard 2/3 of episodes 0 to 3"),
    ],
)
def test_shards_of_other_runs_are_named(capsys, words, what):
    run("part1", "--episodes", "4", "--shard", "1/2")
    run("other", "--episodes", "4", "--shard", "2/2", *words)
    message = refused(capsys, "part1", "other")
    assert "other is a shard of another run than part1" in message
    assert what in message


def test_whole_runs_and_folders_without_a_run_are_no_shards(capsys):
    run("part1", "--episodes", "4", "--shard", "1/2")
    run("whole", "--episodes", "4")
    assert "whole is a whole run and no shard of one" in refused(capsys, "part1", "whole")
    assert "nowhere holds no run" in refused(capsys, "part1", "nowhere")


def test_an_unfinished_shard_is_named(capsys):
    shards(2, "--episodes", "4")
    path = Path("part2", EPISODES)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert "part2 is unfinished (1 of 2 episodes); go on with it by --resume" in refused(capsys, "part1", "part2")


def test_a_shard_is_resumed_as_the_same_shard_alone(capsys):
    run("part", "--episodes", "4", "--shard", "1/2")
    assert main([*UNSEEN, "--episodes", "4", "--shard", "2/2", "--out", "part", "--resume"], slow) == 2
    told = capsys.readouterr().err
    assert "shard is 1/2 of episodes 0 to 3 there and 2/2 of episodes 0 to 3 here" in told


def test_nothing_is_written_over(capsys):
    shards(2, "--episodes", "4")
    Path("merged").mkdir()
    Path("merged", "thesis.txt").touch()
    assert merge.main(["merged", "part1", "part2"]) == 2
    assert "merged is not empty" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["0/3", "4/3", "1", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_shard_is_refused(words):
    with pytest.raises(UsageError, match="1 <= i <= n"):
        parse_shard(words, range(10))


def test_more_shards_than_episodes_are_refused():
    with pytest.raises(UsageError, match="only 2 episodes to share"):
        parse_shard("1/3", range(2))


def test_shards_share_every_episode_once():
    parts = [parse_shard(f"{i}/7", range(40, 60)) for i in range(1, 8)]
    assert sorted(index for part in parts for index in part.indices) == list(range(40, 60))
    assert str(parts[1]) == "2/7 of episodes 40 to 59"
    assert parts[1] == Shard(2, 7, 40, 20)


def test_without_ray_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*UNSEEN, "--episodes", "1", "--engine", "ray"], steady) == 2
    assert "install this package with the extra 'ray'" in capsys.readouterr().err
    assert list(Path().iterdir()) == []


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory) -> dict[str, bytes]:
    """What the expert leaves of a few episodes that one worker plays."""
    folder = tmp_path_factory.mktemp("one") / "run"
    assert main([*UNSEEN, *FEW, "--out", str(folder)]) == 0
    found = contents(str(folder))
    assert found[EPISODES].count(b"\n") == 3
    return found


@pytest.mark.slow
def test_the_expert_s_rows_are_the_same_bytes_with_two_workers_and_in_three_shards(one_worker):
    assert main([*UNSEEN, *FEW, "--workers", "2", "--out", "two"]) == 0
    assert contents("two") == one_worker
    for i in (1, 2, 3):
        assert main([*UNSEEN, *FEW, "--shard", f"{i}/3", "--out", f"part{i}"]) == 0
    assert merge.main(["merged", "part1", "part2", "part3"]) == 0
    assert contents("merged") == one_worker


@needs_ray
@pytest.mark.slow
def test_on_ray_rows_and_pictures_are_the_same_and_a_fault_costs_its_own_episode(one_worker):
    fakes = {name: f"fake_episodes.{name}" for name in ("filming", "faulty", "unbuildable")}
    codes, told = on_ray({"expert": "benchmarks.worker.make_runner", **fakes}, *FEW)
    assert codes == {"expert": 0, "filming": 0, "faulty": 1, "unbuildable": 1}, told
    assert contents("expert") == one_worker
    assert contents("filming") == contents(run("here", *FEW, factory=filming))
    rows = {row["index"]: row for row in map(json.loads, Path("faulty", EPISODES).read_text().splitlines())}
    assert [rows[i]["outcome"] == "error" for i in (2, 3, 4)] == [False, True, False]
    assert "fell through the table" in rows[3]["error"]
    assert "no library for unseen_objects" in told
