"""Which action is due when: pure arithmetic of chunks, steps and the time that inference takes."""

import numpy as np
import pytest

from policy.timetable import Timetable, TimetableError


def played(timetable: Timetable, steps: int, horizon: int = 16) -> list[tuple[int, int] | None]:
    """(number of the chunk, index of the action) at each step, None where the arm waits; chunks are made when due."""
    due, made = [], 0
    for step in range(steps):
        if timetable.wants_chunk(step):
            timetable.add(step, np.stack([np.full(horizon, made), np.arange(horizon)], axis=1))
            made += 1
        action = timetable.action(step)
        due.append(None if action is None else (int(action[0]), int(action[1])))
    return due


def test_without_latency_each_chunk_acts_at_once_for_as_long_as_it_is_executed():
    assert played(Timetable(16, 6), 14) == [(step // 6, step % 6) for step in range(14)]


def test_with_latency_the_arm_waits_once_and_later_chunks_act_with_the_actions_of_their_time():
    due = played(Timetable(16, 6, latency_ms=100), 20)
    assert due[:2] == [None, None]
    assert due[2:8] == [(0, i) for i in range(6)]  # the first chunk was made for an arm that stands: from its start
    assert due[8:14] == [(1, i) for i in range(2, 8)]  # looked at step 6, acts from step 8 on
    assert due[14:] == [(2, i) for i in range(2, 8)]


def test_a_latency_longer_than_what_is_executed_slows_the_looks_down():
    due = played(Timetable(16, 6, latency_ms=400), 32)
    assert due[:8] == [None] * 8
    assert due[8:16] == [(0, i) for i in range(8)]
    assert due[16:24] == [(1, i) for i in range(8, 16)]
    assert due[24:] == [(2, i) for i in range(8, 16)]


@pytest.mark.parametrize(("latency_ms", "delay"), [(0, 0), (1, 1), (50, 1), (51, 2), (100, 2), (150, 3)])
def test_latency_is_rounded_up_to_whole_steps(latency_ms, delay):
    assert Timetable(16, 6, latency_ms).delay == delay


def test_after_the_last_chunk_its_last_action_is_held():
    timetable = Timetable(4, 2)
    timetable.add(0, np.arange(4)[:, None])
    assert [int(timetable.action(step)[0]) for step in (0, 1, 3, 4, 99)] == [0, 1, 3, 3, 3]


@pytest.mark.parametrize("latency_ms", [-1, float("nan"), float("inf")])
def test_impossible_latencies_are_refused(latency_ms):
    with pytest.raises(TimetableError, match="0 ms or more"):
        Timetable(16, 6, latency_ms)


@pytest.mark.parametrize(("horizon", "execute", "most"), [(16, 6, 400), (8, 6, 100), (8, 8, 0)])
def test_a_latency_that_outlasts_a_chunk_is_refused_and_the_longest_one_named(horizon, execute, most):
    with pytest.raises(TimetableError, match=rf"at most {most} ms"):
        Timetable(horizon, execute, most + 1)
    assert Timetable(horizon, execute, most).delay == most / 50
