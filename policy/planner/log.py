"""Everything that passes between planner and model, kept in a folder: exchanges.jsonl and one PNG for each picture."""

import hashlib
import io
import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

FILE = "exchanges.jsonl"
PICTURES = "pictures"


def png(rgb: np.ndarray) -> bytes:
    """The (H, W, 3) uint8 picture as a PNG file. Light compression: the picture goes over a fast wire."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


class ExchangeLog:
    """Appends one line for each exchange; safe to use from several threads. Without a folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        if folder is not None:
            (folder / PICTURES).mkdir(parents=True, exist_ok=True)

    def write(self, pictures: Sequence[bytes], **fields: Any) -> None:
        """Keep the PNG files, each under a name made from its content, and a line of JSON that names them."""
        if self.folder is None:
            return
        names = [f"{PICTURES}/{hashlib.sha256(data).hexdigest()[:16]}.png" for data in pictures]
        line = json.dumps(
            {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields, "pictures": names},
            ensure_ascii=False,
        )
        with self._lock:
            for name, data in zip(names, pictures, strict=True):
                if not (self.folder / name).exists():
                    (self.folder / name).write_bytes(data)
            with (self.folder / FILE).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
