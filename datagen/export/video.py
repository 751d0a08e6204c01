"""Frames into an mp4, one process of ffmpeg per file, fed as the frames come."""

import contextlib
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from datagen.export.source import ExportError

# Pairs of key frame and difference: a random frame costs at most two decodings. No B-frames, so that frame i is shown
# at exactly i / rate. One thread each: the cameras run side by side, and the bits do not depend on the machine.
_COMMON = "-g 2 -bf 0 -threads 1 -pix_fmt yuv420p"
CODECS = {
    "h264": f"-c:v libx264 -crf 20 -preset veryfast {_COMMON}",
    "av1": "-c:v libsvtav1 -crf 30 -preset 10 -svtav1-params lp=1 -g 2 -pix_fmt yuv420p",
    "h264-lossless": f"-c:v libx264 -qp 0 -preset veryfast {_COMMON}",  # for masks: 0 and 255 come back as they were
}


class VideoWriter:
    """One mp4 file that grows by frames (H, W, 3) uint8 RGB of one even size.

    Raises ExportError for an odd size, for an unknown codec, and when ffmpeg fails (it says why).
    """

    def __init__(self, path: Path, size: tuple[int, int], rate_hz: int, codec: str = "h264") -> None:
        import imageio_ffmpeg

        if codec not in CODECS:
            raise ExportError(f"unknown video codec {codec!r}; choose one of: {', '.join(CODECS)}")
        if size[0] % 2 or size[1] % 2:
            raise ExportError(f"video needs an even width and height, the pictures are {size[0]} x {size[1]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.frames = path, 0
        self._shape = (size[1], size[0], 3)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process that writes to it
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y",
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(rate_hz), "-i", "pipe:0",
            "-an", *CODECS[codec].split(), "-movflags", "+faststart", str(path),
        ]  # fmt: skip
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors)

    def write(self, frames: np.ndarray) -> None:
        """Append frames (T, H, W, 3) uint8."""
        if frames.shape[1:] != self._shape:
            raise ExportError(f"{self.path.name}: a frame has shape {frames.shape[1:]}, those before {self._shape}")
        try:
            for frame in frames:
                self._process.stdin.write(np.ascontiguousarray(frame).data)
        except BrokenPipeError:
            self._failed()
        self.frames += len(frames)

    def close(self) -> None:
        """Finish the file."""
        self._process.stdin.close()
        if self._process.wait() != 0:
            self._failed()
        self._errors.close()

    def abandon(self) -> None:
        """Stop without a finished file; nothing if it is closed already."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if not self._process.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # what was not yet written has nobody to read it any more
                self._process.stdin.close()
        self._errors.close()

    def _failed(self) -> None:
        self._process.wait()
        self._errors.seek(0)
        said = self._errors.read().decode(errors="replace").strip()[-500:]
        raise ExportError(f"{self.path.name}: ffmpeg ended with {self._process.returncode}: {said}")
