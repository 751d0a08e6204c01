"""Suites in which a planner is asked and nobody acts: through the command, with real pictures and a real socket."""

import json
import os
from pathlib import Path

import pytest
from fake_episodes import steady
from vlm_server import Play, vlm_server

from benchmarks.compare import compare
from benchmarks.console import summary_lines
from benchmarks.evaluate import Plan
from benchmarks.journal import EPISODES, MEDIA, thumbnail_name
from benchmarks.looking import make_looker
from benchmarks.report import read_summary
from benchmarks.run import main
from benchmarks.suites import BOXES, COMPLETION, VERDICTS, axis_levels, get_suite
from policy.build import AgentOptions
from policy.planner import PlannerConfig, PlannerError

GONE, UNTOUCHED, MOVED = 10, 15, 16  # quick moments of planner_verdicts: in the tray, as it was, shoved


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def rows(folder: str | Path) -> list[dict]:
    return [json.loads(line) for line in Path(folder, EPISODES).read_text().splitlines()]


def looker(suite: str, **settings):
    """What asks a planner, in this process."""
    agent = AgentOptions(planner=PlannerConfig(**{"backoff_s": 0.0, **settings}))
    return make_looker(Plan(suite, 1, "none", "g0r", media_dir="media", agent=agent))


def needs_a_client() -> None:
    for package in ("openai", "json_repair"):
        pytest.importorskip(package)


def test_the_published_boxes_are_asked_for_under_five_looks():
    suite = get_suite(BOXES)
    levels = [axis_levels(suite, index)["distraction"] for index in range(suite.size)]
    assert {name: levels.count(name) for name in set(levels)} == {"none": 30, "background": 60, "lighting": 60}


@pytest.fixture(scope="module")
def privileged(tmp_path_factory) -> Path:
    """Folder of two runs with the planner that knows the truth."""
    folder = tmp_path_factory.mktemp("runs") / "both"
    words = ["--suite", f"{BOXES},{VERDICTS}", "--first", "15", "--episodes", "5", "--workers", "1"]
    assert main([*words, "--out", str(folder)]) == 0
    return folder


def test_the_simulation_itself_is_always_right_and_the_run_says_that_nobody_acts(privileged):
    for suite in (BOXES, VERDICTS):
        found, summary = rows(privileged / suite), read_summary(privileged / suite)
        assert [(row["outcome"], row["measures"]["right"]) for row in found] == [("success", True)] * 5
        assert (summary.policy, summary.privileged, summary.title) == ("none", ("planner",), "none, planner privileged")
        assert (summary.successes, summary.n) == (5, 5)
        asked = json.loads((privileged / suite / "run.json").read_text())
        assert (asked["planner"], asked["masks"], asked["device"]) == ("privileged", "", "")
        told = dict(summary_lines(summary))
        assert told["privileged"] == "the planner is ground truth: a check of the benchmark, no rival"
        assert "clean success" not in told
        page = (privileged / suite / "report.html").read_text()
        assert "policy none, planner privileged" in page
        assert "100.0 % right" in page
        assert "No policy acts" in page
        assert "20 s." not in page
    boxes, verdicts = rows(privileged / BOXES), rows(privileged / VERDICTS)
    assert {row["measures"]["iou"] for row in boxes} == {1.0}
    assert [row["measures"]["moment"] for row in verdicts] == ["untouched", "moved", "moved", "others", "others"]


def test_a_page_shows_the_published_figures_beside_ours(privileged):
    page = (privileged / BOXES / "report.html").read_text()
    assert "99.3 %" in page
    assert all(f'<td class="number" data-v="{percent}">{percent} %</td>' in page for percent in (96.7, 100.0))


def test_boxes_of_a_model_behind_a_socket_are_scored_by_the_pixels():
    needs_a_client()
    truth = looker(BOXES)(0).measures["truth"]
    loose = [truth[0] - 60, truth[1] - 60, truth[2] + 60, truth[3] + 60]
    replies = [
        json.dumps({"bbox_2d": truth}),
        json.dumps({"bbox_2d": loose}),
        json.dumps({"visible": False, "bbox_2d": None}),
        "I like it.",
        "Very much.",
    ]
    with vlm_server(*map(Play, replies)) as server:
        look = looker(BOXES, name="server", url=server.url, family="pixels")
        found = [look(0) for _ in range(4)]
        assert len(server.chats) == 5
    assert [row.outcome for row in found] == ["success", "planner", "planner", "planner"]
    assert [row.measures["read"] for row in found] == [True, True, True, False]
    assert found[0].measures["answer"] == truth
    assert found[1].measures["enclosed"] == 1.0
    assert not found[1].measures["overlaps"]
    assert found[2].measures["answer"] is found[2].measures["iou"] is None
    assert Path("media", thumbnail_name(0)).stat().st_size > 5000  # what was wrong is shown


