"""The content of a file of demonstrations as one number, whatever order or machine it was written in."""

import hashlib
import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

IGNORED = ("versions", "env_version", "written", "seconds")  # attributes, and keys of JSON: they change by themselves
_ROWS = 16  # of a dataset at a time: memory stays flat


def content_hash(path: str | Path) -> str:
    """Hex digits over all names, attributes and array contents of an HDF5 file.

    How the arrays are chunked and compressed does not matter, nor do versions and times.
    """
    sha = hashlib.sha256()
    with h5py.File(path, "r") as file:
        _feed_group(sha, file)
    return sha.hexdigest()


def _feed_group(sha: Any, group: h5py.Group) -> None:
    _feed_attributes(sha, group)
    for name in sorted(group):
        node = group[name]
        sha.update(f"\n{node.name}:".encode())
        if isinstance(node, h5py.Group):
            _feed_group(sha, node)
        else:
            _feed_array(sha, node)


def _feed_attributes(sha: Any, node: h5py.Group | h5py.Dataset) -> None:
    for key in sorted(node.attrs):
        if key not in IGNORED:
            sha.update(f"@{key}={_plain(node.attrs[key])!r};".encode())


def _plain(value: Any) -> Any:
    """An attribute as a plain value, JSON without what is ignored."""
    if isinstance(value, bytes | str):
        text = value.decode() if isinstance(value, bytes) else value
        try:
            known = json.loads(text)
        except ValueError:
            return text
        return {k: v for k, v in sorted(known.items()) if k not in IGNORED} if isinstance(known, dict) else known
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _feed_array(sha: Any, array: h5py.Dataset) -> None:
    _feed_attributes(sha, array)
    sha.update(f"{array.dtype}{array.shape}".encode())
    if array.shape == ():
        sha.update(repr(_plain(array[()])).encode())
        return
    for start in range(0, len(array), _ROWS):
        rows = array[start : start + _ROWS]
        if rows.dtype == object:
            for row in rows:
                sha.update(bytes(row) if isinstance(row, bytes | np.ndarray) else str(row).encode())
                sha.update(b";")
        else:
            sha.update(np.ascontiguousarray(rows).tobytes())
