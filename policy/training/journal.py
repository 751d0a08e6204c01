"""What a run tells: a line on the terminal, curves and pictures for tensorboard."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from policy.training.picture import chunks_picture
from policy.training.rollouts import Score
from policy.training.validation import Foretold, errors

CURVES = "curves"
_LINE_EVERY_S = 30.0  # where nobody watches a bar
_CURVE_EVERY = 10
_SMOOTH = 0.98


class Journal:
    """Keeps the terminal and the curves up to date; without arguments it tells nothing."""

    def __init__(
        self, console: Console | None = None, writer: Any = None, batch: int = 1, updates: int = 1, first: int = 0
    ) -> None:
        self.console, self.writer = console, writer
        self.batch, self.updates, self.first = batch, updates, first
        self.loss: float | None = None
        self._began = self._line_at = time.monotonic()
        self._bar = progress(console, "training") if console is not None and console.is_terminal else None
        self._task = self._bar.add_task("", total=updates, completed=first, said="") if self._bar else None
        if self._bar:
            self._bar.start()

    @staticmethod
    def opened(out: Path, console: Console, batch: int, updates: int, first: int) -> "Journal":
        """The journal of a run; curves beyond update `first` are cut off, they are drawn again."""
        from torch.utils.tensorboard import SummaryWriter  # slow to import, and not needed by other processes

        return Journal(console, SummaryWriter(str(out / CURVES), purge_step=first or None), batch, updates, first)

    def updated(self, update: int, losses: Mapping[str, float]) -> None:
        """An update is done."""
        total = losses["total"]
        self.loss = total if self.loss is None else _SMOOTH * self.loss + (1 - _SMOOTH) * total
        now = time.monotonic()
        rate = (update - self.first) * self.batch / max(now - self._began, 1e-9)
        if self.writer is not None and update % _CURVE_EVERY == 0:
            for name, value in losses.items():
                self.writer.add_scalar(f"update/{name}", value, update)
            self.writer.add_scalar("update/windows_per_s", rate, update)
        said = f"loss {self.loss:.4f} · {rate:.0f} windows/s"
        if self._bar:
            self._bar.update(self._task, completed=update, said=said)
        elif self.console is not None and (now - self._line_at > _LINE_EVERY_S or update == self.updates):
            left = (self.updates - update) * self.batch / max(rate, 1e-9) / 60
            self.console.print(f"{update}/{self.updates} · {said} · {left:.0f} min left", highlight=False)
            self._line_at = now

    def validated(self, update: int, name: str, losses: Mapping[str, float], found: Foretold) -> None:
        """A validation on the windows called `name` is done."""
        values = {f"loss/{key}": value for key, value in losses.items()} | errors(found)
        if self.writer is not None:
            for key, value in values.items():
                self.writer.add_scalar(f"{name}/{key}", value, update)
            self.writer.add_image(f"{name}/chunks", chunks_picture(found), update, dataformats="HWC")
            self.writer.flush()
        phases = " ".join(f"{k.split('/')[1]} {v:.4f}" for k, v in values.items() if k.startswith("phase/"))
        goal = f" · grasp {values['goal_rad']:.4f}" if "goal_rad" in values else ""
        self.say(
            f"{update} {name}: chunk loss {losses['chunk']:.4f} · arm {values['arm_rad']:.4f} rad ({phases}){goal}"
        )

    def rolled_out(self, update: int, score: Score) -> None:
        """A rollout is done."""
        if self.writer is not None:
            for key in ("rate", "low", "high"):
                self.writer.add_scalar(f"rollout/{key}", getattr(score, key), update)
            self.writer.flush()
        self.say(f"{update} rollout: {score}")

    def say(self, text: str) -> None:
        """A line on the terminal."""
        if self.console is not None:
            self.console.print(text, highlight=False, soft_wrap=True)

    def warn(self, text: str) -> None:
        """A line that should be read."""
        self.say(f"[yellow]warning:[/yellow] {text}")

    def close(self) -> None:
        """Nothing more comes."""
        if self._bar:
            self._bar.stop()
        if self.writer is not None:
            self.writer.close()


def progress(console: Console, what: str) -> Progress:
    """A bar with what there is to say beside it."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[said]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def frames_shown(console: Console) -> tuple[Callable[[int, int], None], Callable[[], None]]:
    """(show(done, total), end): a bar for the towers' work on a terminal, lines elsewhere."""
    bar = progress(console, "features") if console.is_terminal else None
    task = bar.add_task("", total=None, said="frames") if bar else None
    last = [0.0]

    def show(done: int, total: int) -> None:
        if bar:
            if not bar.live.is_started and done < total:
                bar.start()
            bar.update(task, completed=done, total=total)
        elif time.monotonic() - last[0] > _LINE_EVERY_S or done == total:
            console.print(f"features: {done}/{total} frames", highlight=False)
            last[0] = time.monotonic()

    return show, (bar.stop if bar else lambda: None)