def test_verdicts_are_scored_against_physics_and_what_cannot_be_read_is_never_right():
    needs_a_client()
    replies = ['{"verdict": true}', '{"verdict": true}', '{"verdict": false}', "hm", "hm again"]
    with vlm_server(*map(Play, replies)) as server:
        look = looker(VERDICTS, name="server", url=server.url)
        found = [look(index) for index in (GONE, UNTOUCHED, MOVED, MOVED)]
    said = [(row.outcome, row.measures["answer"], row.measures["truth"], row.measures["read"]) for row in found]
    assert said == [
        ("success", True, True, True),
        ("planner", True, False, True),
        ("success", False, False, True),
        ("planner", None, False, False),  # the system takes it for "no", which would be right by chance
    ]
    assert all(row.measures["question"] == COMPLETION for row in found)


def test_questions_that_a_server_could_not_take_are_errors_and_asked_again(privileged):
    needs_a_client()
    words = [
        "--suite",
        BOXES,
        "--first",
        "15",
        "--episodes",
        "2",
        "--workers",
        "1",
        "--out",
        "run",
        "--planner",
        "server",
    ]
    words += ["--planner-family", "pixels", "--planner-model", "m", "--planner-url"]
    no = Play('{"visible": false, "bbox_2d": null}')
    with vlm_server(no) as server:  # then 404
        assert main([*words, server.url]) == 1
    assert sorted(row["outcome"] for row in rows("run")) == ["error", "planner"]
    with vlm_server(no) as server:
        assert main([*words, server.url, "--resume"]) == 0
        assert len(server.chats) == 1
    assert [row["outcome"] for row in rows("run")] == ["planner", "planner"]
    assert read_summary(Path("run")).answers["could be read"].successes == 2
    page = Path("run", "report.html").read_text()
    assert "policy none, planner server (m)" in page
    assert page.count("data:image/png;base64,") == 2
    assert len(list(Path("run", MEDIA).iterdir())) == 2
    pairs = compare(privileged / BOXES, Path("run"), common=True, allow_privileged=True).pairs
    assert (pairs.only_a, pairs.only_b) == (2, 0)


def test_where_no_server_answers_no_picture_is_made():
    needs_a_client()
    with pytest.raises(PlannerError, match=r"listing the models from http://127\.0\.0\.1:9/v1 failed"):
        looker(VERDICTS, name="server", url="http://127.0.0.1:9/v1", retries=0)


def test_a_random_network_says_nothing_that_can_be_read(monkeypatch, tmp_path):
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    for package in ("transformers", "json_repair"):
        pytest.importorskip(package)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    from tests.tiny_vlm import build

    model = str(build(tmp_path / "model"))
    settings = {"name": "local", "model": model, "max_tokens": 3, "reasks": 0}
    found = [looker(BOXES, **settings)(0), looker(VERDICTS, **settings)(UNTOUCHED)]
    assert [(row.outcome, row.measures["read"], row.measures["answer"]) for row in found] == [
        ("planner", False, None),
        ("planner", False, None),
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--suite", BOXES, "--policy", "expert"), "no policy acts in planner_boxes: leave --policy expert out"),
        (("--suite", BOXES, "--attempts", "2"), "--attempts does not go with planner_boxes"),
        (("--suite", VERDICTS, "--video", "1"), "--video does not go with planner_verdicts"),
        (("--suite", VERDICTS, "--record", "d.h5"), "--record does not go with planner_verdicts"),
        (("--suite", BOXES, "--masks", "classic"), "--masks is for a trained controller"),
        (("--suite", BOXES, "--planner", "oracle"), "unknown planner 'oracle'"),
        (("--suite", "unseen_objects", "--policy", "none"), "--policy none is for planner_boxes and planner_verdicts"),
    ],
)
def test_wishes_that_need_somebody_who_acts_are_refused(capsys, words, message):
    assert main([*words, "--episodes", "1"], steady) == 2
    assert message in capsys.readouterr().err
    assert not Path("runs").exists()
