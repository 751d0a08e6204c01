"""Pictures of a demonstration, compressed one by one as they are drawn, so that memory holds no raw film."""

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import h5py
import numpy as np
from PIL import Image

DEFLATE_LEVEL = 4  # of 1 to 9; see `benchmarks.speed.generation` for what it costs and saves
JPEG_QUALITY = 95
_MEMORY_LEVEL = 9  # the most that zlib takes; any reader reads it


@dataclass(frozen=True)
class Frames:
    """T frames of one shape and dtype uint8. shape: (T, H, W, ...); each chunk is one frame, deflated or as JPEG."""

    shape: tuple[int, ...]
    chunks: tuple[bytes, ...]
    is_jpeg: bool = False

    def __len__(self) -> int:
        return len(self.chunks)

    @staticmethod
    def pack(frames: Iterable[np.ndarray], tail: tuple[int, ...], jpeg: bool = False) -> "Frames":
        """Compress frames of shape `tail`, uint8, as they come: without loss, or as JPEG (RGB only)."""
        chunks = tuple(_jpeg(frame) if jpeg else _deflated(frame) for frame in frames)
        return Frames((len(chunks), *tail), chunks, jpeg)

    def put(self, group: h5py.Group, key: str) -> None:
        """Write a dataset: (T, H, W, ...) uint8 with one deflated frame to a chunk, or T rows of JPEG bytes."""
        if self.is_jpeg:
            array = group.create_dataset(key, shape=(len(self),), dtype=h5py.vlen_dtype(np.uint8))
            for row, chunk in enumerate(self.chunks):
                array[row] = np.frombuffer(chunk, np.uint8)
            array.attrs["encoding"], array.attrs["quality"] = "jpeg", JPEG_QUALITY
            array.attrs["shape"] = self.shape
            return
        level = {"compression": "gzip", "compression_opts": DEFLATE_LEVEL}
        array = group.create_dataset(key, shape=self.shape, dtype=np.uint8, chunks=(1, *self.shape[1:]), **level)
        for row, chunk in enumerate(self.chunks):
            array.id.write_direct_chunk((row, *(0 for _ in self.shape[1:])), chunk)

    @classmethod
    def decoded(cls: type[Self], rows: np.ndarray) -> np.ndarray:
        """What a dataset gave, with JPEG rows turned into pixels; (T, H, W, 3) uint8. Anything else stays as it is."""
        if rows.dtype != object or not len(rows) or not isinstance(rows[0], np.ndarray):
            return rows
        return np.stack([np.asarray(Image.open(io.BytesIO(row.tobytes()))) for row in rows])


def _deflated(frame: np.ndarray) -> bytes:
    packer = zlib.compressobj(DEFLATE_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, _MEMORY_LEVEL)
    return packer.compress(np.ascontiguousarray(frame)) + packer.flush()


def _jpeg(frame: np.ndarray) -> bytes:
    file = io.BytesIO()
    # 4:2:0 would smear the edges of a thin coloured target.
    Image.fromarray(frame).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()
