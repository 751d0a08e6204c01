"""The command: layout of what it writes, resuming, errors kept apart, and nothing lost whatever happens to it."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from datagen import engines, generate, generator, pool
from datagen.content import content_hash
from datagen.generator import Generator, JobResult, Product, error_result
from datagen.jobs import Request, RequestError
from datagen.ledger import Ledger
from datagen.storage import FAILED, DemoFile, StorageError

ROOT = Path(__file__).parent.parent
QUICK = ["--hold-seconds", "1", "--recovery", "0", "--workers", "1"]
STATES = [*QUICK, "--cameras", "none"]


def command(out: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "datagen.generate", "--out", str(out), *words]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def played_here(request, path, indices, workers):
    """The local engine without its processes."""
    del workers
    maker = Generator(request)
    for index in indices:
        product = maker.make(index)
        engines.keep(path, product)
        yield product.result


def pretended(request, path, indices, workers):
    """An engine that plays nothing: index 2 fails, index 3 is an error until it is asked for again."""
    del workers
    from test_datagen_storage import make_demo

    for index in indices:
        if index == 3 and not (path.parent / "again").exists():
            (path.parent / "again").touch()
            yield error_result(index, "Traceback: it broke")
            continue
        success = index != 2
        if success or request.keep_failures:
            demo = replace(make_demo(index), success=success, outcome="success" if success else "dropped")
            DemoFile(path).write(demo, "data" if success else FAILED)
        yield JobResult(index, "success" if success else "dropped", success, "none", 1, 5)


@pytest.fixture
def pretending(monkeypatch):
    monkeypatch.setattr(generate, "run_local", pretended)


def test_a_dataset_has_the_fixed_layout(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(generate, "run_local", played_here)
    out = tmp_path / "demos.h5"
    words = ["--out", str(out), "--episodes", "2", "--first", "5", "--image-size", "48x32", *QUICK]
    assert generate.main(words) == 0
    assert "2 demonstrations" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["demos.h5"]
    with h5py.File(out) as raw:
        data = raw["data"]
        assert data.attrs["format"] == "dexclutter-demos/1"
        known = json.loads(data.attrs["env_args"])
        assert (known["env_name"], known["type"]) == ("DexClutter/Grasp-v0", 2)
        assert json.loads(data.attrs["names"])["cameras"].keys() == {"head", "wrist"}
        assert data.attrs["total"] == sum(demo.attrs["num_samples"] for demo in data.values())
        assert sorted(data) == ["demo_5", "demo_6"]
        for demo in data.values():
            _check_demo(demo)
        subsets = {name: set(raw["mask"][name].asstr()[()]) for name in raw["mask"]}
        assert subsets["train"] | subsets["valid"] == set(data)
        assert not subsets["train"] & subsets["valid"]
        assert raw["jobs/index"][()].tolist() == [5, 6]


def _check_demo(demo):
    steps = demo.attrs["num_samples"]
    assert demo.attrs["success"]
    assert demo.attrs["outcome"] in ("success", "disturbed")
    assert len(set(json.loads(demo.attrs["phrasings"]))) >= 3
    assert demo.attrs["instruction"] in json.loads(demo.attrs["phrasings"])
    assert demo.attrs["expression"].startswith("the ")
    assert json.loads(demo.attrs["spec"])["objects"][0]["object_id"] == demo.attrs["target"]
    shapes = {"actions": (13,), "rewards": (), "dones": (), "phases": (), "obs/state": (13,), "obs/box": (4,)}
    shapes |= {"obs/head": (32, 48, 3), "obs/wrist": (32, 48, 3), "obs/mask": (32, 48)}
    for key, tail in shapes.items():
        assert demo[key].shape == (steps, *tail), key
    for key in ("obs/head", "obs/wrist", "obs/mask"):
        assert demo[key].chunks == (1, *shapes[key])
        assert demo[key].compression == "gzip"
    assert demo["states"].dtype == np.float64
    assert demo["actions"].dtype == np.float32
    assert demo["dones"][()].tolist() == [False] * (steps - 1) + [True]
    assert demo["rewards"][()].sum() == demo["rewards"][-1] == 1
    assert set(np.unique(demo["obs/mask"])) <= {0, 1}
    assert demo["obs/mask"][0].any()


def test_errors_are_kept_apart_and_tried_again(tmp_path, pretending, capsys):
    out = tmp_path / "demos.h5"
    words = ["--out", str(out), "--episodes", "5"]
    assert generate.main(words) == 1
    assert "1 scenes were lost by errors of ours" in capsys.readouterr().out
    (line,) = (tmp_path / "demos.h5.errors.jsonl").read_text().splitlines()
    assert json.loads(line) == {"index": 3, "error": "Traceback: it broke"}
    assert DemoFile(out).names() == ["demo_0", "demo_1", "demo_4"]
    assert generate.main([*words, "--resume"]) == 0
    assert DemoFile(out).names() == ["demo_0", "demo_1", "demo_3", "demo_4"]
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole" / "again").touch()
    whole = tmp_path / "whole" / "demos.h5"
    assert generate.main(["--out", str(whole), "--episodes", "5"]) == 0
    assert content_hash(whole) == content_hash(out)


def test_a_finished_dataset_grows_into_what_a_longer_run_would_have_made(tmp_path, pretending):
    (tmp_path / "again").touch()
    short, long = tmp_path / "short.h5", tmp_path / "long.h5"
    assert generate.main(["--out", str(short), "--episodes", "3"]) == 0
    assert generate.main(["--out", str(long), "--episodes", "6"]) == 0
    assert content_hash(short) != content_hash(long)
    assert generate.main(["--out", str(short), "--episodes", "6", "--resume"]) == 0
    assert content_hash(short) == content_hash(long)
    assert generate.main(["--out", str(short), "--episodes", "6", "--resume"]) == 0
    assert content_hash(short) == content_hash(long)
    assert not short.with_name("short.h5.parts").exists()


def test_failures_are_kept_apart_where_asked_for(tmp_path, pretending):
    out = tmp_path / "demos.h5"
    assert generate.main(["--out", str(out), "--episodes", "3", "--keep-failures"]) == 0
    file = DemoFile(out)
    assert (file.names(), file.names(FAILED)) == (["demo_0", "demo_1"], ["demo_2"])
    assert file.read("demo_2", FAILED).outcome == "dropped"
    assert file.jobs()["outcome"].tolist() == ["success", "success", "dropped"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--look-mix", "wood=1"], "unknown look 'wood'"),
        (["--suite", "nowhere"], "unknown suite 'nowhere'"),
        (["--workers", "0"], "--workers must be at least 1"),
        (["--resume"], "there is no .* to resume"),
        (["--cameras", "outside"], "unknown camera"),
    ],
)
def test_a_wrong_command_says_what_to_do(tmp_path, capsys, words, message):
    assert generate.main(["--out", str(tmp_path / "demos.h5"), *words]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_neither_overwritten_nor_mixed(tmp_path, pretending, capsys):
    (tmp_path / "again").touch()
    out = tmp_path / "demos.h5"
    words = ["--out", str(out), "--episodes", "3"]
    assert generate.main(words) == 0
    before = content_hash(out)
    assert generate.main(words) == 2
    assert "is there already; go on with it by --resume" in capsys.readouterr().err
    assert generate.main([*words, "--resume", "--seed", "7"]) == 2
    assert "seed is 0 there and 7 here" in capsys.readouterr().err
    assert generate.main(["--out", str(out), "--episodes", "2", "--resume"]) == 2
    assert "a resumed run may add scenes but not drop any" in capsys.readouterr().err
    assert content_hash(out) == before


def test_two_runs_do_not_share_a_file(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    first = Ledger(file, Request(), resume=False)
    with pytest.raises(RequestError, match="another process is writing"):
        Ledger(file, Request(), resume=True)
    first.close()
    Ledger(file, Request(), resume=True).close()


def test_a_torn_line_of_the_ledger_costs_one_job(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    ledger = Ledger(file, Request(episodes=3), resume=False)
    for index in range(2):
        ledger.append(JobResult(index, "missed", False, "none", 1, 300))
    ledger.close()
    path = file.parts / "ledger.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    again = Ledger(file, Request(episodes=3), resume=True)
    assert again.missing() == [1, 2]
    again.close()


def test_a_recorded_success_without_its_episode_is_played_again(tmp_path):
    file = DemoFile(tmp_path / "demos.h5")
    ledger = Ledger(file, Request(episodes=1), resume=False)
    ledger.append(JobResult(0, "success", True, "none", 1, 70))
    ledger.close()
    again = Ledger(file, Request(episodes=1), resume=True)
    assert again.missing() == [0]
    again.close()


def test_a_fault_in_one_episode_is_a_row_and_the_next_one_is_played(monkeypatch):
    maker = Generator(Request(hold_s=1.0, tolerant=False, cameras=(), recovery=0.0))
    real = generator.play
    monkeypatch.setattr(generator, "play", lambda *_: (_ for _ in ()).throw(ValueError("out of luck")))
    product = maker.make(5)
    assert product.result.outcome == "error"
    assert "out of luck" in product.result.error
    assert product.content is None
    monkeypatch.setattr(generator, "play", real)
    assert maker.make(5).result.success


class Killed:
    """Stands in for a generator in a worker: index 1 kills its process, every time."""

    def __init__(self, request):
        del request

    def make(self, index):
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return Product(JobResult(index, "missed", False, "none", 1, 3))


def test_a_worker_that_dies_costs_its_own_job_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(engines, "JobMaker", Killed)
    context = pool.multiprocessing.get_context("fork")  # so that the workers see the stand-in
    monkeypatch.setattr(pool.multiprocessing, "get_context", lambda _: context)
    results = {r.index: r for r in engines.run_local(Request(), tmp_path / "demos.h5", range(4), 2)}
    assert {i: r.outcome for i, r in results.items()} == {0: "missed", 1: "error", 2: "missed", 3: "missed"}
    assert "killed by SIGKILL" in results[1].error


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_and_the_content_is_the_same(tmp_path):
    whole, killed = tmp_path / "whole.h5", tmp_path / "killed.h5"
    words = ["--episodes", "5", *STATES]
    began = time.monotonic()
    subprocess.run(command(whole, *words), env=environment(), check=True, stdout=subprocess.DEVNULL)
    lasts = time.monotonic() - began
    kept: set[str] = set()
    for share in (0.75, 0.9):
        resume = ["--resume"] if killed.with_name("killed.h5.parts").exists() else []
        process = subprocess.Popen(command(killed, *words, *resume), env=environment(), stdout=subprocess.DEVNULL)
        time.sleep(share * lasts)
        process.kill()
        process.wait()
        names = set(DemoFile(killed).names())
        assert kept <= names
        for name in names:
            assert DemoFile(killed).read(name).success
        kept = names
    assert kept  # else the moments of death would prove nothing
    resumed = subprocess.run(
        command(killed, *words, "--resume"), env=environment(), check=False, capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stderr
    assert content_hash(killed) == content_hash(whole)


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path):
    out = tmp_path / "demos.h5"
    words = command(out, "--episodes", "3", *STATES)

    def small_files_only():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    stopped = subprocess.run(
        words, env=environment(), check=False, capture_output=True, text=True, preexec_fn=small_files_only
    )
    assert stopped.returncode == 1
    assert "cannot be written" in stopped.stderr
    assert "--resume" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert not list(tmp_path.rglob("*demo_*"))  # nothing half written stays behind
    assert subprocess.run([*words, "--resume"], env=environment(), check=False, capture_output=True).returncode == 0
    assert DemoFile(out).names() == ["demo_0", "demo_1", "demo_2"]


def test_without_room_to_join_everything_stays_where_it_is(tmp_path, pretending, monkeypatch, capsys):
    out = tmp_path / "demos.h5"
    (tmp_path / "again").touch()
    with monkeypatch.context() as patch:
        patch.setattr("datagen.storage.shutil.disk_usage", lambda _: type("Usage", (), {"free": 10})())
        assert generate.main(["--out", str(out), "--episodes", "4"]) == 1
    said = capsys.readouterr().err
    assert "3 finished demonstrations are kept" in said
    assert "--episodes 4 --resume" in said
    assert not out.exists()
    assert DemoFile(out).names() == ["demo_0", "demo_1", "demo_3"]
    assert generate.main(["--out", str(out), "--episodes", "4", "--resume"]) == 0
    assert DemoFile(out).names() == ["demo_0", "demo_1", "demo_3"]


def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path, monkeypatch, capsys):
    (tmp_path / "again").touch()
    out = tmp_path / "demos.h5"

    def interrupted(*arguments):
        for number, result in enumerate(pretended(*arguments)):
            if number == 2:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(generate, "run_local", interrupted)
    assert generate.main(["--out", str(out), "--episodes", "5"]) == 130
    assert re.search(r"2 of 5 scenes are done; go on with\s+python -m datagen.generate", capsys.readouterr().out)
    monkeypatch.setattr(generate, "run_local", pretended)
    assert generate.main(["--out", str(out), "--episodes", "5", "--resume"]) == 0


def test_a_damaged_file_is_named(tmp_path, capsys):
    out = tmp_path / "demos.h5"
    out.write_text("not HDF5")
    assert generate.main(["--out", str(out), "--resume"]) == 1
    assert f"{out} is no HDF5 file" in capsys.readouterr().err
    with pytest.raises(StorageError):
        DemoFile(out).names()
