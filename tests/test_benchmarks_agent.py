"""A trained controller in the benchmark: rows that no worker count changes, and a run that says who played."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from agent_parts import CountingController, needs_a_controller
from fake_episodes import refusing, steady
from test_policy_build import fake_checkpoint
from vlm_server import Play, vlm_server

from benchmarks.evaluate import Plan
from benchmarks.journal import EPISODES, Asked
from benchmarks.policies import entrant
from benchmarks.report import rerun_command, write_report
from benchmarks.run import main
from benchmarks.summary import Summary
from benchmarks.worker import make_runner
from envs import spec
from envs.sim import SimEnv
from policy import build
from policy.agent import Agent
from policy.build import AgentOptions
from policy.masks.interface import box_of
from policy.masks.sources import make_masks
from policy.planner import make_planner

SUITE = ("--suite", "unseen_objects")


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(folder: str) -> list[dict]:
    return [json.loads(line) for line in Path(folder, EPISODES).read_text().splitlines()]


@pytest.mark.slow
def test_a_controller_plays_to_the_same_rows_with_one_worker_and_with_two():
    needs_a_controller()
    from tiny_controller import write_tiny

    write_tiny(Path("tiny.safetensors"))
    words = [*SUITE, "--policy", "tiny.safetensors", "--episodes", "2"]
    assert main([*words, "--workers", "1", "--out", "one"]) == 0
    assert main([*words, "--workers", "2", "--out", "two"]) == 0
    assert Path("one", EPISODES).read_bytes() == Path("two", EPISODES).read_bytes()
    played = rows("one")
    assert [row["outcome"] for row in played] == ["collision"] * 2  # it drifts into the station
    late = make_runner(Plan("unseen_objects", 1, "tiny.safetensors", "g0r", agent=AgentOptions(latency_ms=200.0)))(0)
    assert 2 <= late.steps - played[0]["steps"] <= 8  # four steps of waiting, and then about the same drift
    report = Path("one", "report.html").read_text()
    first = next(line for line in report.splitlines() if "<h1>" in line)
    fingerprint = build.peek(Path("tiny.safetensors")).fingerprint
    assert f"policy tiny {fingerprint}, planner privileged, masks privileged" in first
    assert "privileged: planner, masks" in report


def test_a_policy_of_ones_own_is_scored_and_its_planner_answers_for_what_it_gave_up():
    assert main([*SUITE, "--policy", "agent_parts:failing_agent", "--episodes", "1", "--out", "mine"]) == 0
    (row,) = rows("mine")
    assert (row["outcome"], row["error"], row["steps"]) == ("planner", "", 300)
    assert json.loads(Path("mine", "summary.json").read_text())["outcomes"]["planner"] == 1


def test_the_bare_command_scores_what_is_shipped(monkeypatch, capsys):
    monkeypatch.setattr(build, "SHIPPED", Path("small.safetensors"))
    assert main([*SUITE, "--episodes", "2"], steady) == 2
    assert "--policy expert" in capsys.readouterr().err
    assert list(Path().iterdir()) == []
    fake_checkpoint(build.SHIPPED, name="small")
    assert main([*SUITE, "--episodes", "2"], steady) == 0
    summary = json.loads(Path("runs/unseen_objects-default-1/summary.json").read_text())
    fingerprint = build.peek(build.SHIPPED).fingerprint
    assert (summary["policy"], summary["title"], summary["checkpoint"]) == ("default", "small", fingerprint)
    assert (summary["planner"], summary["masks"], summary["latency_ms"]) == ("privileged", "privileged", 0)
    assert summary["privileged"] == ["planner", "masks"]
    printed = " ".join(capsys.readouterr().out.split())
    assert f"policy small {fingerprint}, planner privileged, masks privileged (privileged: planner, masks)" in printed


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--precision", "bfloat16"), "precision is 'float32' there and 'bfloat16' here"),
        (("--masks", "classic"), "masks is 'privileged' there and 'classic' here"),
        (("--planner", "server"), "planner is 'privileged' there and 'server' here"),
        (("--latency-ms", "100"), "latency_ms is 0.0 there and 100.0 here"),
        (("--device", "cuda"), "device is 'cpu' there and 'cuda' here"),
    ],
)
def test_a_run_is_not_resumed_with_other_parts(capsys, words, what):
    fake_checkpoint(Path("c.safetensors"))
    run = [*SUITE, "--policy", "c.safetensors", "--episodes", "1", "--out", "mine"]
    assert main(run, steady) == 0
    assert main([*run, "--resume", *words], steady) == 2
    assert what in capsys.readouterr().err
    assert main([*run, "--resume"], steady) == 0


def test_a_run_is_not_resumed_with_another_checkpoint_under_the_same_name(capsys):
    fake_checkpoint(Path("c.safetensors"))
    run = [*SUITE, "--policy", "c.safetensors", "--episodes", "1", "--out", "mine"]
    assert main(run, steady) == 0
    fake_checkpoint(Path("c.safetensors"), width=3)
    assert main([*run, "--resume"], steady) == 2
    assert "checkpoint is " in capsys.readouterr().err


def test_runs_of_older_versions_can_be_resumed_and_drawn():
    assert main([*SUITE, "--policy", "expert", "--episodes", "2", "--out", "old"], steady) == 0
    for name, kind in {"run.json": Asked, "summary.json": Summary}.items():
        added = [field.name for field in dataclasses.fields(kind) if field.default is not dataclasses.MISSING]
        assert "checkpoint" in added
        path = Path("old", name)
        values = json.loads(path.read_text())
        path.write_text(json.dumps({key: value for key, value in values.items() if key not in added}))
    assert "policy expert" in write_report(Path("old")).read_text()
    assert main([*SUITE, "--policy", "expert", "--episodes", "3", "--out", "old", "--resume"], steady) == 0


def test_the_command_that_plays_an_episode_again_asks_for_the_same_parts():
    words = ["--planner", "server", "--planner-url", "http://x:1/v1", "--masks", "classic", "--latency-ms", "100.0"]
    fake_checkpoint(Path("c.safetensors"))
    assert main([*SUITE, "--policy", "c.safetensors", "--episodes", "1", "--out", "a", *words], steady) == 0
    values = json.loads(Path("a", "summary.json").read_text())
    summary = Summary(**{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
    assert "latency 100 ms" in Path("a", "report.html").read_text()
    command = rerun_command(summary, 0)
    assert all(word in command.split() for word in words)
    assert main([*command.split()[3:], "--out", "b"], steady) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--policy", "gone.safetensors"), "gone.safetensors does not exist"),
        (("--policy", "text.txt"), "text.txt is no controller"),
        (("--policy", "nowhere:make"), "no module 'nowhere'"),
        (("--policy", "expert", "--masks", "classic"), "--masks is for a trained controller; policy 'expert'"),
        (("--policy", "random", "--planner", "server"), "--planner is for a trained controller"),
        (("--policy", "c.safetensors", "--masks", "x"), "unknown masks 'x'"),
        (("--policy", "c.safetensors", "--planner", "x"), "unknown planner 'x'"),
        (("--policy", "c.safetensors", "--latency-ms", "900"), "at most 500 ms can be bridged"),
    ],
)
def test_bad_wishes_are_refused_before_anything_is_written(capsys, words, message):
    Path("text.txt").write_text("I am no controller, whatever my name may be. " * 9)
    fake_checkpoint(Path("c.safetensors"), horizon=20)
    assert main([*SUITE, "--episodes", "1", *words], steady) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()


def test_what_a_worker_cannot_make_for_a_known_reason_is_said_without_a_traceback(capsys):
    fake_checkpoint(Path("c.safetensors"))
    assert main([*SUITE, "--policy", "c.safetensors", "--episodes", "1", "--out", "a"], refusing) == 1
    message = capsys.readouterr().err
    assert "c.safetensors needs what nobody has" in message
    assert "Traceback" not in message


def test_what_is_said_of_a_controller_is_known_without_loading_it():
    fake_checkpoint(Path("c.safetensors"))
    known = entrant("c.safetensors", AgentOptions(masks="classic"))
    assert (known.title, known.privileged, known.cameras) == ("fake", ("planner",), ("head", "wrist"))


class StandingController(CountingController):
    """Its chunks command the present state, and it remembers the masks."""

    def predict(self, head, wrist, mask, state, seed):
        self.begun.append(mask)
        return np.tile(np.clip(state, spec.ACTION_LOW, spec.ACTION_HIGH), (self.config.horizon, 1))


def test_with_a_model_behind_a_socket_and_masks_by_sight_nothing_is_privileged():
    for package in ("openai", "json_repair", "cv2"):
        pytest.importorskip(package)
    env = SimEnv("unseen_objects", obs_mode="rgb", lazy=True)
    observation, _ = env.reset(options={"index": 0})
    x0, y0, x1, y1 = map(int, box_of(true := env.truth.target_mask()))
    replies = ["false", "Grasp the beige block", json.dumps({"bbox_2d": [x0, y0, x1, y1], "label": "block"})]
    with vlm_server(*map(Play, replies)) as server:
        planner, controller = make_planner("server", url=server.url), StandingController()
        agent = Agent(planner, make_masks("classic"), controller)
        agent.reset(env, 0)
        for _ in range(8):
            observation, *_ = env.step(agent.act(observation))
        agent.close()
        assert len(server.chats) == 3
    assert (agent.privileged, agent.verdict, agent.reason) == ((), "", "")
    assert len(controller.begun) == 3  # the first moment, and two chunks
    for mask in controller.begun:
        assert (mask & true).sum() > 0.7 * (mask | true).sum()
