"""Plays jobs on processes of this machine or on a Ray cluster, whatever becomes of a worker.

A job is an index. Each worker is a fresh interpreter that builds its own player and is sent one index at a time, so
nothing in a job depends on which worker plays it or on what was played before. Results come in the order in which the
jobs finish; closing the iterator ends the workers.
"""

import ctypes
import faulthandler
import functools
import importlib.util
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from types import ModuleType
from typing import Any

from envs.interface import DexClutterError

# A worker owns one core: threads inside it would only fight with its neighbours, and a sum over two threads is not the
# same to the bit as one over one, so that results would depend on the number of workers. These must be set before the
# libraries (torch too reads them) are imported, hence in the environment that the new interpreter inherits.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
JOB_LIMIT_S = 900.0  # wall time; a job takes seconds, so a worker that is silent this long hangs
RAY_RETRIES = 10  # of a job whose worker or node died
_STDERR = 2  # as a file descriptor: Ray puts an object that has none in place of sys.stderr
NO_RAY = "--engine ray needs Ray: install this package with the extra 'ray'"
_POLL_S = 1.0
_DIE_WITH_PARENT = 1  # Linux: prctl(PR_SET_PDEATHSIG)


class WorkerError(DexClutterError, RuntimeError):
    """Workers cannot be started at all, or the cluster is not there."""


@dataclass(frozen=True)
class Work:
    """What is to be done with an index. The functions cross to other processes: importable by name, or partials.

    build: makes a worker's player, index -> product. An exception of the player costs its job alone.
    keep: product -> result, and puts on the disk what belongs there: in the worker, or on a cluster in this process.
        Its DexClutterError stops the run.
    lost: (index, how) -> the result of a job that was lost by our own fault.
    environment: variables of the workers' processes.
    """

    build: Callable[[], Callable[[int], Any]]
    keep: Callable[[Any], Any]
    lost: Callable[[int, str], Any]
    environment: Mapping[str, str] = field(default_factory=lambda: ONE_THREAD)


def usable_cores() -> int:
    """How many cores this process may use, which in a container is often less than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(
    work: Work, indices: Sequence[int], workers: int, limit_s: float = JOB_LIMIT_S
) -> Generator[Any, None, None]:
    """Yield one result per index from `workers` processes. A job whose worker died or hung twice is lost.

    Raises WorkerError when no player can be built or workers die before they get to work.
    """
    queue, tries = deque(indices), Counter()
    pool = [_Worker(work) for _ in range(min(max(1, workers), len(queue)))]
    try:
        for worker in pool:
            worker.send(queue.popleft())
        while any(worker.index is not None for worker in pool):
            wait([worker.connection for worker in pool if worker.index is not None], timeout=_POLL_S)
            for place, worker in enumerate(pool):
                if worker.index is None:
                    continue
                index, result, loss = worker.index, worker.poll(), worker.lost(limit_s)
                if loss:
                    pool[place] = worker = worker.replaced()
                    tries[index] += 1
                    if tries[index] > 1:
                        result = work.lost(index, f"{loss}; a second try ended in the same way")
                    else:
                        queue.appendleft(index)
                if worker.index is None and queue:
                    worker.send(queue.popleft())
                if result is not None:
                    yield result
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """The parent's handle on one process: at most one job is out at a time."""

    def __init__(self, work: Work, false_starts: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._work, self._false_starts = work, false_starts
        self._ready, self._gone, self._sent_at = False, False, 0.0
        self.index: int | None = None
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, work, os.getpid()), daemon=True)
        with _environment(work.environment), _interrupts_blocked():
            self._process.start()
        theirs.close()  # else the pipe would stay open after the process has died

    def send(self, index: int) -> None:
        """Hand out one job. A worker that has died meanwhile is noticed at the next poll."""
        self.index, self._sent_at = index, time.monotonic()
        try:
            self.connection.send(index)
        except OSError:
            self._gone = True

    def poll(self) -> Any:
        """The result of the finished job, if there is one. Raises what has to stop the run."""
        try:
            while not self._gone and self.index is not None and self.connection.poll():
                kind, value = self.connection.recv()
                if kind == "stop":
                    raise value
                self._ready = True
                if kind == "result":
                    self.index = None
                    return value
        except (EOFError, OSError):
            self._gone = True
        return None

    def lost(self, limit_s: float) -> str:
        """How the job that is out was lost, or an empty string."""
        if self.index is None:
            return ""
        if self._gone:
            self._process.join()
            return f"the worker process died ({_exit_words(self._process.exitcode)})"
        if time.monotonic() - self._sent_at > limit_s:
            return f"the worker process gave no answer for {limit_s:g} s of wall time"
        return ""

    def replaced(self) -> "_Worker":
        """A new worker in this one's place. Raises WorkerError when workers die before they get to work."""
        self.stop()
        false_starts = 0 if self._ready else self._false_starts + 1
        if false_starts > 1:
            raise WorkerError(f"workers die while starting ({_exit_words(self._process.exitcode)})")
        return _Worker(self._work, false_starts)

    def stop(self) -> None:
        """End the process now, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self.connection.close()


class _Player:
    """What plays the jobs of a worker, on any engine: built once, and afresh after a fault."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._play: Callable[[int], Any] | None = None

    def build(self) -> None:
        """Make it, if it is not there. Raises WorkerError if it cannot be made."""
        if self._play is not None:
            return
        said = "a worker could not build its environment and policy"
        try:
            self._play = self._work.build()
        except DexClutterError as fault:  # says what to do; where it happened in the code does not help
            raise WorkerError(f"{said}:\n{fault}") from None
        except Exception:
            raise WorkerError(f"{said}:\n{traceback.format_exc()}") from None

    def play(self, index: int) -> tuple[str, Any]:
        """("product", the product), or ("lost", how) after a fault. Raises WorkerError as `build` does."""
        self.build()
        try:
            return "product", self._play(index)
        except Exception:  # the one place that turns any fault of ours into a row instead of a crash
            self._play = None  # What the fault left behind must not reach the next job.
            return "lost", traceback.format_exc()


