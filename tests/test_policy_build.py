"""From the words of a command to an agent: what is known early, what is refused, and what is asked for once more."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
import tyro
from agent_parts import made_agent, needs_a_controller

from policy import build
from policy.build import AgentOptions, BuildError, Known, checkpoint_path, examined, is_import_path, own_policy, peek
from policy.planner import PlannerConfig
from policy.timetable import TimetableError


def fake_checkpoint(path: Path, **config) -> Path:
    """A file with the header of a controller and nothing behind it."""
    values = {"name": "fake", "horizon": 16, "execute": 6} | config
    header = json.dumps({"__metadata__": {"format": "x", "config": json.dumps(values)}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"weights")
    return path


def test_a_checkpoint_is_known_without_torch(tmp_path):
    path = fake_checkpoint(tmp_path / "a.safetensors")
    known = peek(path)
    assert known == Known(path, "fake", known.fingerprint, 16, 6)
    assert re.fullmatch(r"[0-9a-f]{12}", known.fingerprint)
    path.write_bytes(path.read_bytes()[:-1] + b"S")
    assert peek(path).fingerprint != known.fingerprint


@pytest.mark.parametrize(
    "content", [b"", b"\x05\x00\x00\x00\x00\x00\x00\x00{}", b"\xff" * 40, b"\x02" + b"\x00" * 7 + b"{}"]
)
def test_what_is_no_controller_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BuildError, match="no controller"):
        peek(tmp_path / "x")
    with pytest.raises(BuildError, match="does not exist"):
        peek(tmp_path / "y")


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".safetensors"])
def test_a_file_of_torch_may_hold_the_published_weights_and_is_looked_into_later(tmp_path, suffix):
    (tmp_path / f"x{suffix}").write_bytes(b"PK\x03\x04 what torch writes")
    known = examined(tmp_path / f"x{suffix}", AgentOptions(latency_ms=5000))
    assert (known.title, known.horizon) == ("published", 0)


def test_without_a_shipped_controller_the_expert_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(build, "SHIPPED", tmp_path / "small.safetensors")
    with pytest.raises(BuildError, match=r"no trained controller is shipped .* --policy expert.*--policy PATH"):
        checkpoint_path("default")
    fake_checkpoint(build.SHIPPED)
    assert checkpoint_path("default") == build.SHIPPED
    assert checkpoint_path("my/own.safetensors") == Path("my/own.safetensors")


def test_where_the_shipped_controller_lies():
    assert build.SHIPPED.parts[-3:] == ("policy", "weights", "small.safetensors")


@pytest.mark.parametrize(
    ("options", "fault", "message"),
    [
        ({"masks": "cutie"}, BuildError, "unknown masks 'cutie'; choose from: classic, privileged, sam2"),
        ({"planner": PlannerConfig(name="gpt")}, BuildError, "unknown planner 'gpt'; choose from: local, priv"),
        ({"latency_ms": 5000.0}, TimetableError, "outlasts a chunk of 16 actions"),
    ],
)
def test_impossible_wishes_are_refused_before_anything_is_loaded(tmp_path, options, fault, message):
    path = fake_checkpoint(tmp_path / "a.safetensors")
    assert examined(path, AgentOptions()).title == "fake"
    with pytest.raises(fault, match=message):
        examined(path, AgentOptions(**options))


def test_words_ask_for_the_same_options_again():
    assert AgentOptions().words() == []
    asked = AgentOptions(
        planner=PlannerConfig(name="server", url="http://x:1/v1", model="Qwen", log=Path("log"), window=(0, 0, 0.5, 1)),
        masks="sam2",
        masks_weights="folder",
        latency_ms=120.0,
        device="cuda",
        precision="bfloat16",
        tower_weights={"dinov2_vitb14": "b.safetensors", "dinov2_vitl14": "l.safetensors"},
    )
    words = asked.words()
    assert words[words.index("--planner") + 1] == "server"
    parsed = tyro.cli(tyro.conf.OmitArgPrefixes[AgentOptions], args=words)
    assert dataclasses.asdict(parsed) == dataclasses.asdict(asked)


def test_privileges_are_known_before_the_agent_is_made():
    server = PlannerConfig(name="server")
    assert AgentOptions().privileged == ("planner", "masks")
    assert AgentOptions(planner=server).privileged == ("masks",)
    assert AgentOptions(planner=server, masks="classic").privileged == ()


@pytest.mark.parametrize(
    ("name", "yes"),
    [("a:b", True), ("a.b_c:D", True), ("a/b:c", False), ("c:\\x", False), ("a", False), ("a:b.c", False)],
)
def test_import_paths_are_told_from_files(name, yes):
    assert is_import_path(name) is yes


def test_a_policy_of_ones_own_is_made_from_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine_of_this_test.py").write_text(
        "from benchmarks.policies import HoldStillPolicy\nmake = HoldStillPolicy\nnumber = 3\nmake_number = lambda: 3\n"
    )
    assert own_policy("mine_of_this_test:make").name == "hold-still"
    assert own_policy("agent_parts:made_agent").name == "counting"
    for name, message in {
        "mine_of_this_test:absent": "has no 'absent'",
        "nowhere_at_all:make": "no module 'nowhere_at_all'",
        "mine_of_this_test:number": "makes NoneType, not an envs.interface.Policy",
        "mine_of_this_test:make_number": "makes int, not",
    }.items():
        with pytest.raises(BuildError, match=message):
            own_policy(name)


def test_the_agent_of_a_checkpoint_is_made_of_what_was_asked_for(tmp_path):
    needs_a_controller()
    from tiny_controller import CONFIG, write_tiny

    from policy.build import make_agent, make_policy

    path = write_tiny(tmp_path / "tiny.safetensors")
    known = peek(path)
    assert (known.title, known.horizon, known.execute) == ("tiny", CONFIG.horizon, CONFIG.execute)
    agent, fingerprint = make_policy(str(path), AgentOptions(masks="privileged", latency_ms=100.0))
    assert (agent.name, agent.privileged, agent.latency_ms) == ("tiny", ("planner", "masks"), 100.0)
    assert agent.privileged == AgentOptions().privileged
    assert fingerprint == known.fingerprint
    picture, mask = np.zeros((48, 64, 3), np.uint8), np.ones((48, 64), np.uint8)
    agent.controller.begin(picture, mask)
    chunk = agent.controller.predict(picture, picture, mask, np.zeros(13), 1)
    assert chunk.shape == (16, 13)
    with pytest.raises(BuildError, match=f"was 123 and is {fingerprint} by now"):
        make_agent(path, AgentOptions(), "123")
    assert made_agent().name != agent.name
