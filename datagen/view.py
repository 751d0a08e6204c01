"""Looks at demonstrations in the browser, or films one: `python -m datagen.view demos.h5 [--demo N] [--video out.mp4]`.

The browser needs the extra "viewer"; a film does not.
"""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import tyro
from rich.console import Console
from rich.progress import Progress

from assets.gl import RenderingError
from datagen import film, recording
from datagen.recording import Entry, Recordings, entries
from datagen.reel import Reel
from envs.interface import DexClutterError

VIEWER_PACKAGES = ("viser", "trimesh")


class UsageError(DexClutterError, ValueError):
    """The command asks for something that cannot be done; the message says what to do instead."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0, 1 for a file that cannot be read, 2 for bad usage."""

    def view(
        file: tyro.conf.Positional[Path],
        demo: int | None = None,
        port: int = 8080,
        host: str = "127.0.0.1",
        video: Path | None = None,
    ) -> int:
        """Look at a file of demonstrations.

        Args:
            file: the file, finished.
            demo: index of the demonstration to begin with, or of a failure that is kept apart; the first by default.
            port: where the viewer listens, the next free one if it is taken.
            host: for whom it listens: this machine alone by default, 0.0.0.0 for the whole network.
            video: write a film here (.mp4) instead of serving.
        """
        return run(file, demo, host, port, video)

    return tyro.cli(view, args=arguments, prog="python -m datagen.view", description=__doc__)


def run(file: Path, demo: int | None, host: str, port: int, video: Path | None) -> int:
    """Serve `file`, or film one demonstration of it. Returns the exit code."""
    try:
        check_usage(file, port, video)
        with recording.opened(file) as recordings:
            entry = chosen(recordings, demo)
            if video is not None:
                _film(entry, video)
            else:
                serve(recordings, entry, host, port)
    except UsageError as fault:
        print(f"datagen.view: {fault}", file=sys.stderr)
        return 2
    except (DexClutterError, RenderingError) as fault:
        print(f"datagen.view: {fault}", file=sys.stderr)
        return 1
    return 0


def check_usage(file: Path, port: int, video: Path | None) -> None:
    """Raises UsageError for arguments that cannot work."""
    if not file.is_file():
        raise UsageError(f"{file} is no file")
    if not 0 <= port < 65536:
        raise UsageError(f"--port is 0 to 65535; got {port}")
    if video is not None and video.suffix != ".mp4":
        raise UsageError(f"--video is a name that ends in .mp4; got {video}")
    if video is not None and not video.parent.is_dir():
        raise UsageError(f"folder {video.parent} does not exist")
    missing = [name for name in VIEWER_PACKAGES if importlib.util.find_spec(name) is None]
    if video is None and missing:
        how = "pip install 'dexclutter[viewer]', or make a film by --video out.mp4"
        raise UsageError(f"the viewer needs {', '.join(missing)}: {how}")


def chosen(recordings: Recordings, demo: int | None) -> Entry:
    """The demonstration asked for, failures kept apart among them. Raises UsageError where none has that index."""
    known = list(entries(recordings).values())
    if not known:
        raise UsageError(f"{recordings.path} holds no demonstrations")
    if demo is None:
        return known[0]
    for entry in known:
        if entry.name == f"demo_{demo}":
            return entry
    indices = ", ".join(entry.name.removeprefix("demo_") for entry in known[:10])
    more = ", and so on" if len(known) > 10 else ""
    raise UsageError(f"{recordings.path} holds no demonstration {demo}; there are {indices}{more}")


def serve(recordings: Recordings, entry: Entry, host: str, port: int) -> None:
    """Serve the viewer until it is interrupted."""
    from datagen.browser import Browser  # late: a film needs none of its packages

    browser = Browser(recordings, entry.label, host, port)
    Console().print(f"http://{'localhost' if host == '127.0.0.1' else host}:{browser.port}  (stop by Ctrl+C)")
    try:
        browser.run()
    except KeyboardInterrupt:
        return
    finally:
        browser.close()


def _film(entry: Entry, video: Path) -> None:
    reel = Reel(entry.read(), entry.file.hand, film.WIDTH)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task("filming", total=reel.steps)
        film.write_film(reel, video, lambda done, _: bars.update(task, completed=done))
    Console().print(f"film {video}", markup=False, highlight=False)


if __name__ == "__main__":
    sys.exit(main())
