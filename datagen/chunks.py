"""Where in a file the frames of a dataset lie, so that one frame costs one read and one decompression."""

import io
import zlib
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from PIL import Image

try:
    import deflate
except ImportError:  # an extra: the frames are the same, twice as fast
    deflate = None

_DEFLATE, _SHUFFLE = h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE
_UNDONE_HERE = ((), (_DEFLATE,), (_SHUFFLE, _DEFLATE))


@dataclass(frozen=True, eq=False)
class StoredFrames:
    """The frames of one dataset. `offsets` is None where only HDF5 itself can read them.

    shape: (T, H, W, ...), or (T,) for encoded images; offsets, sizes: (T,) int64 in bytes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    offsets: np.ndarray | None = None
    sizes: np.ndarray | None = None
    filters: tuple[int, ...] = ()

    @staticmethod
    def of(dataset: h5py.Dataset) -> "StoredFrames":
        """The places of the chunks, if each holds one whole frame behind filters that are undone here."""
        plist = dataset.id.get_create_plist()
        filters = tuple(plist.get_filter(i)[0] for i in range(plist.get_nfilters()))
        whole_frames = dataset.ndim > 1 and dataset.chunks == (1, *dataset.shape[1:])
        if not whole_frames or filters not in _UNDONE_HERE:
            return StoredFrames(dataset.shape, dataset.dtype)
        offsets = np.full(len(dataset), -1, np.int64)  # stays so for a chunk that was never written
        sizes = np.zeros(len(dataset), np.int64)
        skipped_filters = []

        def note(chunk: Any) -> None:
            row = chunk.chunk_offset[0]
            offsets[row], sizes[row] = chunk.byte_offset, chunk.size
            skipped_filters.append(chunk.filter_mask)

        dataset.id.chunk_iter(note)
        if any(skipped_filters) or (offsets < 0).any():
            return StoredFrames(dataset.shape, dataset.dtype)
        return StoredFrames(dataset.shape, dataset.dtype, offsets, sizes, filters)

    def from_chunk(self, raw: bytes) -> np.ndarray:
        """The frame that the bytes of its chunk hold. Raises ValueError for damaged ones."""
        shape = self.shape[1:]
        wanted = int(np.prod(shape)) * self.dtype.itemsize
        content = _inflated(raw, wanted) if _DEFLATE in self.filters else raw
        if len(content) != wanted:
            raise ValueError(f"a frame has {len(content)} bytes, should have {wanted}")
        values = np.frombuffer(content, np.uint8)
        if _SHUFFLE in self.filters and self.dtype.itemsize > 1:
            values = np.ascontiguousarray(values.reshape(self.dtype.itemsize, -1).T)
        frame = values.view(self.dtype).reshape(shape)
        return frame if frame.flags.writeable else frame.copy()  # torch objects to memory that is read-only

    def from_row(self, row: np.ndarray) -> np.ndarray:
        """The frame that HDF5 gave: pixels, or the bytes of an image file where the dataset holds those."""
        if h5py.check_vlen_dtype(self.dtype) is None:
            return row
        return np.array(Image.open(io.BytesIO(row.tobytes())))


def _inflated(raw: bytes, size: int) -> bytes | bytearray:
    """The content of a zlib stream that should have `size` bytes."""
    if deflate is None:
        try:
            return zlib.decompress(raw, bufsize=size)
        except zlib.error as fault:
            raise ValueError(str(fault)) from fault
    try:
        return deflate.zlib_decompress(raw, size)
    except deflate.DeflateError as fault:
        raise ValueError(str(fault)) from fault
