"""Runs the frozen towers over the frames that training needs, in one process or in several."""

import multiprocessing
import os
import queue
import threading
import time
from collections.abc import Sequence
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from datagen.sights import MASK, Sights
from envs import spec
from policy.controller.jitter import jittered
from policy.controller.tower import Tower
from policy.controller.towers import get_tower
from policy.controller.views import observed, zoomed
from policy.training.demos import Track
from policy.training.errors import TrainingError
from policy.training.features import Plan, Show, total_frames, write_about, write_shard
from policy.training.memory import keep_freed

BATCH = 16  # pictures of one pass through a tower on a CPU
GPU_BATCH = 256
_ORPHAN_CHECK_S = 1.0


class Extractor:
    """Features of the demonstrations of one plan."""

    def __init__(self, plan: Plan, towers: dict[str, Tower]) -> None:
        self.plan, self.towers = plan, towers
        self.sights = Sights(plan.path)
        self.batch = BATCH if plan.device == "cpu" else GPU_BATCH

    def shard(self, number: int, note: Show) -> dict[str, np.ndarray]:
        """The arrays of a shard. note(frames done since the last call, 0) is called after each demonstration."""
        parts = []
        for k in self.plan.shards[number]:
            parts.append(self.demonstration(self.plan.tracks[k], self.plan.starts[k]))
            note(len(self.plan.starts[k]), 0)
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def demonstration(self, track: Track, steps: np.ndarray) -> dict[str, np.ndarray]:
        """The arrays of one demonstration, its frames at `steps`."""
        config, views = self.plan.config, self.plan.views
        pictures: dict[str, list[Tensor]] = {"head": [], "wrist": []}
        masks = []
        for step in steps:
            images = self.sights[track.first + int(step)]
            head, wrist, mask = observed(config, images[spec.HEAD], images[spec.WRIST], images[MASK])
            masks.append(_packed(mask))
            for view in range(views):
                for key, picture, salt in (("head", head, 1), ("wrist", wrist, 2)):
                    pictures[key].append(self._jittered(picture, track, int(step), view, salt))
        shape = (len(steps), views)
        found = {key: self._features(key, made, shape) for key, made in pictures.items()}
        start = self.sights[track.first]
        small = observed(config, start[spec.HEAD], start[spec.WRIST], start[MASK])[2]
        width = len(_packed(small))
        found["mask"] = np.stack(masks) if masks else np.zeros((0, width), np.uint8)
        if config.geometry:
            found["start_mask"] = _packed(small)[None]
        if config.target is not None:
            zoom = zoomed(start[spec.HEAD], start[MASK], config.target)
            made = [self._jittered(zoom, track, 0, view, 3) for view in range(views)]
            found["target"] = self._features("target", made, (1, views))
        return found

    def _jittered(self, picture: Tensor, track: Track, step: int, view: int, salt: int) -> Tensor:
        """(3, h, w) uint8 -> float in 0..1; each picture has its own draw, the same on every machine."""
        image = picture.float() / 255.0
        if not self.plan.jitter_views:
            return image
        words = [self.plan.seed, track.first, step, view, salt]
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))
        return jittered(image[None], self.plan.config.jitter, generator)[0]

    @torch.inference_mode()
    def _features(self, view: str, pictures: Sequence[Tensor], shape: tuple[int, int]) -> np.ndarray:
        """(*shape, tokens, channels) float16 of prod(shape) pictures."""
        wanted = self.plan.config.views[view]
        tower = self.towers[wanted.tower]
        if not pictures:
            return np.zeros((*shape, tower.tokens(wanted.size), tower.channels), np.float16)
        batches = [
            tower(torch.stack(list(pictures[k : k + self.batch])).to(self.plan.device)).half().cpu().numpy()
            for k in range(0, len(pictures), self.batch)
        ]
        values = np.concatenate(batches)
        if not np.isfinite(values).all():
            raise TrainingError(f"{self.plan.path}: the features of view {view!r} do not fit into 16 bits")
        return values.reshape(*shape, *values.shape[1:])


def make_towers(plan: Plan) -> dict[str, Tower]:
    """The towers of a plan's views, on its device."""
    names = sorted({view.tower for view in plan.config.views.values()})
    return {name: get_tower(name).make(plan.weights.get(name)).to(plan.device) for name in names}


def extract(cache: Path, plans: Sequence[Plan], workers: int, show: Show) -> None:
    """Make what is missing of the plans' features. workers: processes, one thread each; 1 works in this process.

    show(frames done, all frames), called as work goes on. Raises TrainingError if a worker fails.
    """
    jobs = [(k, number) for k, plan in enumerate(plans) for number in plan.missing(cache)]
    for plan in plans:
        write_about(cache, plan)
    total = total_frames(plans)
    done = total - sum(plans[k].frames(plans[k].shards[number]) for k, number in jobs)
    show(done, total)
    if not jobs:
        return
    on_cpu = all(plan.device == "cpu" for plan in plans)
    workers = min(workers, len(jobs)) if on_cpu else 1
    if workers <= 1:
        counter = [done]

        def note(frames: int, _: int) -> None:
            counter[0] += frames
            show(counter[0], total)

        _make(cache, plans, jobs, note)
        return
    _in_processes(cache, plans, jobs, workers, lambda frames: show(done + frames, total))


def _make(cache: Path, plans: Sequence[Plan], jobs: Sequence[tuple[int, int]], note: Show) -> None:
    extractors: dict[int, Extractor] = {}
    for k, number in jobs:
        if k not in extractors:
            towers = next((e.towers for e in extractors.values()), None) or make_towers(plans[k])
            extractors[k] = Extractor(plans[k], towers)
        write_shard(plans[k].folder(cache), number, extractors[k].shard(number, note))


def _in_processes(
    cache: Path, plans: Sequence[Plan], jobs: Sequence[tuple[int, int]], workers: int, show: object
) -> None:
    context = multiprocessing.get_context("spawn")
    messages = context.Queue()
    shares = [jobs[k::workers] for k in range(workers)]
    processes = [
        context.Process(target=_worker, args=(cache, list(plans), share, messages, os.getpid()), daemon=True)
        for share in shares
    ]
    for process in processes:
        process.start()
    done, running = 0, len(processes)
    try:
        while running:
            try:
                message = messages.get(timeout=1.0)
            except queue.Empty:
                if any(process.exitcode not in (None, 0) for process in processes):
                    raise TrainingError("a worker that makes features died; start again with fewer --workers") from None
                continue
            if isinstance(message, str):
                raise TrainingError(message)
            running -= message == 0
            done += message
            show(done)
    finally:
        for process in processes:
            process.terminate()
            process.join()


def _worker(cache: Path, plans: list[Plan], jobs: list[tuple[int, int]], messages: Queue, parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    torch.set_num_threads(1)
    keep_freed()
    try:
        _make(cache, plans, jobs, lambda frames, _: messages.put(frames) if frames else None)
        messages.put(0)
    except Exception as fault:  # whatever it is, the parent has to tell it
        messages.put(f"features cannot be made: {type(fault).__name__}: {fault}")


def _end_with(parent: int) -> None:
    """A worker does not outlive its parent, however that ended."""
    while os.getppid() == parent:
        time.sleep(_ORPHAN_CHECK_S)
    os._exit(1)


def _packed(mask: Tensor) -> np.ndarray:
    """(1, h, w) of 0 to 1 -> bits of what is more than half covered."""
    return np.packbits((mask > 0.5).numpy().ravel())
