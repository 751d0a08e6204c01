"""The real thing, briefly: worker, environment and policies together."""

import json
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
from fake_episodes import fake_result

from assets import gl
from benchmarks import worker
from benchmarks.evaluate import Plan, evaluate
from benchmarks.journal import MEDIA, thumbnail_name, video_name
from benchmarks.policies import HoldStillPolicy
from benchmarks.run import main
from benchmarks.worker import checked, make_runner, physics_warnings, recorder
from datagen.examine import examine
from datagen.playback import renderer
from datagen.search import CLOSE, LIFT, PHASES, PREGRASP, REACH
from datagen.storage import DemoFile
from datagen.versions import versions
from envs.episode import make_episode

STILL = Plan(suite="unseen_objects", version=1, policy="hold-still", hand="g0r")


def without_wall_clock(results):
    return [replace(r, wall_s=0.0) for r in sorted(results, key=lambda r: r.index)]


def test_the_expert_s_episodes_do_not_depend_on_the_worker_that_plays_them():
    plan = replace(STILL, policy="expert")
    one = without_wall_clock(evaluate(plan, [4, 2], 1, make_runner))
    two = without_wall_clock(evaluate(plan, [2, 4], 2, make_runner))
    assert one == two
    assert [r.outcome == "error" for r in one] == [False, False]


def test_a_run_films_records_and_reports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["--suite", "unseen_objects", "--episodes", "2", "--first", "2", "--video", "1", "--record", "demos.h5"]
    assert main([*words, "--out", "run", "--policy", "expert"]) == 0
    rows = [json.loads(line) for line in Path("run/episodes.jsonl").read_text().splitlines()]
    steps = {row["index"]: row["steps"] for row in rows}
    assert {row["spec_hash"] for row in rows} == {make_episode("unseen_objects", index).hash for index in (2, 3)}
    assert Path("run", MEDIA, video_name(2)).stat().st_size > 10_000
    assert "data:video/mp4;base64," in Path("run/report.html").read_text()
    file = DemoFile("demos.h5")
    assert {name: len(file.read(name).actions) for name in file.names()} == {"demo_2": steps[2], "demo_3": steps[3]}
    assert file.env_args()["env_kwargs"]["suite"] == "unseen_objects"
    assert file.attribute("policy") == "expert"
    assert json.loads(file.attribute("names"))["phases"] == list(PHASES)


def test_what_the_expert_records_passes_the_audit_with_its_phases(tmp_path):
    plan = replace(STILL, policy="expert", suite="train", demos=str(tmp_path / "demos.h5"))
    run = make_runner(plan)
    assert [run(index).success for index in (2, 5)] == [True, True]
    DemoFile(plan.demos).finish({"env_kwargs": {"suite": "train", "hand": "g0r"}})
    found = examine(Path(plan.demos), sample=0)
    assert found.findings == []
    assert found.checked["phases"] == 2
    phases = DemoFile(plan.demos).read("demo_5").phases
    assert np.unique(phases).tolist() == [REACH, PREGRASP, CLOSE, LIFT]


@pytest.mark.parametrize("policy", ["random", "hold-still"])
def test_policies_that_grasp_nothing_leave_no_demonstrations(tmp_path, monkeypatch, capsys, policy):
    monkeypatch.chdir(tmp_path)
    assert main(["--suite", "unseen_objects", "--episodes", "1", "--policy", policy, "--record", "demos.h5"]) == 0
    assert "0 demonstrations in demos.h5" in capsys.readouterr().out
    assert DemoFile("demos.h5").names() == []


class Seeing(HoldStillPolicy):
    cameras = ("head", "wrist")


class Staged(HoldStillPolicy):
    phase_index = LIFT


@pytest.mark.parametrize(
    ("policy", "drawn", "phase"), [(HoldStillPolicy, False, -1), (Seeing, True, -1), (Staged, False, LIFT)]
)
def test_recordings_name_the_driver_that_draws_and_the_policy_s_phase(tmp_path, policy, drawn, phase):
    observer = recorder(replace(STILL, demos=str(tmp_path / "demos.h5")), policy())
    made = versions() | ({"gl": renderer()} if drawn else {})
    assert (observer.versions, observer.phase()) == (made, phase)


def test_holding_still_never_succeeds_and_leaves_a_picture(tmp_path):
    run = make_runner(replace(STILL, media_dir=str(tmp_path)))
    result = run(0)
    assert (result.outcome, result.success, result.index) == ("timeout", False, 0)
    assert (tmp_path / thumbnail_name(0)).exists()


def test_another_version_of_a_suite_is_not_played():
    run = make_runner(replace(STILL, version=99))
    with pytest.raises(ValueError, match="version"):
        run(0)


def test_a_simulation_that_failed_is_an_error_of_ours():
    good = fake_result(STILL, 5, "success")
    assert checked(STILL, good, []) is good
    wild = checked(STILL, replace(good, max_contact_force_n=float("nan"), slip_m=float("inf")), [])
    assert (wild.outcome, wild.index, wild.success) == ("error", 5, False)
    assert "max_contact_force_n, slip_m" in wild.error
    assert "mjWARN_BADQACC" in checked(STILL, good, ["mjWARN_BADQACC"]).error


def test_what_mujoco_complains_of_is_noticed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its log to the working directory
    model = mujoco.MjModel.from_xml_string(
        "<mujoco><worldbody><body><freejoint/><geom size='.1'/></body></worldbody></mujoco>"
    )
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    assert physics_warnings(data) == []
    data.qvel[0] = float("nan")
    mujoco.mj_step(model, data)
    assert physics_warnings(data) == ["mjWARN_BADQVEL"]


def test_without_opengl_a_run_still_counts_but_does_not_film(monkeypatch, tmp_path):
    def no_context():
        raise gl.RenderingError("no library")

    monkeypatch.setattr(worker.gl, "gl_context", no_context)
    assert make_runner(replace(STILL, media_dir=str(tmp_path)))(0).outcome == "timeout"
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(gl.RenderingError):
        make_runner(replace(STILL, media_dir=str(tmp_path), videos=(0,)))
