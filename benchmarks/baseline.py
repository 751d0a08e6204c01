"""What a policy did when all was well: the file that `benchmarks.regress` compares with."""

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import mujoco
import numpy as np
import tyro

from assets import vulkan
from benchmarks.errors import UsageError
from benchmarks.journal import write_atomically
from benchmarks.options import Options
from benchmarks.policies import Entrant, entrant
from benchmarks.suites import is_drawn_by_filament
from benchmarks.summary import Summary
from datagen.playback import renderer
from datagen.versions import MUJOCO, installed, versions
from envs.interface import EpisodeResult

FORMAT = 1


@dataclass(frozen=True)
class Episode:
    """What is kept of an EpisodeResult: scene, outcome, and readings that change long before an outcome does."""

    index: int
    spec_hash: str
    outcome: str
    attempt_outcomes: tuple[str, ...]
    steps: int
    lift_s: float | None
    max_contact_force_n: float
    max_neighbour_motion_m: float
    slip_m: float | None


@dataclass(frozen=True)
class Machine:
    """What must agree for two plays of an episode to agree to the last digit.

    renderer: that of OpenGL where the policy has cameras, with the Vulkan device where Filament draws, else "";
    torch: its version for a trained controller, else ""; rounding: see `rounding`.
    """

    mujoco: str
    renderer: str
    torch: str
    rounding: str

    def differences(self, other: "Machine") -> list[str]:
        """What differs between this machine and a later one, in words."""
        there, here = asdict(self), asdict(other)
        names = {"mujoco": "MuJoCo", "rounding": "the processor's rounding"}
        return [
            f"{names.get(k, k)} was {there[k] or 'none'} and is {here[k] or 'none'}"
            for k in there
            if there[k] != here[k]
        ]


@dataclass(frozen=True)
class Baseline:
    """The fields of a baseline file. `agent` are the words that ask for what stands around a controller."""

    suite: str
    version: int
    policy: str
    agent: tuple[str, ...]
    checkpoint: str
    hand: str
    attempts: int
    machine: Machine
    indices: tuple[int, ...]
    episodes: tuple[Episode, ...]  # in the order of `indices`

    def words(self, policy: str | None = None) -> list[str]:
        """The words of benchmarks.run that play the episodes again, by another policy if one is named."""
        first, count = str(self.indices[0]), str(len(self.indices))
        words = ["--suite", self.suite, "--policy", policy or self.policy, *self.agent, "--hand", self.hand]
        return [*words, "--attempts", str(self.attempts), "--first", first, "--episodes", count]


def named(words: Sequence[str]) -> Entrant:
    """Who plays where benchmarks.run is asked with these words. Raises UsageError for what cannot be scored."""
    options = tyro.cli(Options, args=list(words))
    return entrant(options.policy, options.agent)


def this_machine(who: Entrant, suite: str) -> Machine:
    """What decides the last digit of what this policy does in a suite here."""
    torch = installed("torch") if who.checkpoint else ""
    drawn_by = renderer() if who.cameras else ""
    if who.cameras and is_drawn_by_filament(suite):
        drawn_by += f", Filament on {vulkan.load()}"
    return Machine(versions()[MUJOCO], drawn_by, torch, rounding())


def episode_of(result: EpisodeResult) -> Episode:
    """What a baseline keeps of a row."""
    return Episode(**{field.name: getattr(result, field.name) for field in fields(Episode)})


