"""Where demonstrations are made: on processes of this machine or on a Ray cluster, which makes no difference to them.

An engine takes indices and yields one result for each; an episode is in its part file, and on the disk, before its
result is yielded. On a cluster finished episodes come back here and are written here.
"""

from collections.abc import Callable, Generator, Sequence
from functools import partial
from pathlib import Path

from datagen import pool
from datagen.generator import Generator as JobMaker
from datagen.generator import JobResult, Product, error_result
from datagen.jobs import Request
from datagen.storage import DemoFile, StorageError

# Memory of episodes goes back to the system at once; glibc would keep it in pieces, and grow.
ENVIRONMENT = {**pool.ONE_THREAD, "MALLOC_MMAP_THRESHOLD_": "1000000"}

Results = Generator[JobResult, None, None]


def run_local(request: Request, path: Path, indices: Sequence[int], workers: int) -> Results:
    """Play jobs on `workers` processes. A job whose worker died or hung twice becomes a result with outcome "error".

    Raises StorageError when the disk is full, WorkerError when workers die before they get to work.
    """
    return pool.run_local(_work(request, path), indices, workers)


def run_ray(request: Request, path: Path, indices: Sequence[int], address: str | None) -> Results:
    """Play jobs on a Ray cluster, or on one of this machine's own if `address` is None.

    Raises StorageError when the disk is full, WorkerError where the cluster does not answer.
    """
    return pool.run_ray(_work(request, path), indices, address)


def keep(path: Path, product: Product) -> JobResult:
    """Write a finished job's episode, if there is one. Raises StorageError when it cannot be written."""
    if product.content is not None:
        try:
            DemoFile(path).write_part(product.content, product.result.index, product.group)
        except OSError as fault:
            raise StorageError(f"{path}: an episode cannot be written ({fault.strerror or fault})") from fault
    return product.result


def _work(request: Request, path: Path) -> pool.Work:
    return pool.Work(partial(_maker, request), partial(keep, path), error_result, ENVIRONMENT)


def _maker(request: Request) -> Callable[[int], Product]:
    return JobMaker(request).make
