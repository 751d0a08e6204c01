"""Report, board and comparison in a real browser: they open without a complaint, sort, filter, fit a phone, play."""

import json
from dataclasses import replace
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
import pytest
from fake_episodes import WORDS, fake_result

pytest.importorskip("websockets", reason="the extra 'remote' is not installed: websockets is missing")
import headless

from benchmarks import compare
from benchmarks.board import write_board
from benchmarks.evaluate import Plan, error_result
from benchmarks.journal import EPISODES, MEDIA, TIMING, video_name
from benchmarks.report import publish
from benchmarks.suites import axis_levels, get_suite
from benchmarks.summary import summarise
from envs.episode import make_episode

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(headless.BROWSER is None, reason="there is no Chromium here: `make browser` installs it"),
]
PLAN = Plan(suite="unseen_backgrounds", version=1, policy="expert", hand="g0r")
SHIFT = 3  # by which the ends of the compared run are moved on
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
SHOWN = "[...document.querySelectorAll('#rows tbody tr')].filter(r => !r.hidden)"


def row(plan: Plan, index: int, shift: int = 0):
    """A row about a real scene, so that its look is known, with an invented end."""
    episode = make_episode(plan.suite, index)
    target = episode.objects[0].object_id
    family, word = target.rpartition("_")[0], WORDS[(index + shift) % len(WORDS)]
    scene = {"spec_hash": episode.hash, "instruction": episode.instruction, "objects": len(episode.objects)}
    return replace(fake_result(plan, index, word), target=target, family=family, **scene)


def finished_run(folder: Path, plan: Plan, episodes: int, shift: int = 0, **changes) -> Path:
    """A folder as a run leaves it, with one film. shift: another makes every episode end otherwise."""
    folder.mkdir()
    version = make_episode(plan.suite, 0).version
    rows = [row(replace(plan, version=version), index, shift) for index in range(episodes)]
    rows.append(error_result(replace(plan, version=version), episodes, "Traceback\nRuntimeError: <b>boom</b>"))
    (folder / MEDIA).mkdir()
    film = [np.full((64, 96, 3), 8 * k, np.uint8) for k in range(20)]
    imageio.mimwrite(folder / MEDIA / video_name(0), film, fps=20, codec="libx264", macro_block_size=16)
    lines = [{k: v for k, v in r.as_dict().items() if k != "wall_s"} for r in rows]
    (folder / EPISODES).write_text("".join(json.dumps(line) + "\n" for line in lines))
    times = [{"index": r.index, "wall_s": 1.0 + r.index, "session": 0, "elapsed_s": 2.0 * r.index} for r in rows]
    (folder / TIMING).write_text("".join(json.dumps(time) + "\n" for time in times))
    known = {"policy": "expert", "privileged": ("simulator",), "hand": "g0r", "attempts": 1}
    about = {"wall_seconds": 40.0, "workers": 2, "versions": {"mujoco": "4.0.0"}}
    publish(folder, summarise(rows, **{**known, **about, **changes}))
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """Two runs and, beside them, the board about both, and the first one compared with another of its suite."""
    here = tmp_path_factory.mktemp("runs")
    folders = [
        finished_run(here / "expert", PLAN, 12),
        finished_run(here / "random", replace(PLAN, suite="seen_objects"), 4, policy="random", privileged=()),
    ]
    write_board(folders, here / "board.html")
    other = finished_run(here / "other", PLAN, 12, shift=SHIFT)
    assert compare.main([str(folders[0]), str(other), "--out", str(here / "compare.html")]) == 0
    return folders


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with headless.Page(tmp_path_factory.mktemp("profile"), "about:blank") as page:
        yield page


def opened(page: headless.Page, path: Path) -> headless.Page:
    page.complaints.clear()
    page.listen(path.as_uri())
    return page


def column(page: headless.Page, table: str, name: str) -> list[str]:
    """The visible cells under a heading, from top to bottom."""
    return page.value(
        f"(t => {{ const i = [...t.tHead.rows[0].cells].findIndex(c => c.textContent === {name!r});"
        f"return [...t.tBodies[0].rows].filter(r => !r.hidden).map(r => r.cells[i].textContent.trim()) }})"
        f"(document.querySelector({table!r}))"
    )


def touch(page: headless.Page, table: str, name: str) -> None:
    page.value(f"[...document.querySelectorAll('{table} th button')].find(b => b.textContent === {name!r}).click()")


def search(page: headless.Page, words: str) -> None:
    page.value(
        f"(f => {{ f.value = {words!r}; f.dispatchEvent(new Event('input')) }})"
        "(document.querySelector('input[type=search]'))"
    )