def _serve(connection: Connection, work: Work, parent: int) -> None:
    """The life of a worker: build a player, then play the indices that arrive until the parent is gone."""
    _die_with(parent)
    player = _Player(work)
    try:
        try:
            player.build()
            connection.send(("ready", None))
            while True:
                index = connection.recv()
                kind, value = player.play(index)
                result = work.keep(value) if kind == "product" else work.lost(index, value)
                connection.send(("result", result))
        except DexClutterError as fault:
            connection.send(("stop", fault))
            connection.recv()  # wait for the end
    except (EOFError, OSError):
        return


def _exit_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _die_with(parent: int) -> None:
    """Ask Linux to end this process with its parent, even one that is killed: it must not write after a resumed run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Ctrl-C reaches the whole process group; a process started inside never sees it, so the parent alone decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def has_ray() -> bool:
    """Whether Ray, which is an extra, is installed."""
    return importlib.util.find_spec("ray") is not None


def cluster_cores(address: str | None) -> int:
    """How many cores a Ray cluster has to offer. Raises WorkerError where it does not answer."""
    return max(1, int(_cluster(address).cluster_resources().get("CPU", 1)))


def run_ray(
    work: Work, indices: Sequence[int], address: str | None, limit_s: float = JOB_LIMIT_S
) -> Generator[Any, None, None]:
    """Yield one result per index from a Ray cluster. A job that hung, or whose worker died, is played elsewhere.

    address: of a running cluster, or None for one of this machine's own.
    Raises WorkerError where the cluster does not answer or no player can be built.
    """
    ray = _cluster(address)
    # One value, equal for every job, by which a worker knows its player again.
    packed = pickle.dumps(work)
    how = {"num_cpus": 1, "max_retries": RAY_RETRIES, "runtime_env": {"env_vars": dict(work.environment)}}
    play = ray.remote(**how)(_play_packed)
    queue, out = deque(indices), {}
    try:
        while queue or out:
            # As many again as there are cores wait at the workers; more would only fill the memory of the nodes.
            while queue and len(out) < 2 * cluster_cores(address):
                index = queue.popleft()
                out[play.remote(packed, index, limit_s)] = index
            ready, _ = ray.wait(list(out), num_returns=1, timeout=_POLL_S)
            for task in ready:
                kind, value = _collected(ray.get, task)
                if kind == "stop":
                    raise WorkerError(value)
                index = out.pop(task)
                yield work.keep(value) if kind == "product" else work.lost(index, value)
    finally:
        for task in out:
            ray.cancel(task, force=True)


def _cluster(address: str | None) -> ModuleType:
    """The module `ray`, connected."""
    import ray  # an extra: nothing else needs it

    if not ray.is_initialized():
        # Without any address Ray would look for the cluster that was started here last, also where that has crashed.
        address = address or os.environ.get("RAY_ADDRESS")
        try:
            ray.init(address=address or "local", log_to_driver=False, include_dashboard=False)
        except Exception as fault:  # a plain one, too, when it has not started in time
            raise WorkerError(f"Ray cannot be reached at {address or 'this machine'} ({fault})") from fault
    return ray


def _collected(get: Callable, task: object) -> tuple[str, Any]:
    try:
        return get(task)
    except Exception as fault:  # whatever the cluster did to the job is the job's error, and the run goes on
        return "lost", f"the cluster lost the job: {fault}"


def _play_packed(packed: bytes, index: int, limit_s: float) -> tuple[str, Any]:
    # Nobody looks at the clock of a worker elsewhere, so one that hangs ends itself; its log says where it hung.
    faulthandler.dump_traceback_later(limit_s, exit=True, file=_STDERR)
    try:
        return _player(packed).play(index)
    except WorkerError as fault:
        return "stop", str(fault)
    finally:
        faulthandler.cancel_dump_traceback_later()


@functools.lru_cache(maxsize=1)
def _player(packed: bytes) -> _Player:
    return _Player(pickle.loads(packed))
