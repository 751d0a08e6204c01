"""Runs a test in an interpreter of its own. A fork of one that has loaded torch inherits locks that nobody opens."""

import functools
import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor


def in_a_fresh_process(test: Callable[..., None]) -> Callable[..., None]:
    """The same test, elsewhere. Its arguments must survive pickling; fixtures that do not cannot be used."""

    @functools.wraps(test)
    def run(*args: object, **kwargs: object) -> None:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            pool.submit(_called, test.__module__, test.__name__, args, kwargs).result()

    return run


def _called(module: str, name: str, args: tuple, kwargs: dict) -> None:
    getattr(importlib.import_module(module), name).__wrapped__(*args, **kwargs)