def test_the_report_opens_sorts_and_filters(browser, runs):
    page = opened(browser, runs[0] / "report.html")
    assert "privileged: it reads the simulator" in page.value("document.querySelector('h1').innerText")
    assert column(page, "#rows", "index") == [str(index) for index in range(13)]
    touch(page, "#rows", "wall (s)")
    touch(page, "#rows", "wall (s)")
    assert column(page, "#rows", "index") == [str(index) for index in reversed(range(13))]
    touch(page, "#rows", "lift (s)")
    lifts = column(page, "#rows", "lift (s)")
    told = [float(lift) for lift in lifts if lift]
    assert told == sorted(told)
    assert lifts[len(told) :] == [""] * (13 - len(told))  # failures have none, and come last
    search(page, "missed")
    assert set(column(page, "#rows", "outcome")) == {"missed"}
    assert page.value("document.querySelector('output').value").endswith("of 13")
    search(page, "")
    assert len(column(page, "#rows", "index")) == 13
    assert page.complaints == []


def test_axes_objects_and_looks_are_shown(browser, runs):
    page = opened(browser, runs[0] / "report.html")
    titles = page.value("[...document.querySelectorAll('h3')].map(h => h.textContent)")
    assert titles == ["family of the target, the worst first", "objects on the table", "table"]
    tables = [make_episode(PLAN.suite, index).look.table for index in range(12)]
    assert column(page, "#rows", "table") == [*tables, axis_levels(get_suite(PLAN.suite), 12)["table"]]
    assert "84.5 %" in page.value("document.body.innerText")  # the real robot under the pink towel
    target = page.value("document.querySelector('.cells > button').dataset.show")
    page.value("document.querySelector('.cells > button').click()")
    assert set(column(page, "#rows", "target")) == {target}
    assert page.complaints == []


def test_the_command_for_any_episode_can_be_had(browser, runs):
    page = opened(browser, runs[0] / "report.html")
    page.value("document.querySelector('[data-again=\"7\"]').click()")
    told = page.value("document.getElementById('command').innerText")
    assert told.endswith("--suite unseen_backgrounds --policy expert --hand g0r --attempts 1 --episode 7 --video 1")


def test_a_film_plays(browser, runs):
    page = opened(browser, runs[0] / "report.html")
    page.value("void (document.querySelector('video').muted = true, document.querySelector('video').play())")
    headless.wait_for(lambda: page.value("document.querySelector('video').currentTime > 0.2"), 30)
    assert page.value("document.querySelector('video').error === null")


@pytest.mark.parametrize("name", ["expert/report.html", "board.html", "compare.html"])
def test_pages_fit_a_phone(browser, runs, name):
    browser.call("Emulation.setDeviceMetricsOverride", **PHONE)
    try:
        page = opened(browser, runs[0].parent / name)
        assert page.value("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.complaints == []
    finally:
        browser.call("Emulation.clearDeviceMetricsOverride")


def test_the_board_sorts_filters_and_leads_to_the_reports(browser, runs):
    page = opened(browser, runs[0].parent / "board.html")
    assert column(page, "#runs", "suite") == ["unseen_backgrounds v1", "seen_objects v1"]
    assert "privileged: simulator" in column(page, "#runs", "policy")[0]
    touch(page, "#runs", "episodes")
    assert column(page, "#runs", "suite") == ["seen_objects v1", "unseen_backgrounds v1"]
    search(page, "random")
    assert column(page, "#runs", "suite") == ["seen_objects v1"]
    assert page.complaints == []
    page.value("document.querySelector('#runs a').click()")
    headless.wait_for(lambda: page.value("location.pathname").endswith("random/report.html"))


def test_the_comparison_plays_both_films_of_an_episode_side_by_side(browser, runs):
    page = opened(browser, runs[0].parent / "compare.html")
    assert "12 pairs" in page.value("document.querySelector('.headline').innerText")
    changed = [k for k in range(12) if WORDS[k % len(WORDS)] != WORDS[(k + SHIFT) % len(WORDS)]]
    assert page.value("document.querySelectorAll('.pair').length") == len(changed)
    films = "document.querySelector('.pair:has(video)').querySelectorAll('video')"
    assert page.value(f"{films}.length") == 2
    left, right = (page.value(f"{films}[{k}].getBoundingClientRect().toJSON()") for k in range(2))
    assert left["top"] == right["top"]
    assert left["right"] <= right["left"]
    page.value(f"void [...{films}].forEach(film => film.play())")
    headless.wait_for(lambda: page.value(f"[...{films}].every(film => film.currentTime > 0.2)"), 30)
    assert page.complaints == []


def test_a_complaint_would_be_heard(browser, tmp_path):
    path = tmp_path / "broken.html"
    path.write_text("<script>undefinedThing()</script>")
    assert "undefinedThing" in opened(browser, path).complaints[0]
