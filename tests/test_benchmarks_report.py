"""Summary and page: what the rows add up to, self-contained, with every word of a row kept from becoming markup."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_episodes import fake_result

from benchmarks.axes import OBJECTS
from benchmarks.console import summary_lines
from benchmarks.errors import UsageError
from benchmarks.evaluate import Plan, error_result
from benchmarks.journal import EPISODES, MEDIA, Timing, read_results, thumbnail_name, video_name
from benchmarks.pages import COLOURS
from benchmarks.published import BY_LEVEL
from benchmarks.report import EMBEDDED_BYTES, main, outcome_bars, render, rerun_command
from benchmarks.suites import LOOKING, axis_levels, get_suite, suite_names
from benchmarks.summary import by_family, summarise
from envs.interface import OUTCOMES

PLAN = Plan(suite="unseen_objects", version=1, policy="expert", hand="g0r")
WORDS = ["success"] * 5 + ["disturbed", "slipped", "missed", "collision"]


def make_rows():
    rows = [fake_result(PLAN, index, word) for index, word in enumerate(WORDS)]
    return [*rows, error_result(PLAN, len(rows), "Traceback\nRuntimeError: <b>boom</b>")]


def make_summary(rows, **changes):
    settings = {
        "policy": "expert",
        "privileged": ("simulator",),
        "hand": "g0r",
        "attempts": 1,
        "wall_seconds": 125.0,
        "workers": 2,
        "versions": {"mujoco": "4.0.0"},
    }
    return summarise(rows, **{**settings, **changes})


class Addresses(HTMLParser):
    """Collects every address that a page would load, and checks that its elements are closed."""

    VOID = ("meta", "img", "br", "input")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses, self.texts, self._open = [], [], []
        self.feed(page)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("link", "iframe")
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def test_errors_are_counted_but_not_scored():
    summary = make_summary(make_rows())
    assert (summary.episodes, summary.n, summary.errors, summary.successes) == (10, 9, 1, 6)
    assert summary.success_rate == pytest.approx(6 / 9)
    assert summary.clean_successes == 5
    assert list(summary.outcomes) == list(OUTCOMES)
    assert sum(summary.outcomes.values()) == 10


def test_a_run_of_errors_has_no_rate():
    rows = [error_result(PLAN, index, "gone") for index in range(3)]
    summary = make_summary(rows)
    assert summary.success_rate is None
    assert (summary.ci_low, summary.ci_high) == (0.0, 1.0)
    assert "no trials" in dict(summary_lines(summary))["success"]


def test_attempts_are_reported_one_by_one():
    rows = make_rows()[:2]
    rows.append(replace(rows[0], index=2, attempts=2, attempt_outcomes=("missed", "success")))
    summary = make_summary(rows, attempts=2)
    assert summary.success_by_attempt == (2, 3)
    assert dict(summary_lines(summary))["success @1"].startswith("66.7 %")
    assert "success @1" not in dict(summary_lines(make_summary(make_rows())))


def test_recoveries_are_counted_over_the_episodes_that_came_to_a_shove(tmp_path):
    first = [fake_result(PLAN, index, word) for index, word in enumerate(["success", "disturbed", "missed", "success"])]
    found = [(True, 2.0), (True, 3.5), (True, None), (False, None)]
    rows = [replace(row, shoved=shoved, recovery_s=s) for row, (shoved, s) in zip(first, found, strict=True)]
    rows += [fake_result(PLAN, 4, "success"), error_result(PLAN, 5, "gone")]
    summary = make_summary(rows)
    assert (summary.shoves, summary.shoved, summary.recovered, summary.median_recovery_s) == (4, 3, 2, 2.75)
    words = dict(summary_lines(summary))["after the shove"]
    assert "66.7 % (2/3" in words
    assert "median 2.75 s" in words
    assert "never shoved 1" in words
    assert "median 2.75 s" in render(summary, rows, tmp_path, [])
    assert "after the shove" not in dict(summary_lines(make_summary(make_rows())))
    # What is written is read again, also beside rows that know of no shove.
    (tmp_path / EPISODES).write_text("".join(json.dumps(row.as_dict()) + "\n" for row in rows))
    assert sorted(read_results(tmp_path), key=lambda row: row.index) == rows


def test_targets_that_come_up_several_times_widen_the_interval():
    rows = [fake_result(PLAN, index, word) for index, word in enumerate(["success"] * 60 + ["missed"] * 20)]
    assert make_summary(rows).clustered_rate is None
    again = make_summary([replace(row, target=f"mug_{row.index // 4}") for row in rows])
    assert (again.targets, again.effective_n) == (20, pytest.approx(20, abs=3))
    rate, wider = again.rate, again.clustered_rate
    assert wider.low < rate.low - 0.08 < wider.high
    assert wider.value == rate.value
    words = dict(summary_lines(again))["other targets"]
    assert words == f"95 % interval {100 * wider.low:.1f} to {100 * wider.high:.1f} %: 20 targets in 80 episodes"
    assert "other targets" not in dict(summary_lines(make_summary(rows)))
    early = make_summary([replace(row, target=f"mug_{row.index // 4}") for row in rows], adaptive_width=0.2)
    assert early.clustered_rate is None
    alike = [fake_result(PLAN, index, "success") for index in range(80)]
    assert make_summary([replace(row, target=f"mug_{row.index // 4}") for row in alike]).clustered_rate is None


def test_families_come_worst_first():
    ends = [("ball", "success"), ("mug", "missed"), ("can", "success"), ("can", "missed"), ("mug", "slipped")]
    rows = [replace(fake_result(PLAN, index, word), family=family) for index, (family, word) in enumerate(ends)]
    table = [(family.name, family.rate.successes, family.rate.n) for family in by_family(rows)]
    assert table == [("mug", 0, 2), ("can", 1, 2), ("ball", 1, 1)]


def test_the_privilege_is_said_in_the_first_line_and_only_where_there_is_one():
    rows = make_rows()
    page = render(make_summary(rows), rows, Path("nowhere"), [])
    first = re.search(r"<h1>.*?</h1>", page, re.S).group()
    assert "privileged: it reads the simulator" in first
    honest = render(make_summary(rows, policy="random", privileged=()), rows, Path("nowhere"), [])
    assert "privileged" not in honest


@pytest.mark.parametrize("name", sorted(set(suite_names()) - set(LOOKING)))
def test_every_suite_has_a_page_with_all_its_levels(tmp_path, name):
    suite = get_suite(name)
    plan = Plan(suite=name, version=suite.version, policy="expert", hand="g0r")
    indices = range(0, suite.size, max(1, suite.size // 150))
    rows = [fake_result(plan, index) for index in indices]
    texts = Addresses(render(make_summary(rows), rows, tmp_path, [])).texts
    levels = [axis_levels(suite, index) for index in indices]
    assert {level for each in levels for axis, level in each.items() if axis != OBJECTS} <= set(texts)


def test_published_levels_are_said_to_be_of_the_first_attempt_where_ours_are_not(tmp_path):
    plan = Plan(suite="unseen_lighting", version=get_suite("unseen_lighting").version, policy="expert", hand="g0r")
    rows = [fake_result(plan, index) for index in range(12)]
    assert "real robot, first attempt" not in render(make_summary(rows), rows, tmp_path, [])
    assert "real robot, first attempt" in render(make_summary(rows, attempts=3), rows, tmp_path, [])


@pytest.mark.parametrize("name", BY_LEVEL)
def test_every_published_level_is_one_of_the_suite(name):
    suite = get_suite(name)
    assert set(BY_LEVEL[name]) <= {level for index in range(suite.size) for level in axis_levels(suite, index).values()}


def test_the_page_loads_nothing_from_outside(tmp_path):
    (tmp_path / MEDIA).mkdir()
    (tmp_path / MEDIA / thumbnail_name(6)).write_bytes(b"picture")
    (tmp_path / MEDIA / video_name(0)).write_bytes(b"film")
    rows = make_rows()
    page = Addresses(render(make_summary(rows), rows, tmp_path, [Timing(0, 1.0, 0, 1.0)]))
    assert [address.split(",")[0] for address in page.addresses] == ["data:video/mp4;base64", "data:image/png;base64"]


def test_films_too_large_to_embed_are_named_beside_the_page(tmp_path):
    (tmp_path / MEDIA).mkdir()
    with (tmp_path / MEDIA / video_name(1)).open("wb") as film:
        film.truncate(EMBEDDED_BYTES + 1)
    rows = make_rows()
    page = render(make_summary(rows), rows, tmp_path, [])
    assert Addresses(page).addresses == ["media/000001.mp4"]
    assert "Too large to embed" in page


def test_every_row_is_shown_and_none_of_its_words_is_markup(tmp_path):
    rows = make_rows()
    page = render(make_summary(rows), rows, tmp_path, [])
    text = "".join(Addresses(page).texts)
    for row in rows:
        assert row.instruction in text
    assert "RuntimeError: <b>boom</b>" in text
    assert "<b>boom</b>" not in page
    assert "pick up the <mug>" not in page


def test_every_failure_names_the_command_that_plays_it_again(tmp_path):
    rows = make_rows()
    summary = make_summary(rows)
    page = "".join(Addresses(render(summary, rows, tmp_path, [])).texts)
    for row in rows:
        if not row.success:
            assert rerun_command(summary, row.index) in page
    assert rerun_command(summary, 7) == (
        "python -m benchmarks.run --suite unseen_objects --policy expert --hand g0r --attempts 1 --episode 7 --video 1"
    )


def test_the_outcome_bar_is_complete_and_every_word_has_a_colour():
    bars = outcome_bars(make_summary(make_rows()))
    assert sum(bar.width for bar in bars) == pytest.approx(100.0)
    assert bars[-1].x + bars[-1].width == pytest.approx(100.0)
    assert set(COLOURS) == set(OUTCOMES)


def test_a_folder_without_a_finished_run_is_refused(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err
    (tmp_path / "summary.json").write_text("{}")
    assert main([str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_usage_errors_are_errors_of_this_project():
    from envs.interface import DexClutterError

    assert issubclass(UsageError, DexClutterError)
