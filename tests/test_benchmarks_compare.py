"""Two runs side by side: fair pairs only, words that follow the numbers, a page that needs no network."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fake_runs import PLAN, finished, rows_of
from test_benchmarks_report import Addresses

from benchmarks.compare import compare, main
from benchmarks.errors import UsageError
from benchmarks.journal import MEDIA, thumbnail_name, video_name
from benchmarks.report import EMBEDDED_BYTES

A_WORDS = ["success"] * 20 + ["missed"] * 20
B_WORDS = ["success"] * 18 + ["dropped", "disturbed"] + ["success"] * 14 + ["missed"] * 5 + ["timeout"]


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def refused(a: Path, b: Path, **settings: bool) -> str:
    with pytest.raises(UsageError) as caught:
        compare(a, b, **settings)
    return str(caught.value)


def test_the_better_one_is_named_with_points_interval_and_pairs(capsys):
    finished("a", rows_of(A_WORDS))
    finished("b", rows_of(B_WORDS), policy="random")
    assert main(["a", "b"]) == 0
    found = compare(Path("a"), Path("b"))
    low, high = (100 * bound for bound in found.interval)
    headline = f"B is better by 32.5 points, 95 % interval {low:.1f} to {high:.1f}, 40 pairs"
    assert found.headline == headline
    printed = " ".join(capsys.readouterr().out.split())
    assert headline in printed
    assert "1 episodes succeeded with A alone, 14 with B alone, 19 with both, 6 with neither" in printed
    assert "18 success → dropped" in printed
    assert headline in Path("a-vs-b.html").read_text()


def test_targets_that_come_up_several_times_are_said_and_widen_the_interval():
    a, b = ([replace(row, target=f"mug_{row.index // 4}") for row in rows_of(words)] for words in (A_WORDS, B_WORDS))
    found = compare(finished("a", a), finished("b", b))
    note = next(note for note in found.notes() if "other targets" in note)
    low, high = map(float, re.search(r"B less A: 95 % interval (\S+) to (\S+) points", note).groups())
    assert note.startswith("10 targets in 40 pairs")
    assert low < 100 * found.interval[0] - 5
    assert high > 100 * found.interval[1] + 5
    assert not any("other targets" in note for note in compare(finished("c", rows_of(A_WORDS)), Path("c")).notes())


def test_the_other_way_round_the_other_letter_is_better():
    b, a = finished("b", rows_of(A_WORDS)), finished("a", rows_of(B_WORDS))
    assert compare(a, b).headline.startswith("A is better by 32.5 points")


def test_episodes_that_differ_are_listed_first_those_that_one_won_alone():
    a, b = (
        finished("a", rows_of(["success", "success", "missed"])),
        finished("b", rows_of(["disturbed", "missed"] * 2)[:3]),
    )
    assert compare(a, b).changed == [1, 2, 0]
    assert compare(a, a).changed == []


def test_errors_are_left_out_and_counted():
    a = finished("a", rows_of(["success", "error", "missed", "success"]))
    b = finished("b", rows_of(["success", "missed", "missed", "error"]))
    found = compare(a, b)
    assert (found.pairs.n, found.errors, found.pairs.only_a, found.pairs.only_b) == (2, 2, 0, 0)
    assert any("2 pairs left out" in note for note in found.notes())


def test_indices_without_a_partner_are_refused_or_left_out_and_counted():
    a, b = finished("a", rows_of(["success"] * 6)), finished("b", rows_of(["success"] * 5, first=2))
    assert "2 episodes of a and 1 of b are not in the other run; --common compares the 4" in refused(a, b)
    found = compare(a, b, common=True)
    assert (found.pairs.n, found.left_out) == (4, (2, 1))
    assert any("2 of A, 1 of B" in note for note in found.notes())
    apart = finished("c", rows_of(["success"] * 3, first=50))
    assert "no scored episode in common" in refused(a, apart, common=True)


@pytest.mark.parametrize(
    ("plan", "settings", "message"),
    [
        (replace(PLAN, suite="seen_objects"), {}, "suite is 'unseen_objects' in a and 'seen_objects' in b"),
        (replace(PLAN, version=2), {}, "version is 1 in a and 2 in b"),
        (PLAN, {"attempts": 3}, "attempts is 1 in a and 3 in b"),
    ],
)
def test_other_suites_versions_and_attempts_are_refused(plan, settings, message):
    a, b = finished("a", rows_of(A_WORDS)), finished("b", rows_of(A_WORDS, plan), **settings)
    assert message in refused(a, b, common=True, allow_privileged=True)


def test_other_scenes_are_refused():
    rows = rows_of(A_WORDS)
    a, b = finished("a", rows), finished("b", [replace(rows[0], spec_hash="0" * 16), *rows[1:]])
    assert "the scenes of 1 episodes differ (such as 0" in refused(a, b)


def test_privileged_against_unprivileged_is_refused_or_said_in_the_headline(capsys):
    finished("a", rows_of(A_WORDS), privileged=("simulator",))
    finished("b", rows_of(B_WORDS))
    assert main(["a", "b"]) == 2
    assert "--allow-privileged" in capsys.readouterr().err
    assert main(["a", "b", "--allow-privileged", "--out", "pages/fair.html"]) == 0
    words = "Unequal terms (A reads simulator; B reads only observations): B is better by"
    assert words in " ".join(capsys.readouterr().out.split())
    assert words in Path("pages/fair.html").read_text()


def test_equal_privileges_are_a_fair_contest():
    a, b = (finished(name, rows_of(A_WORDS), privileged=("planner", "masks")) for name in "ab")
    assert "Unequal" not in compare(a, b).headline


def test_another_mujoco_or_hand_is_said():
    a, b = finished("a", rows_of(A_WORDS)), finished("b", rows_of(A_WORDS), hand="rh56", mujoco="3.9.0")
    notes = compare(a, b).notes()
    assert "the hands differ: g0r in A, rh56 in B" in notes
    assert any(note.endswith("in A, 3.9.0 in B") for note in notes)


def test_films_and_pictures_stand_side_by_side_within_the_page():
    a, b = finished("a", rows_of(["missed", "success"])), finished("b", rows_of(["success", "success"]))
    for folder in (a, b):
        (folder / MEDIA).mkdir()
        (folder / MEDIA / video_name(1)).write_bytes(b"of an episode that ends alike")
    (a / MEDIA / thumbnail_name(0)).write_bytes(b"picture")
    (b / MEDIA / video_name(0)).write_bytes(b"film")
    assert main(["a", "b"]) == 0
    page = Addresses(Path("a-vs-b.html").read_text())
    assert [address.split(",")[0] for address in page.addresses] == ["data:image/png;base64", "data:video/mp4;base64"]
    assert "pick up the <mug> – number 0" in "".join(page.texts)


def test_films_too_large_to_embed_are_played_from_the_runs():
    finished("a", rows_of(["missed"]))
    b = finished("b", rows_of(["success"]))
    (b / MEDIA).mkdir()
    with (b / MEDIA / video_name(0)).open("wb") as film:
        film.truncate(EMBEDDED_BYTES + 1)
    assert main(["a", "b", "--out", "pages/large.html"]) == 0
    assert Addresses(Path("pages/large.html").read_text()).addresses == ["../b/media/000000.mp4"]


def test_a_folder_without_a_finished_run_is_refused(capsys):
    finished("a", rows_of(A_WORDS))
    assert main(["a", "nowhere"]) == 2
    assert "nowhere holds no finished run" in capsys.readouterr().err
