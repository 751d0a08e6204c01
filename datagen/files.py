"""Text files that outlast a crash, and folders that one process at a time may write to."""

import fcntl
import os
from pathlib import Path
from typing import IO

LOCK = ".lock"


def write_atomically(path: Path, text: str) -> None:
    """Replace a file as a whole: a reader, or a crash, meets the old text or the new one."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        put(file, text)
    os.replace(part, path)


def put(file: IO[str], text: str) -> None:
    """Append to an open file; the text is on the disk when this returns."""
    file.write(text)
    file.flush()
    os.fsync(file.fileno())


def locked(folder: Path) -> IO[str] | None:
    """A lock on a folder, held until it is closed or this process ends; None if another process holds it."""
    lock = (folder / LOCK).open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
