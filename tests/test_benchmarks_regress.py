"""The gate: unchanged code passes, planted regressions are caught, and a test elsewhere keeps its false alarms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_episodes import faulty, steady
from fake_runs import finished, rows_of
from planted import slippery, weak

from assets import vulkan
from benchmarks import regress
from benchmarks.baseline import Episode, read_baseline, rounding, write_baseline
from benchmarks.regress import by_rate, main
from benchmarks.worker import make_runner

BASELINES = Path(__file__).parent.parent / "benchmarks" / "baselines"
EXPERT, SMALL = BASELINES / "expert.json", BASELINES / "small.json"
FEW = (12,)  # a quick one whose readings feel every planted fault


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def made():
    """The baseline of a run of twelve quick episodes."""
    finished("before", rows_of([None] * 12, first=5))
    assert main(["--run", "before", "--write", "baseline.json"]) == 0
    return read_baseline(Path("baseline.json"))


def judged(*words: str, factory=steady) -> int:
    return main(["--baseline", "baseline.json", "--workers", "1", *words], factory)


def altered(made, **fields):
    """The baseline with other values in some fields of its first episode."""
    episodes = (replace(made.episodes[0], **fields), *made.episodes[1:])
    write_baseline(Path("baseline.json"), replace(made, episodes=episodes))


def elsewhere(made, **changes):
    """The baseline as another MuJoCo version would have made it."""
    write_baseline(Path("baseline.json"), replace(made, machine=replace(made.machine, mujoco="3.9.0"), **changes))


def test_a_baseline_holds_what_is_needed_and_reads_back(made):
    assert (made.suite, made.version, made.policy, made.hand, made.attempts) == (
        "unseen_objects", 1, "hold-still", "g0r", 1,
    )  # fmt: skip
    assert made.indices == tuple(range(5, 17))
    assert made.machine.rounding == rounding()
    rows = rows_of([None] * 12, first=5)
    assert [(e.outcome, e.spec_hash, e.steps) for e in made.episodes] == [
        (r.outcome, r.spec_hash, r.steps) for r in rows
    ]
    write_baseline(Path("again.json"), made)
    assert Path("again.json").read_bytes() == Path("baseline.json").read_bytes()


def test_unchanged_episodes_pass(made, capsys):
    assert judged("--out", "now") == 0
    assert "no regression" in capsys.readouterr().out
    assert Path("now", "report.html").exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"outcome": "collision"}, "outcome collision →"),
        ({"spec_hash": "0" * 16}, "spec_hash 0000000000000000 →"),
        ({"slip_m": 0.5}, "slip_m 0.5 →"),
    ],
)
def test_every_difference_on_the_same_machine_is_a_regression(made, capsys, fields, words):
    altered(made, **fields)
    assert judged("--run", "before") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert f"5 {words}" in printed
    assert "1 of 12 episodes are not as they were" in printed


def test_another_mujoco_is_tested_by_the_rate_and_the_power_is_said(made, capsys):
    elsewhere(made)
    assert judged("--run", "before") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "MuJoCo was 3.9.0 and is " in printed
    assert "exact McNemar test, one-sided: p = 1" in printed
    assert "1 false alarm in 1,000 runs" in printed
    assert "power" in printed


def test_one_changed_outcome_is_no_regression_by_the_test_but_is_one_by_the_word(made):
    altered(made, outcome="collision")
    assert judged("--run", "before", "--no-exact") == 0
    assert (
        judged("--run", "before", "--exact") == judged("--run", "before") == int(made.episodes[0].outcome != "success")
    )


def test_a_great_fall_is_a_regression_by_the_test(made):
    elsewhere(made, episodes=tuple(replace(e, outcome="success") for e in made.episodes))
    assert judged("--run", str(finished("fallen", rows_of(["missed"] * 12, first=5)))) == 1


def episodes(outcomes, hashes="same"):
    return [Episode(i, f"{hashes}{i}", w, (w,), 1, None, 0.0, 0.0, None) for i, w in enumerate(outcomes)]


@pytest.mark.parametrize(("hashes", "name"), [("same", "exact McNemar test"), ("other", "Fisher's exact test")])
def test_a_test_keeps_its_false_alarms_and_notices_the_drop_that_it_names(hashes, name):
    rng, n, runs = np.random.default_rng(0), 100, 400
    before = episodes(["success"] * 80 + ["missed"] * 20)
    verdict = by_rate(before, dict(enumerate(episodes([e.outcome for e in before], hashes))))
    assert verdict.test == name
    drop, alarms, noticed = verdict.noticed_drop(), 0, 0
    for _ in range(runs):
        one, two = (episodes(np.where(rng.random(n) < 0.8, "success", "missed"), h) for h in ("same", hashes))
        alarms += by_rate(one, dict(enumerate(two))).regression
        # What was lost stays lost, and of what was won so much is lost as makes the drop.
        lost = rng.random(n) < drop / 0.8
        fallen = ["missed" if gone else e.outcome for e, gone in zip(before, lost, strict=True)]
        noticed += by_rate(before, dict(enumerate(episodes(fallen, hashes)))).regression
    assert alarms <= 3  # 0.4 are expected at most
    assert noticed / runs > 0.74


def test_errors_fail_the_gate_in_either_way_but_are_no_failures(capsys):
    finished("sound", rows_of(["success"] * 4))
    assert main(["--run", "sound", "--write", "baseline.json"]) == 0
    assert judged("--out", "lost", factory=faulty) == 1
    assert "outcome success → error" in " ".join(capsys.readouterr().out.split())
    assert judged("--run", "lost", "--no-exact") == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "of 3 episodes" in printed
    assert "1 episodes lost by errors of ours (such as 3)" in printed


def test_a_run_with_errors_or_gaps_makes_no_baseline(capsys):
    finished("lost", rows_of(["success", "error"]))
    assert main(["--run", "lost", "--write", "x.json"]) == 2
    assert "lost by errors" in capsys.readouterr().err
    rows = rows_of(["success"] * 5)
    finished("gappy", [*rows[:2], *rows[3:]])
    assert main(["--run", "gappy", "--write", "x.json"]) == 2
    assert "gaps" in capsys.readouterr().err


def test_a_baseline_is_written_where_it_was_played(capsys):
    finished("elsewhere", rows_of(["success"]), mujoco="3.9.0")
    assert main(["--run", "elsewhere", "--write", "x.json"]) == 2
    assert "played with MuJoCo 3.9.0, here is" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--baseline FILE says what to compare with"),
        (("--baseline", "none.json"), "none.json does not exist"),
        (("--baseline", "broken.json"), "broken.json is no baseline"),
        (("--baseline", "baseline.json", "--exact", "--no-exact"), "exclude each other"),
        (("--baseline", "baseline.json", "--policy", "oracle"), "cannot be played"),
        (("--baseline", "baseline.json", "--run", "other"), "holds other episodes"),
        (("--baseline", "baseline.json", "--run", "empty"), "holds no finished run"),
    ],
)
def test_bad_usage_ends_with_2_and_says_what_to_do(made, capsys, words, message):
    Path("broken.json").write_text('{"format": 1, "suite": 3}')
    finished("other", rows_of(["success"] * 2))
    assert main(list(words), steady) == 2
    assert message in capsys.readouterr().err


def test_another_version_of_the_suite_is_refused_before_anything_is_played(made, capsys):
    write_baseline(Path("baseline.json"), replace(made, version=7))
    assert judged("--out", "now") == 2
    assert "is of version 7 of unseen_objects, here is version 1" in capsys.readouterr().err
    assert not Path("now").exists()


def test_another_format_is_refused(made, capsys):
    Path("baseline.json").write_text(Path("baseline.json").read_text().replace('"format": 1', '"format": 2'))
    assert judged("--run", "before") == 2
    assert "format 2; this version reads 1" in capsys.readouterr().err


def test_rounding_is_the_same_each_time_and_follows_arithmetic(monkeypatch):
    assert rounding() == rounding.__wrapped__()
    exact_sine = np.sin
    monkeypatch.setattr(np, "sin", lambda x: np.nextafter(exact_sine(x), 2.0))
    assert rounding() != rounding.__wrapped__()


@pytest.mark.parametrize(("path", "policy"), [(EXPERT, "expert"), (SMALL, "default")])
def test_the_shipped_baselines_are_of_these_scenes_and_policies(path, policy):
    from envs.episode import make_episode

    shipped = read_baseline(path)
    assert (shipped.suite, shipped.policy, shipped.indices) == ("smoke", policy, tuple(range(20)))
    assert regress.named(shipped.words()).checkpoint == shipped.checkpoint
    for episode in shipped.episodes[::6]:
        assert make_episode(shipped.suite, episode.index, shipped.version).hash == episode.spec_hash


def test_where_filament_draws_its_device_is_part_of_the_machine(monkeypatch):
    monkeypatch.setattr(vulkan, "load", lambda: "a card")
    shipped, expert = (regress.named(["--suite", "smoke", "--policy", who]) for who in ("default", "expert"))
    assert regress.this_machine(shipped, "renderer_shift").renderer.endswith(", Filament on a card")
    assert "Filament" not in regress.this_machine(shipped, "smoke").renderer
    assert regress.this_machine(expert, "renderer_shift").renderer == ""


@pytest.mark.parametrize(("factory", "code"), [(make_runner, 0), (slippery, 1), (weak, 1)])
def test_a_planted_regression_is_caught_and_nothing_else(capsys, factory, code):
    """With real physics, on the machine that plays: half the friction, and a hand that is 20 % weaker."""
    shipped = read_baseline(EXPERT)
    here = regress.this_machine(regress.named(shipped.words()), shipped.suite)
    few = replace(shipped, indices=FEW, episodes=tuple(shipped.episodes[index] for index in FEW))
    if here != shipped.machine:
        pytest.skip(f"the baseline is of another machine: {'; '.join(shipped.machine.differences(here))}")
    write_baseline(Path("baseline.json"), few)
    assert judged("--out", "now", factory=factory) == code
    printed = capsys.readouterr().out
    assert ("REGRESSION" in printed) == bool(code)
