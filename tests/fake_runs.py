"""Folders of finished runs, written without playing anything."""

import json
from collections.abc import Sequence
from pathlib import Path

from fake_episodes import fake_result

from benchmarks.evaluate import Plan, error_result
from benchmarks.journal import SUMMARY, Asked, Journal
from benchmarks.summary import summarise
from datagen.versions import MUJOCO, versions
from envs.interface import EpisodeResult

PLAN = Plan(suite="unseen_objects", version=1, policy="hold-still", hand="g0r")


def rows_of(words: Sequence[str | None], plan: Plan = PLAN, first: int = 0) -> list[EpisodeResult]:
    """A row for each outcome word; None leaves it to the index, as the fake runners do."""
    return [
        error_result(plan, index, "gone") if word == "error" else fake_result(plan, index, word)
        for index, word in enumerate(words, start=first)
    ]


def finished(
    name: str,
    rows: Sequence[EpisodeResult],
    policy: str = PLAN.policy,
    privileged: Sequence[str] = (),
    hand: str = PLAN.hand,
    attempts: int = 1,
    mujoco: str = "",
) -> Path:
    """A folder as a finished run leaves it."""
    mujoco = mujoco or versions()[MUJOCO]
    journal = Journal(
        Path(name), Asked(rows[0].suite, rows[0].version, policy, hand, attempts, None, mujoco), resume=False
    )
    journal.results = {row.index: row for row in rows}
    journal.finish()
    journal.close()
    summary = summarise(
        rows,
        policy=policy,
        privileged=privileged,
        hand=hand,
        attempts=attempts,
        wall_seconds=1.0,
        workers=1,
        versions={MUJOCO: mujoco},
    )
    Path(name, SUMMARY).write_text(json.dumps(summary.as_dict()))
    return Path(name)
