"""The privileged planner against a simulation and against a scripted truth; registry, settings and the crop."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import pytest
import tyro

from envs import spec
from envs.interface import GraspEnv, Truth
from envs.sim import SimEnv
from policy.planner import PLANNERS, PlannerConfig, PlannerError, Understanding, make_planner, planner_from
from policy.planner.prompts import REQUESTS
from policy.planner.workspace import PUBLISHED_WINDOW, STATION_WINDOW, WHOLE_PICTURE, crop

ROOT = Path(__file__).parent.parent
HEAD = np.zeros((480, 640, 3), np.uint8)


class Told(Truth):
    """A truth that a test sets."""

    def __init__(self, mask=None, height_m=0.0, touched=False):
        self.mask, self.height_m, self.touched = mask, height_m, touched

    def target_mask(self):
        return self.mask

    def target_height_m(self):
        return self.height_m

    def target_touched(self):
        return self.touched


class Cell(GraspEnv):
    """An environment that only has an instruction and a truth."""

    instruction = "the red mug"

    def __init__(self, truth):
        self._truth = truth

    @property
    def truth(self):
        return self._truth

    def retry(self):
        raise AssertionError("a planner does not act")


def begun(**truth):
    planner = make_planner("privileged")
    planner.begin(Cell(Told(**truth)))
    return planner


def test_it_declares_itself_and_needs_a_simulation():
    planner = make_planner("privileged")
    assert (planner.name, planner.privileged, planner.title) == ("privileged", ("planner",), "privileged")
    with pytest.raises(PlannerError, match="needs a simulation"):
        planner.begin(Cell(None))
    with pytest.raises(PlannerError, match="begin"):
        planner.completed(HEAD, HEAD, "x")


def test_the_box_is_the_tightest_around_the_mask():
    mask = np.zeros((480, 640), np.uint8)
    mask[100:120, 300:350] = 1
    mask[119:130, 349:360] = 1
    assert begun(mask=mask).locate(HEAD, "anything") == (300.0, 100.0, 360.0, 130.0)
    assert begun(mask=mask * 0).locate(HEAD, "anything") is None
    with pytest.raises(PlannerError, match=r"\(480, 640\), the head picture \(240, 320\)"):
        begun(mask=mask).locate(HEAD[::2, ::2], "anything")


@pytest.mark.parametrize(
    ("height_m", "touched", "held", "up"),
    [(0.0, True, False, False), (0.099, True, False, False), (0.1, True, True, True), (0.3, False, False, True)],
)
def test_verdicts_follow_height_and_touch(height_m, touched, held, up):
    planner = begun(height_m=height_m, touched=touched)
    assert planner.verify(HEAD, HEAD, "x") is held
    assert planner.completed(HEAD, HEAD, "x") is up
    assert planner.instruction_completed(HEAD, "x") is up
    assert planner.propose(HEAD, HEAD, "x") == (None if up else "the red mug")
    assert planner.understand(HEAD, "x") == Understanding("objects", ("the red mug",))


def test_it_boxes_the_target_of_a_simulated_episode():
    env = SimEnv("unseen_objects", obs_mode="rgb", image_size=(160, 120), segmentation=True)
    try:
        observation, info = env.reset(options={"index": 5})
        planner = make_planner("privileged")
        planner.begin(env)
        x0, y0, x1, y1 = (int(edge) for edge in planner.locate(observation[spec.HEAD], env.instruction))
        target = info["segmentation"] == 1
        assert target[y0:y1, x0:x1].sum() == target.sum() > 20
        assert all(edge.any() for edge in (target[y0], target[y1 - 1], target[:, x0], target[:, x1 - 1]))
        assert planner.propose(observation[spec.HEAD], observation[spec.HEAD], "x") == env.instruction
        assert planner.verify(observation[spec.HEAD], observation[spec.WRIST], "x") is False
    finally:
        env.close()


def test_the_window_shows_the_targets_that_the_published_one_would_cut():
    env = SimEnv("unseen_objects", obs_mode="rgb", image_size=(160, 120), segmentation=True)
    cut = {PUBLISHED_WINDOW: 0, STATION_WINDOW: 0}
    try:
        for index in range(0, 360, 24):
            _, info = env.reset(options={"index": index})
            target = (info["segmentation"] == 1)[..., None].astype(np.uint8)
            for window in cut:
                cut[window] += int((crop(1 - target, window) == 0).sum() < target.sum())
    finally:
        env.close()
    assert cut[STATION_WINDOW] == 0
    assert cut[PUBLISHED_WINDOW] > 0


def test_the_crop_keeps_the_canvas_and_paints_the_rest_white():
    head = np.full((480, 640, 3), 7, np.uint8)
    shown = crop(head, PUBLISHED_WINDOW)
    assert (shown[:288, 256:576] == 7).all()
    assert (shown == 7).sum() == 288 * 320 * 3
    assert set(np.unique(shown)) == {7, 255}
    assert (head == 7).all()  # the picture itself stays
    np.testing.assert_array_equal(crop(head, WHOLE_PICTURE), head)


def test_unknown_names_list_the_choices():
    with pytest.raises(PlannerError, match="unknown planner 'oracle'; choose from: privileged, server, local"):
        make_planner("oracle")
    with pytest.raises(PlannerError, match=r"unknown settings of a planner: colour; choose from: url, model"):
        make_planner("server", colour="red")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"window": (0.5, 0.0, 0.4, 1.0)}, "window"),
        ({"window": (0.0, 0.0, 1.2, 1.0)}, "window"),
        ({"read_s": 0.0}, "read_s must be positive"),
        ({"retries": -1}, "retries must not be negative"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    with pytest.raises(PlannerError, match=words):
        PlannerConfig(**settings)


@dataclasses.dataclass(frozen=True)
class Command:
    """As a command of the project takes it."""

    planner: Annotated[PlannerConfig, tyro.conf.OmitArgPrefixes] = PlannerConfig()  # noqa: RUF009  (frozen)


def test_the_command_line_names_every_setting():
    arguments = ["--planner", "server", "--planner-url", "http://vlm:8001/v1", "--planner-model", "Qwen/Qwen-VL-Chat"]
    config = tyro.cli(Command, args=[*arguments, "--planner-window", "0.4", "0", "0.9", "0.6"]).planner
    assert config == PlannerConfig("server", "http://vlm:8001/v1", "Qwen/Qwen-VL-Chat", window=PUBLISHED_WINDOW)
    assert tyro.cli(Command, args=[]).planner == PlannerConfig()
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.model = "other"


def test_every_setting_has_a_line_of_help_and_one_prefix(capsys):
    with pytest.raises(SystemExit):
        tyro.cli(Command, args=["--help"])
    shown = capsys.readouterr().out
    for field in dataclasses.fields(PlannerConfig):
        option = "--planner" if field.name == "name" else f"--planner-{field.name.replace('_', '-')}"
        assert option in shown


def test_the_registry_holds_what_it_says():
    assert list(PLANNERS) == ["privileged", "server", "local"]
    assert planner_from(PlannerConfig()).name == "privileged"  # the other two have tests of their own


def test_planner_and_monitor_load_without_what_only_some_planners_need():
    code = (
        "import sys, policy.planner.consult, policy.planner.privileged\n"
        "heavy = {'torch', 'transformers', 'openai', 'json_repair', 'mujoco'} & sys.modules.keys()\n"
        "sys.exit(', '.join(heavy) or None)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_planner_without_its_packages_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "policy.planner.server", raising=False)
    with pytest.raises(
        PlannerError, match=r"planner 'server' needs the package 'openai': pip install 'dexclutter\[policy\]'"
    ):
        make_planner("server")


def test_the_documentation_names_only_settings_that_there_are():
    page = (ROOT / "docs" / "policy_planner.md").read_text(encoding="utf-8")
    fields = {f"--planner-{field.name.replace('_', '-')}" for field in dataclasses.fields(PlannerConfig)}
    named = set(re.findall(r"--planner-[a-z-]+", page)) - {"--planner-"}
    assert named <= fields
    assert len(named) > 8
    assert all(f"`{name}`" in page for name in PLANNERS)
    assert all(f"`{name}(" in page for name in REQUESTS)
