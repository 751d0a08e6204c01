"""Makes demonstrations with the scripted expert: `python -m datagen.generate --episodes 2000 --out demos.h5`."""

import json
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from datagen import layout
from datagen.engines import Results, run_local, run_ray
from datagen.generator import ERROR, JobResult
from datagen.jobs import Request, RequestError, parse_cameras, parse_looks, parse_size, subset_of
from datagen.ledger import Ledger
from datagen.pool import NO_RAY, WorkerError, has_ray, usable_cores
from datagen.progress import Tally, joining, progress
from datagen.storage import DemoFile, StorageError
from datagen.versions import versions
from envs.episode import distribution
from envs.interface import EpisodeError


@dataclass(frozen=True)
class Options:
    """Make demonstrations: N scenes are attempted, the successes are kept. The same command gives the same content."""

    out: Path
    """HDF5 file to write, in robomimic's layout; until the end the episodes lie in <out>.parts."""
    episodes: int = 100
    """How many scenes to attempt; about 99 in 100 become demonstrations."""
    suite: str = "train"
    """Where scenes come from; train has the seen objects under training looks, without end."""
    first: int = 0
    """Index of the first scene."""
    seed: int = 0
    """For what is random beyond the scene: looks, disturbances, and the errors that grasps are tested with."""
    hand: str = "g0r"
    """The hand on the arm: g0r or rh56."""
    cameras: str = "head,wrist"
    """Pictures to keep: head (with the target's mask and box), wrist, or none for states only."""
    image_size: str = "640x480"
    """Width and height of the pictures in pixels."""
    images: str = "lossless"
    """lossless (read by any HDF5 reader) or jpeg1 to jpeg100 (jpeg95: half the size, rows are JPEG files)."""
    look_mix: str = "white=0.3,train=0.7"
    """Shares of looks: white, train (the scene's own), or the name of a training table."""
    recovery: float = 0.3
    """Share of scenes in which something goes wrong on purpose: a moved start, a shove, a missed or slipping grasp."""
    hold_seconds: float = 2.0
    """A grasp that after this time holds its target still is a success; 20 is the benchmark's own test to the end."""
    tolerant: bool = False
    """Prefer grasps that also hold a target 1 cm and 8 degrees off, as about six in seven do anyway; takes longer."""
    grasps: Literal["habit", "varied"] = "habit"
    """habit: one way to grasp that changes smoothly with where the target stands; varied: the expert's order."""
    keep_failures: bool = False
    """Keep failed episodes as well, apart from the others, in the group data_failed."""
    workers: int | Literal["auto"] = "auto"
    """Worker processes; auto is one per usable core."""
    engine: Literal["local", "ray"] = "local"
    """Where the work is done."""
    ray_address: str | None = None
    """Address of a running Ray cluster; without it Ray starts one on this machine."""
    resume: bool = False
    """Go on with a run that was stopped or killed, or ask for more scenes of one that is complete."""

    def request(self) -> Request:
        """What decides the content. Raises RequestError or EpisodeError for what cannot be."""
        return Request(
            suite=self.suite,
            version=distribution(self.suite).version,
            first=self.first,
            episodes=self.episodes,
            seed=self.seed,
            hand=self.hand,
            cameras=parse_cameras(self.cameras),
            image_size=parse_size(self.image_size),
            images=self.images,
            looks=parse_looks(self.look_mix),
            recovery=self.recovery,
            hold_s=self.hold_seconds,
            tolerant=self.tolerant,
            grasps=self.grasps,
            keep_failures=self.keep_failures,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 0 complete, 1 errors or a full disk, 2 bad usage, 130 stopped."""
    options = tyro.cli(Options, args=arguments, prog="python -m datagen.generate", description=__doc__)
    console = Console()
    try:
        request = options.request()
        workers = usable_cores() if options.workers == "auto" else options.workers
        if workers < 1:
            raise RequestError(f"--workers must be at least 1, got {workers}")
        if options.engine == "ray" and not has_ray():
            raise RequestError(NO_RAY)
        ledger = Ledger(DemoFile(options.out), request, resume=options.resume)
    except (RequestError, EpisodeError) as fault:
        print(f"datagen.generate: {fault}", file=sys.stderr)
        return 2
    except StorageError as fault:
        print(f"datagen.generate: {fault}", file=sys.stderr)
        return 1
    try:
        return _generate(options, request, ledger, workers, console)
    except RequestError as fault:
        print(f"datagen.generate: {fault}", file=sys.stderr)
        return 2
    except (StorageError, WorkerError, OSError) as fault:
        kept = sum(result.success for result in ledger.results.values())
        print(
            f"datagen.generate: {fault}\nNothing is lost: {kept} finished demonstrations are kept. "
            f"Once that is mended, go on with\n  {_again(options)}",
            file=sys.stderr,
        )
        return 1
    finally:
        ledger.close()


def _generate(options: Options, request: Request, ledger: Ledger, workers: int, console: Console) -> int:
    missing = ledger.missing()
    tally = Tally(request.episodes, list(ledger.results.values()), ledger.file)
    errors: list[JobResult] = []
    if options.engine == "ray":
        results = run_ray(request, options.out, missing, options.ray_address)
    else:
        results = run_local(request, options.out, missing, workers)
    with progress(console, tally) as show:
        finished = _play(results, ledger, tally, errors, show)
    if not finished:
        done, again = len(ledger.results), _again(options)
        console.print(f"Stopped. {done} of {request.episodes} scenes are done; go on with\n  {again}", soft_wrap=True)
        return 130
    if missing or not options.out.exists():
        _join(options, request, ledger, console)
    else:
        ledger.file.discard_parts()
    console.print(tally.last_words(options.out), highlight=False, soft_wrap=True)
    if errors:
        console.print(f"{len(errors)} scenes were lost by errors of ours: see {_errors_path(options)}", soft_wrap=True)
    return 1 if errors else 0


def _play(
    results: Results, ledger: Ledger, tally: Tally, errors: list[JobResult], show: Callable[[Tally], None]
) -> bool:
    """Take in results as they come; False if Ctrl-C came first."""
    try:
        for result in results:
            ledger.append(result)
            tally.add(result)
            if result.outcome == ERROR:
                errors.append(result)
                with _errors_file(ledger.file.path).open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"index": result.index, "error": result.error}) + "\n")
            show(tally)
    except KeyboardInterrupt:
        return False
    finally:
        results.close()
    return True


def _join(options: Options, request: Request, ledger: Ledger, console: Console) -> None:
    names = ledger.file.names()
    masks: dict[str, list[str]] = {"train": [], "valid": []}
    for name in names:
        masks[subset_of(request.suite, int(name.removeprefix("demo_")))].append(name)
    attributes = {
        "names": json.dumps(layout.names(request.cameras, request.image_size)),
        "asked": json.dumps(request.as_dict()),
        "expert": "privileged: reads the simulator",
    }
    known = layout.env_args(request.suite, request.hand, versions()["dexclutter"], request.cameras, request.image_size)
    with joining(console, len(names)) as show:
        ledger.file.finish(known, masks, attributes, ledger.table(), show)


def _errors_path(options: Options) -> Path:
    return _errors_file(options.out)


def _errors_file(path: Path) -> Path:
    return path.with_name(path.name + ".errors.jsonl")


def _again(options: Options) -> str:
    words = ["python", "-m", "datagen.generate", "--out", str(options.out)]
    for name, field in Options.__dataclass_fields__.items():
        value = getattr(options, name)
        if name not in ("out", "resume") and value != field.default:
            flag = f"--{name.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
    return shlex.join([*words, "--resume"])


if __name__ == "__main__":
    sys.exit(main())
