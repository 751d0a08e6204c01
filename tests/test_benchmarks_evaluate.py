"""The pool: each index once, whatever becomes of the workers."""

import os
import time

import pytest
from fake_episodes import dies_at_birth, environment_teller, fake_result, faulty, slow, steady, unbuildable

from benchmarks.errors import WorkerError
from benchmarks.evaluate import Plan, evaluate
from datagen.pool import ONE_THREAD, usable_cores

PLAN = Plan(suite="unseen_objects", version=1, policy="expert", hand="g0r")


def without_wall_clock(results):
    return [{**r.as_dict(), "wall_s": 0} for r in sorted(results, key=lambda r: r.index)]


def test_rows_do_not_depend_on_the_number_of_workers():
    indices = list(range(100, 110))
    one = list(evaluate(PLAN, indices, 1, steady))
    two = list(evaluate(PLAN, indices, 2, steady))
    assert [r.index for r in one] == indices
    assert sorted(r.index for r in two) == indices
    assert without_wall_clock(one) == without_wall_clock(two)
    assert without_wall_clock(one) == without_wall_clock(fake_result(PLAN, i) for i in indices)


def test_no_indices_need_no_worker():
    assert list(evaluate(PLAN, [], 2, unbuildable)) == []


def test_every_fault_costs_its_own_episode_and_no_other(tmp_path):
    plan = Plan("unseen_objects", 1, "expert", "g0r", media_dir=str(tmp_path))
    results = {r.index: r for r in evaluate(plan, range(11), 2, faulty, limit_s=3.0)}
    assert sorted(results) == list(range(11))
    errors = {index: r.error for index, r in results.items() if r.outcome == "error"}
    assert sorted(errors) == [3, 5, 9]
    assert "Traceback" in errors[3]
    assert "fell through the table" in errors[3]
    assert "killed by SIGKILL" in errors[5]
    assert "second try" in errors[5]
    assert "no answer for 3 s" in errors[9]
    assert results[7].outcome == "success"  # its worker died once and was replaced
    assert all(r.success != (index in errors) for index, r in results.items())


def test_a_worker_starts_afresh_after_a_fault(tmp_path):
    plan = Plan("unseen_objects", 1, "expert", "g0r", media_dir=str(tmp_path))
    results = {r.index: r for r in evaluate(plan, [0, 1, 2, 3, 4], 1, faulty)}
    assert [results[i].objects for i in (0, 1, 2)] == [1, 2, 3]
    assert results[4].objects == 1


def test_a_runner_that_cannot_be_built_stops_the_run_with_its_reason():
    with pytest.raises(WorkerError, match="no library for unseen_objects"):
        list(evaluate(PLAN, range(5), 2, unbuildable))


def test_workers_that_die_while_starting_stop_the_run():
    with pytest.raises(WorkerError, match=r"die while starting .*SIGSEGV"):
        list(evaluate(PLAN, range(5), 1, dies_at_birth))


def test_workers_are_held_to_one_thread_and_the_parent_is_left_alone(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    (row,) = evaluate(PLAN, [0], 1, environment_teller)
    assert row.instruction == ",".join("1" for _ in ONE_THREAD)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_closing_the_iterator_ends_the_workers(tmp_path):
    plan = Plan("unseen_objects", 1, "expert", "g0r", media_dir=str(tmp_path / "run" / "media"))
    episodes = evaluate(plan, range(1000), 2, slow)
    next(episodes)
    episodes.close()
    before = (tmp_path / "begun").read_text()
    time.sleep(0.4)
    assert (tmp_path / "begun").read_text() == before


def test_usable_cores_are_those_of_this_process():
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
