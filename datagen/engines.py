"""Where jobs are played: processes of this machine, or a Ray cluster. What an episode holds does not depend on it.

An engine takes indices and yields one result for each, in the order in which they finish; an episode is in its part
file, and on the disk, before its result is yielded. Closing the iterator ends the workers.
"""

import ctypes
import functools
import multiprocessing
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType

from datagen.generator import Generator as JobMaker
from datagen.generator import JobResult, Product, error_result
from datagen.jobs import Request, RequestError
from datagen.storage import DemoFile, StorageError
from envs.interface import DexClutterError

# A worker owns one core; and memory of episodes goes back to the system at once (glibc would keep it in pieces, and
# grow). Read before the libraries are there to ask, hence in the environment that the new interpreter inherits.
WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"),
    "MALLOC_MMAP_THRESHOLD_": "1000000",
}
JOB_LIMIT_S = 900.0  # wall time; a job takes seconds, so a worker that is silent this long hangs
FALSE_STARTS = 4  # workers lost before any has finished a job: then they cannot work at all
RAY_RETRIES = 10  # of a job whose worker or node died
_POLL_S = 1.0
_DIE_WITH_PARENT = 1  # Linux: prctl(PR_SET_PDEATHSIG)

Results = Generator[JobResult, None, None]


class EngineError(DexClutterError, RuntimeError):
    """Workers cannot be started at all, or the cluster is not there."""


def usable_cores() -> int:
    """How many cores this process may use, which in a container is often less than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_local(request: Request, path: Path, indices: Sequence[int], workers: int) -> Results:
    """Play jobs on `workers` processes. A job whose worker died or hung twice becomes a result with outcome "error".

    Raises StorageError when the disk is full, EngineError when workers die before they get to work.
    """
    queue, tries, losses, proven = deque(indices), dict.fromkeys(indices, 0), 0, False
    pool = [_Worker(request, path) for _ in range(min(max(1, workers), len(queue)))]
    try:
        for worker in pool:
            worker.send(queue.popleft())
        while any(worker.index is not None for worker in pool):
            wait([worker.connection for worker in pool if worker.index is not None], timeout=_POLL_S)
            for place, worker in enumerate(pool):
                index, result = worker.index, worker.poll()
                loss = worker.lost()
                if loss:
                    worker.stop()
                    pool[place] = worker = _Worker(request, path)
                    tries[index], losses = tries[index] + 1, losses + 1
                    if not proven and losses >= FALSE_STARTS:
                        raise EngineError(f"workers die before they get to work: {loss}")
                    if tries[index] > 1:
                        result = error_result(index, f"{loss}; a second try ended in the same way")
                    else:
                        queue.appendleft(index)
                proven = proven or (result is not None and not loss)
                if worker.index is None and queue:
                    worker.send(queue.popleft())
                if result is not None:
                    yield result
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """The parent's handle on one process: at most one job is out at a time."""

    def __init__(self, request: Request, path: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self.index: int | None = None
        self._sent_at, self._gone = 0.0, False
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, request, path, os.getpid()), daemon=True)
        with _started_alone():
            self._process.start()
        theirs.close()  # else the pipe would stay open after the process has died

    def send(self, index: int) -> None:
        """Hand out one job. A worker that has died meanwhile is noticed at the next poll."""
        self.index, self._sent_at = index, time.monotonic()
        try:
            self.connection.send(index)
        except OSError:
            self._gone = True

    def poll(self) -> JobResult | None:
        """The finished job, if there is one. Raises StorageError when it could not be written."""
        if self.index is None or self._gone:
            return None
        try:
            if not self.connection.poll():
                return None
            answer = self.connection.recv()
        except (EOFError, OSError):
            self._gone = True
            return None
        if isinstance(answer, str):
            raise StorageError(answer)
        self.index = None
        return answer

    def lost(self) -> str:
        """How the job that is out was lost, or an empty string."""
        if self.index is None:
            return ""
        if self._gone:
            self._process.join()
            return f"the worker process died (exit code {self._process.exitcode})"
        if time.monotonic() - self._sent_at > JOB_LIMIT_S:
            return f"the worker process gave no answer for {JOB_LIMIT_S:g} s of wall time"
        return ""

    def stop(self) -> None:
        """End the process now, whatever it is doing: it leaves whole episodes or none."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _serve(connection: Connection, request: Request, path: Path, parent: int) -> None:
    """The life of a worker: play the indices that arrive until the parent is gone."""
    _die_with(parent)
    maker, file = JobMaker(request), DemoFile(path)
    try:
        while True:
            product = maker.make(connection.recv())
            try:
                _keep(file, product)
            except OSError as fault:
                connection.send(f"{path}: an episode cannot be written ({fault.strerror or fault})")
            else:
                connection.send(product.result)
    except (EOFError, OSError):
        return


def _keep(file: DemoFile, product: Product) -> None:
    if product.content is not None:
        file.write_part(product.content, product.result.index, product.group)


def _die_with(parent: int) -> None:
    """Ask Linux to end this process with its parent, even one that is killed: it must not write after a resumed run."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def _started_alone() -> Iterator[None]:
    """One thread to a worker; and Ctrl-C, which reaches the whole process group, is for the parent to decide on."""
    before = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def run_ray(request: Request, path: Path, indices: Sequence[int], address: str | None) -> Results:
    """Play jobs on a Ray cluster; finished episodes come back here and are written here.

    address: of a running cluster, or None for one of this machine's own. A job whose node died is played elsewhere.
    Raises RequestError where Ray is not installed, EngineError where the cluster does not answer.
    """
    ray = require_ray()
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, include_dashboard=False)
    except (ConnectionError, RuntimeError, ValueError) as fault:
        raise EngineError(f"Ray cannot be reached at {address or 'this machine'} ({fault})") from fault
    make = ray.remote(num_cpus=1, max_retries=RAY_RETRIES)(_make)
    file, queue, out = DemoFile(path), deque(indices), {}
    try:
        while queue or out:
            # As many again as there are cores wait at the workers; more would only fill the memory of the nodes.
            room = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
            while queue and len(out) < room:
                index = queue.popleft()
                out[make.remote(request, index)] = index
            ready, _ = ray.wait(list(out), num_returns=1, timeout=_POLL_S)
            for task in ready:
                yield _collected(ray.get, task, out.pop(task), file)
    finally:
        for task in out:
            ray.cancel(task, force=True)


def require_ray() -> ModuleType:
    """The module `ray`. Raises RequestError where Ray is not installed."""
    try:
        import ray  # an extra: nothing else needs it
    except ImportError:
        raise RequestError("--engine ray needs Ray: install this package with the extra 'ray'") from None
    return ray


def _collected(get: Callable, task: object, index: int, file: DemoFile) -> JobResult:
    try:
        product = get(task)
    except Exception as fault:  # whatever the cluster did to the job is the job's error, and the run goes on
        return error_result(index, f"the cluster lost the job: {fault}")
    try:
        _keep(file, product)
    except OSError as fault:
        raise StorageError(f"{file.path}: an episode cannot be written ({fault.strerror or fault})") from fault
    return product.result


def _make(request: Request, index: int) -> Product:
    return _maker(request).make(index)


@functools.lru_cache(maxsize=1)
def _maker(request: Request) -> JobMaker:
    return JobMaker(request)