def baseline_of(summary: Summary, results: Sequence[EpisodeResult]) -> Baseline:
    """A baseline of a run that was played here. Raises UsageError for a run that is none to measure by."""
    rows = sorted(results, key=lambda row: row.index)
    lost = [row.index for row in rows if row.outcome == "error"]
    if lost:
        raise UsageError(f"{len(lost)} episodes (such as {lost[0]}) were lost by errors; play them again by --resume")
    if rows[-1].index - rows[0].index != len(rows) - 1:
        raise UsageError("a baseline is played again as one stretch of indices; this run has gaps")
    mine, played = versions()[MUJOCO], summary.versions.get(MUJOCO)
    if mine != played:
        raise UsageError(
            f"the run was played with MuJoCo {played}, here is {mine}; write the baseline where it was played"
        )
    who = named(["--suite", summary.suite, "--policy", summary.policy, *summary.flags])
    if who.checkpoint != summary.checkpoint:
        raise UsageError(
            f"the controller was {summary.checkpoint} in the run and is {who.checkpoint} by now; play it anew"
        )
    return Baseline(
        suite=summary.suite,
        version=summary.version,
        policy=summary.policy,
        agent=tuple(summary.flags),
        checkpoint=summary.checkpoint,
        hand=summary.hand,
        attempts=summary.attempts,
        machine=this_machine(who, summary.suite),
        indices=tuple(row.index for row in rows),
        episodes=tuple(map(episode_of, rows)),
    )


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file, one episode a line so that a change can be read in a diff."""
    values = {"format": FORMAT, **asdict(baseline)}
    episodes = ",\n".join(f"    {json.dumps(episode)}" for episode in values.pop("episodes"))
    head = "".join(f"  {json.dumps(name)}: {json.dumps(value)},\n" for name, value in values.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, f'{{\n{head}  "episodes": [\n{episodes}\n  ]\n}}\n')


def read_baseline(path: Path) -> Baseline:
    """Read a file back. Raises UsageError for what is no baseline of this format."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if (written := values.pop("format")) != FORMAT:
            raise UsageError(f"{path} has format {written!r}; this version reads {FORMAT}. Write it anew")
        values["machine"] = Machine(**values["machine"])
        values["episodes"] = [
            Episode(**e | {"attempt_outcomes": tuple(e["attempt_outcomes"])}) for e in values["episodes"]
        ]
        baseline = Baseline(**{name: tuple(v) if isinstance(v, list) else v for name, v in values.items()})
    except UsageError:
        raise
    except FileNotFoundError:
        how = f"python -m benchmarks.regress --run DIR --write {path} makes it of a run"
        raise UsageError(f"{path} does not exist; {how}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise UsageError(f"{path} is no baseline ({type(fault).__name__}: {fault})") from fault
    if not baseline.episodes or baseline.indices != tuple(episode.index for episode in baseline.episodes):
        raise UsageError(f"{path} is damaged: its indices are not those of its episodes")
    return baseline


@functools.cache
def rounding() -> str:
    """Eight hex digits that tell processors apart that round differently.

    Libraries choose their instructions by the processor, so the same sum may differ in its last digit; contacts make
    another grasp of that. Nothing of this project is in it: a change of ours must not look like another processor.
    """
    rng = np.random.default_rng(0)
    wide = rng.normal(size=1000)
    square = rng.normal(size=(32, 32))
    parts = [np.sin(wide), np.exp(wide), np.log(np.abs(wide)), np.array(wide.sum()), square @ square]
    parts += [np.linalg.solve(square, wide[:32]), (square.astype(np.float32) @ square.astype(np.float32))]
    model = mujoco.MjModel.from_xml_string(_TUMBLING)
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data, 300)
    return hashlib.sha256(b"".join(part.tobytes() for part in (*parts, data.qpos))).hexdigest()[:8]


_TUMBLING = """
<mujoco>
  <option jacobian="dense"/>
  <worldbody>
    <geom type="plane" size="1 1 1"/>
    <body pos="0 0 0.2"><freejoint/><geom type="capsule" size="0.02 0.05" euler="20 30 0"/>
      <body pos="0 0 0.08"><joint axis="0 1 0"/><geom type="box" size="0.02 0.03 0.04"/></body></body>
    <body pos="0.03 0.01 0.4"><freejoint/><geom type="ellipsoid" size="0.02 0.03 0.04"/></body>
  </worldbody>
</mujoco>
"""
