"""Workers of a cluster look after themselves: one that hangs ends, and says where."""

import pickle
import subprocess
import sys
import time

from datagen.pool import Work, _play_packed

LIMIT_S = 3.0


def sleeper(index: int) -> int:
    """Hangs on every index but 0."""
    time.sleep(1000.0 * index)
    return index


def played(index: int) -> None:
    """What a worker of a cluster does with a job."""
    work = Work(build=made, keep=int, lost=lost)
    print(_play_packed(pickle.dumps(work), index, LIMIT_S), flush=True)


def made():
    """A worker's player."""
    return sleeper


def lost(index: int, how: str) -> str:
    """Never called here, but part of the work."""
    return f"{index}: {how}"


def test_a_job_that_hangs_ends_its_worker_which_says_where_and_the_next_one_is_played():
    code = "from test_datagen_pool import played, time, LIMIT_S; played(0); time.sleep(LIMIT_S); played(0); played(1)"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert ended.stdout.splitlines() == ["('product', 0)"] * 2
    assert ended.returncode == 1
    assert "Timeout" in ended.stderr
    assert "in sleeper" in ended.stderr
