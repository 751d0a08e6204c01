"""Pictures of a demonstration, compressed one by one as they are drawn, so that memory holds no raw film.

Lossless pictures are zlib streams, which HDF5's own deflate filter reads everywhere. Where the package `deflate`
(libdeflate) is installed it writes them: a little smaller and in half the time that zlib takes.
"""

import io
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import h5py
import numpy as np
from PIL import Image

try:
    import deflate
except ImportError:  # an extra: what is written differs in size alone
    deflate = None

# A picture of 640x480 took 72 kB and 4.9 ms with zlib at level 4, 66 kB and 6.7 ms at 6; with libdeflate 77 kB and
# 1.7 ms at level 1, 69 kB and 2.4 ms at 4, 66 kB and 3.1 ms at 6 (mean over the looks that a dataset has by default).
# Level 1: drawing and packing are most of the time that a demonstration takes, and a tenth of its size is cheap.
ZLIB_LEVEL, LIBDEFLATE_LEVEL = 4, 1
_MEMORY_LEVEL = 9  # the most that zlib takes; any reader reads it
# At quality 95 a picture took 41 kB and 0.9 ms as Pillow writes it unasked, 39 kB and 1.5 ms with Huffman tables of its
# own, 37 kB and 3.4 ms progressive, all with the same pixels; read in 1.1, 1.1 and 2.2 ms. 4:4:4 is a third larger.
_JPEG_HOW = {"subsampling": "4:2:0", "progressive": True}


@dataclass(frozen=True)
class Frames:
    """T frames of one shape and dtype uint8. shape: (T, H, W, ...); each chunk is one frame, deflated or as JPEG."""

    shape: tuple[int, ...]
    chunks: tuple[bytes, ...]
    jpeg_quality: int | None = None

    def __len__(self) -> int:
        return len(self.chunks)

    @property
    def is_jpeg(self) -> bool:
        """True if the frames lost something."""
        return self.jpeg_quality is not None

    @staticmethod
    def pack(frames: Iterable[np.ndarray], tail: tuple[int, ...], jpeg_quality: int | None = None) -> "Frames":
        """Compress frames of shape `tail`, uint8, as they come: without loss, or as JPEG (RGB only) of a quality."""
        chunks = tuple(_jpeg(frame, jpeg_quality) if jpeg_quality else _deflated(frame) for frame in frames)
        return Frames((len(chunks), *tail), chunks, jpeg_quality)

    def put(self, group: h5py.Group, key: str) -> None:
        """Write a dataset: (T, H, W, ...) uint8 with one deflated frame to a chunk, or T rows of JPEG bytes."""
        if self.is_jpeg:
            array = group.create_dataset(key, shape=(len(self),), dtype=h5py.vlen_dtype(np.uint8))
            for row, chunk in enumerate(self.chunks):
                array[row] = np.frombuffer(chunk, np.uint8)
            array.attrs["encoding"], array.attrs["quality"] = "jpeg", self.jpeg_quality
            array.attrs["shape"] = self.shape
            return
        level = {"compression": "gzip", "compression_opts": ZLIB_LEVEL}
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
    raw = np.ascontiguousarray(frame)
    if deflate is not None:
        return bytes(deflate.zlib_compress(raw.data.cast("B"), LIBDEFLATE_LEVEL))
    packer = zlib.compressobj(ZLIB_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS, _MEMORY_LEVEL)
    return packer.compress(raw) + packer.flush()


def _jpeg(frame: np.ndarray, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=quality, **_JPEG_HOW)
    return file.getvalue()
