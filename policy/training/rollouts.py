"""Scores a checkpoint in the environment, in a process of its own: nothing here knows the simulator."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_LAST_LINES = 3


@dataclass(frozen=True)
class Score:
    """Share of successes with its 95 % interval, of n episodes."""

    rate: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.rate:.1%} of {self.n} ({self.low:.1%} to {self.high:.1%})"


def command(checkpoint: Path, suite: str, episodes: int, out: Path) -> list[str]:
    """The words that score a checkpoint."""
    words = ["--policy", str(checkpoint.resolve()), "--suite", suite, "--episodes", str(episodes), "--out", str(out)]
    return [sys.executable, "-m", "benchmarks.run", *words]


def rollout(checkpoint: Path, suite: str, episodes: int, out: Path) -> Score | str:
    """The score of a checkpoint, or one line that says why there is none."""
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(places)}
    out = out.resolve()
    try:
        ended = subprocess.run(
            command(checkpoint, suite, episodes, out), env=environment, capture_output=True, text=True, check=False
        )
        summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
        if summary["success_rate"] is None:
            return f"no episode of the rollout could be scored; see {out}"
        return Score(summary["success_rate"], summary["ci_low"], summary["ci_high"], summary["n"])
    except (OSError, ValueError, KeyError) as fault:
        said = ended.stderr.strip().splitlines()[-_LAST_LINES:] if "ended" in locals() else [str(fault)]
        return f"the rollout left no result: {' '.join(said) or fault}"
