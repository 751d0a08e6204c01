"""Plays a prompt for several objects: the planner names one after the other, the policy grasps, a script places.

Round by round, as published: instruction proposal, box, grasp, grasp verification, placing or the way home, completion
check. Beside each answer of the planner stands in the row whether it was right.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from benchmarks.settled import Settled
from envs import outcome, spec
from envs.episode import EpisodeSpec
from envs.home import homing_actions
from envs.interface import GAVE_UP, HELD, SUCCESSES, EpisodeResult, Observation, Policy, Round
from envs.long_horizon import Box, LongHorizonEnv
from envs.rollout import Observer, attempt_seed, attempt_word, result_about
from envs.tray import placing_actions
from policy.planner.interface import Planner, PlannerError

TRIES = 3  # grasps of one object, after which the prompt has failed; rounds without a grasp count together
# A policy that has stopped acting gets so many steps more, in which what it holds may prove to be up.
PATIENCE_STEPS = 2 * round(spec.UP_BEFORE_HOLD_S * spec.CONTROL_HZ)
RIGHT_IOU = 0.5  # a box that overlaps the true one so much encloses its object


def run_prompt(
    env: LongHorizonEnv,
    policy: Policy,
    planner: Planner,
    episode: EpisodeSpec,
    observers: Sequence[Observer] = (),
) -> EpisodeResult:
    """Play one episode to its end and return its row.

    planner: for a policy that has one of its own, the same one; it is then asked for boxes and verdicts during a grasp
    as the policy pleases, but what to grasp is settled before.
    """
    began = time.perf_counter()
    played = _Prompt(env, policy, planner, episode, observers)
    word = played.to_the_end()
    on_the_rest = [i for i in range(len(episode.objects)) if i not in episode.relevant]
    motion = np.linalg.norm(env.poses()[on_the_rest, :3] - played.first_poses[on_the_rest, :3], axis=1)
    result = result_about(
        episode,
        target="+".join(episode.objects[i].object_id for i in episode.relevant),
        family="several",
        outcome=word,
        success=word in SUCCESSES,
        attempts=1,
        attempt_outcomes=(word,),
        steps=played.steps,
        policy_s=round(played.steps * spec.CONTROL_PERIOD_S, 6),
        lift_s=None,
        max_contact_force_n=round(played.force_n, 6),
        max_neighbour_motion_m=round(float(motion.max(initial=0.0)), 6),
        slip_m=None,
        wall_s=time.perf_counter() - began,
        rounds=tuple(played.rounds),
    )
    for observer in observers:
        observer.on_end(env, result)
    return result


class _Prompt:
    """One prompt as it is being played. rounds: those that are over; steps: of the policy, in all of them."""

    def __init__(
        self,
        env: LongHorizonEnv,
        policy: Policy,
        planner: Planner,
        episode: EpisodeSpec,
        observers: Sequence[Observer],
    ) -> None:
        self.env, self.policy, self.planner, self.observers = env, policy, planner, observers
        self.episode = episode
        self.rounds: list[Round] = []
        self.steps, self.force_n = 0, 0.0
        self._grasps: Counter[int | None] = Counter()
        self._see(env.reset(seed=0, options={"episode": episode})[0])
        self.first_poses = env.poses()
        self._initial = self._seen[spec.HEAD].copy()

    def to_the_end(self) -> str:
        """Play round after round; the word of the whole."""
        try:
            self.planner.begin(self.env)
            completed: bool | None = self._is_completed()
            if completed:  # at once: a round that consists of this check alone
                self.rounds.append(Round(completion=not self.env.left()))
            while completed is False:
                completed = self._round()
        except PlannerError:
            completed = True  # it answers for the end
        return self._word(by_planner=completed is not None)

    def _round(self) -> bool | None:
        """One round; whether the planner ended the prompt, or None where there are no more tries."""
        env = self.env
        self.rounds.append(Round())
        words = self.planner.propose(self._initial, self._seen[spec.HEAD], self.episode.instruction)
        if words is None:
            self._note(proposal=not env.left())
            return True
        target, box = self._located(words)
        self._grasps[target] += 1
        if target is not None:
            self._grasp(target, words, box)
        said = self._is_completed()
        self._note(completion=said == (not env.left()))
        if said:
            return True
        spent = self._grasps[target] == TRIES and (target is None or target in env.on_table())
        return None if spent else False

    def _located(self, words: str) -> tuple[int | None, Box | None]:
        """The object in the box that the planner draws, None where nothing is in it; and the box, if there is one."""
        env = self.env
        meant = env.meant(words)
        if len(meant) == 1:  # whoever knows the truth must know what it is about
            self._see(env.aim(meant[0], words)[0])
        box = self.planner.locate(self._seen[spec.HEAD], words)
        true = env.boxes()
        shares = {i: _iou(box, true[i]) for i in true} if box is not None else {}
        boxed = max(shares, key=lambda i: shares[i], default=None)
        if boxed is not None and not shares[boxed]:
            boxed = None
        self._note(
            instruction=words,
            proposal=bool(set(meant or [boxed]) & set(env.left())),
            box=max((shares.get(i, 0.0) for i in meant or shares), default=0.0) >= RIGHT_IOU,
        )
        return boxed, box

    def _grasp(self, target: int, words: str, box: Box) -> None:
        """The policy grasps the target; then the way to the tray, or home if the planner says that nothing is held."""
        env, policy, planner = self.env, self.policy, Settled(self.planner, words, box, self.env.is_held)
        seen, info = env.aim(target, words)
        self._see(seen)
        with _in_place_of_own(policy, planner):
            policy.reset(env, seed=attempt_seed(self.episode, len(self.rounds) - 1))
            for observer in self.observers:
                observer.on_reset(env, seen, info)
            action = self._act()
        word = env.outcome or outcome.timeout_word(env.progress)
        held = policy.verdict == HELD
        if not held and policy.verdict != GAVE_UP:
            held = planner.verify(self._seen[spec.HEAD], self._seen[spec.WRIST], words)
        self._note(
            target=self.episode.objects[target].object_id,
            relevant=target in self.episode.relevant,
            grasp=attempt_word(word, policy.verdict),
            held=word in SUCCESSES,
        )
        self._script(action, to_the_tray=held)
        self._note(verdicts=tuple(planner.verdicts), cleared=env.is_off_table(target), in_tray=env.is_in_tray(target))

    def _act(self) -> np.ndarray:
        """Let the policy act until the grasp is decided; its last action."""
        env, policy, patience = self.env, self.policy, PATIENCE_STEPS
        while env.outcome is None and patience:
            action = policy.act(self._seen)
            seen, reward, _, _, info = env.step(action)
            self._see(seen)
            self.steps += 1
            self.force_n = max(self.force_n, info["station_force_n"])
            for observer in self.observers:
                observer.on_step(env, action, seen, reward, info)
            patience -= bool(policy.verdict)
        return action

    def _script(self, action: np.ndarray, *, to_the_tray: bool) -> None:
        env = self.env
        home, rest = env.whole.episode.arm_start_rad, env.whole.hand.rest_action
        if to_the_tray:
            way = placing_actions(env.servo.reference_rad.copy(), np.asarray(action, float)[spec.HAND], home, rest)
        else:
            way = homing_actions(env.servo.measured(env.data), home, rest)
        for scripted in way:
            seen, info = env.carry(scripted)
            self._see(seen)
            self.force_n = max(self.force_n, info["station_force_n"])
            for observer in self.observers:
                observer.on_step(env, scripted, seen, 0.0, info)

    def _is_completed(self) -> bool:
        return self.planner.completed(self._initial, self._seen[spec.HEAD], self.episode.instruction)

    def _see(self, observation: Observation) -> None:
        self._seen = observation

    def _note(self, **known: object) -> None:
        self.rounds[-1] = replace(self.rounds[-1], **known)

    def _word(self, *, by_planner: bool) -> str:
        """How the whole ended. by_planner: the planner said that it is over, and not the number of tries."""
        env = self.env
        if any(each.cleared and not each.relevant for each in self.rounds):
            return "planner"  # it had something taken away that nobody asked for
        if env.left():
            last = self.rounds[-1].grasp if self.rounds else ""
            if by_planner or not last:
                return "planner"
            return "dropped" if last in SUCCESSES else last  # held, and lost on the way
        if not by_planner:
            return "planner"  # it went on and on
        rest = [i for i in range(len(self.episode.objects)) if i not in self.episode.relevant]
        disturbed = outcome.neighbour_disturbed(self.first_poses[rest], env.poses()[rest])
        carried = {each.target for each in self.rounds if each.cleared}
        swept_away = any(self.episode.objects[i].object_id not in carried for i in self.episode.relevant)
        return "disturbed" if disturbed or swept_away else "success"


@contextmanager
def _in_place_of_own(policy: Policy, planner: Planner) -> Iterator[None]:
    """While the block runs, a policy that has a planner of its own asks this one instead."""
    own = getattr(policy, "planner", None)
    if not isinstance(own, Planner):
        yield
        return
    policy.planner = planner
    try:
        yield
    finally:
        policy.planner = own


def _iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0.0)))
    areas = [float((x1 - x0) * (y1 - y0)) for x0, y0, x1, y1 in (a, b)]
    return shared / (sum(areas) - shared)
