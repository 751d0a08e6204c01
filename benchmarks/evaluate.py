"""Plays a list of episodes on a pool of processes and yields their results, whatever becomes of a worker.

Each worker is a fresh interpreter that builds its own runner (environment and policy) and is sent one index at a
time, so that nothing an episode sees depends on which worker plays it or on what was played before.
"""

import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from benchmarks.errors import WorkerError
from envs.interface import DexClutterError, EpisodeResult
from policy.build import AgentOptions

# A worker owns one core: threads inside it would only fight with its neighbours, and a sum over two threads is not the
# same to the bit as one over one, so that rows would depend on the number of workers. These must be set before the
# libraries (torch too reads them) are imported, hence in the environment that the new interpreter inherits.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
EPISODE_LIMIT_S = 900.0  # wall time; an episode takes seconds, so a worker that is silent this long hangs
_POLL_S = 1.0


@dataclass(frozen=True)
class Plan:
    """All that a worker must know to play any episode of a run. Plain values: it crosses to another process."""

    suite: str
    version: int
    policy: str
    hand: str
    attempts: int = 1
    media_dir: str | None = None  # where thumbnails of failures and videos go
    videos: tuple[int, ...] = ()  # indices to film
    demos: str | None = None  # HDF5 file to which successful episodes are recorded
    agent: AgentOptions | None = None  # what stands around a trained controller
    checkpoint: str = ""  # fingerprint of the controller's file


Runner = Callable[[int], EpisodeResult]
RunnerFactory = Callable[[Plan], Runner]


def usable_cores() -> int:
    """How many cores this process may use, which in a container is often less than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def error_result(plan: Plan, index: int, text: str) -> EpisodeResult:
    """The row of an episode that was lost by our own fault; `text` says how."""
    return EpisodeResult(
        suite=plan.suite,
        version=plan.version,
        index=index,
        spec_hash="",
        instruction="",
        target="",
        family="",
        objects=0,
        outcome="error",
        success=False,
        attempts=0,
        attempt_outcomes=(),
        steps=0,
        policy_s=0.0,
        lift_s=None,
        max_contact_force_n=0.0,
        max_neighbour_motion_m=0.0,
        slip_m=None,
        error=text,
    )


def evaluate(
    plan: Plan, indices: Sequence[int], workers: int, factory: RunnerFactory, limit_s: float = EPISODE_LIMIT_S
) -> Generator[EpisodeResult, None, None]:
    """Yield one result per index, in the order in which they finish.

    factory: importable by name, since it is called in the workers. An exception in an episode becomes a row with
    outcome "error"; so does an episode whose worker died or hung twice. Raises WorkerError if `factory` itself fails.
    Closing the iterator ends the workers.
    """
    queue = deque(indices)
    tries: dict[int, int] = {}
    pool = [_Worker(plan, factory) for _ in range(max(1, min(workers, len(queue))))] if queue else []
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
                    tries[index] = tries.get(index, 0) + 1
                    if tries[index] > 1:
                        result = error_result(plan, index, f"{loss}; a second try ended in the same way")
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
    """The parent's handle on one process: at most one index is out at a time."""

    def __init__(self, plan: Plan, factory: RunnerFactory, false_starts: int = 0) -> None:
        context = multiprocessing.get_context("spawn")
        self._plan, self._factory, self._false_starts = plan, factory, false_starts
        self._ready, self._gone, self._sent_at = False, False, 0.0
        self.index: int | None = None
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, plan, factory), daemon=True)
        with _environment(ONE_THREAD), _interrupts_blocked():
            self._process.start()
        theirs.close()  # else the pipe would stay open after the process has died

    def send(self, index: int) -> None:
        """Hand out one episode. A worker that has died meanwhile is noticed at the next poll."""
        self.index, self._sent_at = index, time.monotonic()
        try:
            self.connection.send(index)
        except OSError:
            self._gone = True

    def poll(self) -> EpisodeResult | None:
        """The finished episode, if there is one. Raises WorkerError if the runner could not be built."""
        try:
            while not self._gone and self.index is not None and self.connection.poll():
                kind, value = self.connection.recv()
                if kind == "broken":
                    raise WorkerError(f"a worker could not build its environment and policy:\n{value}")
                self._ready = True
                if kind == "result":
                    self.index = None
                    return value
        except (EOFError, OSError):
            self._gone = True
        return None

    def lost(self, limit_s: float) -> str:
        """How the episode that is out was lost, or an empty string."""
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
        return _Worker(self._plan, self._factory, false_starts)

    def stop(self) -> None:
        """End the process now, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, plan: Plan, factory: RunnerFactory) -> None:
    """The life of a worker: build a runner, then play the indices that arrive until the parent is gone."""
    try:
        runner = _build(connection, plan, factory)
        while runner is not None:
            index = connection.recv()
            try:
                connection.send(("result", runner(index)))
            except Exception:  # the one place that turns any fault of ours into a row instead of a crash
                connection.send(("result", error_result(plan, index, traceback.format_exc())))
                # What the fault left behind must not reach the next episode.
                runner = _build(connection, plan, factory)
    except (EOFError, OSError):
        return


def _build(connection: Connection, plan: Plan, factory: RunnerFactory) -> Runner | None:
    try:
        runner = factory(plan)
    except DexClutterError as fault:  # says what to do; where it happened in the code does not help
        connection.send(("broken", str(fault)))
        return None
    except Exception:
        connection.send(("broken", traceback.format_exc()))
        return None
    connection.send(("ready", None))
    return runner


def _exit_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


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
