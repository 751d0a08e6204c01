"""Stand-ins for the world: runners that a worker process can import, quick and with faults on demand."""

import hashlib
import os
import signal
import time
from pathlib import Path

from benchmarks.evaluate import Plan, Runner
from benchmarks.journal import thumbnail_name, video_name
from datagen.pool import ONE_THREAD
from envs.interface import DexClutterError, EpisodeResult

FAMILIES = ("mug", "can", "ball")
WORDS = ("success", "success", "success", "disturbed", "slipped", "missed", "timeout")


def fake_result(plan: Plan, index: int, outcome: str | None = None) -> EpisodeResult:
    """A row that (plan, index) decides, with every kind of value a real one has."""
    number = int(hashlib.sha256(f"{plan.policy}/{index}".encode()).hexdigest()[:8], 16)
    word = outcome or WORDS[number % len(WORDS)]
    won = word in ("success", "disturbed")
    return EpisodeResult(
        suite=plan.suite,
        version=plan.version,
        index=index,
        spec_hash=f"{number:016x}",
        instruction=f"pick up the <{FAMILIES[index % 3]}> – number {index}",
        target=f"{FAMILIES[index % 3]}_{index}",
        family=FAMILIES[index % 3],
        objects=1 + index % 9,
        outcome=word,
        success=won,
        attempts=1,
        attempt_outcomes=(word,),
        steps=number % 300,
        policy_s=number % 300 / 20,
        lift_s=number % 97 / 20 if won else None,
        max_contact_force_n=number % 1000 / 7,
        max_neighbour_motion_m=number % 100 / 997,
        slip_m=0.001 if won else None,
        wall_s=time.perf_counter() % 1,
    )


def steady(plan: Plan) -> Runner:
    """Plays every episode, odd ones a little slower, so that two workers finish out of order."""

    def run(index: int) -> EpisodeResult:
        time.sleep(0.02 * (index % 2))
        return fake_result(plan, index)

    return run


def faulty(plan: Plan) -> Runner:
    """3 raises; 5 kills its worker each time; 7 kills it the first time; 9 hangs; the rest tell how often they ran.

    The number of episodes that this runner has played before stands in `objects`: a fault must start it afresh.
    """
    played = 0

    def run(index: int) -> EpisodeResult:
        nonlocal played
        played += 1
        if index == 3:
            raise RuntimeError("the object fell through the table")
        if index == 5 or (index == 7 and _first_time(plan, index)):
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 9:
            time.sleep(60)
        return EpisodeResult(**{**fake_result(plan, index, "success").as_dict(), "objects": played})

    return run


def slow(plan: Plan) -> Runner:
    """Takes a while for each episode, and leaves a trace of every one that was begun."""

    def run(index: int) -> EpisodeResult:
        with (Path(plan.media_dir).parent.parent / "begun").open("a") as trace:
            trace.write(f"{index}\n")
        time.sleep(0.15)
        return fake_result(plan, index)

    return run


def filming(plan: Plan) -> Runner:
    """Leaves a picture of every failure, and a film where one is asked for."""

    def run(index: int) -> EpisodeResult:
        media, result = Path(plan.media_dir), fake_result(plan, index)
        media.mkdir(parents=True, exist_ok=True)
        if not result.success:
            (media / thumbnail_name(index)).write_bytes(f"picture {index}".encode())
        if index in plan.videos:
            (media / video_name(index)).write_bytes(f"film {index}".encode())
        return result

    return run


def unbuildable(plan: Plan) -> Runner:
    """Cannot be built at all."""
    raise OSError(f"no library for {plan.suite}")


def refusing(plan: Plan) -> Runner:
    """Cannot be built for a reason that it knows."""
    raise DexClutterError(f"{plan.policy} needs what nobody has")


def dies_at_birth(plan: Plan) -> Runner:
    """Takes its process down before the first episode."""
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError(plan)


def environment_teller(plan: Plan) -> Runner:
    """Puts the limits on threads that its process sees into the instruction."""

    def run(index: int) -> EpisodeResult:
        seen = ",".join(os.environ.get(name, "unset") for name in ONE_THREAD)
        return EpisodeResult(**{**fake_result(plan, index).as_dict(), "instruction": seen})

    return run


def _first_time(plan: Plan, index: int) -> bool:
    flag = Path(plan.media_dir) / f"seen-{index}"
    if flag.exists():
        return False
    flag.touch()
    return True
