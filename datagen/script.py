"""The expert of the generator: finds a grasp by carrying candidates out, and takes back those that fail.

What is kept is one uninterrupted attempt, and that it succeeds is what the scene's own physics has shown. The first
candidates are carried out as they come, for most of them hold; where they do not, later ones have to convince the
scout, which is quicker, before they are carried out. Flat targets are taken as the expert takes them (datagen.pushing).
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from datagen import grasps, pushing
from datagen.branch import Branch
from datagen.habit import TURNED_OVER_COST, habitual
from datagen.scout import CREEP_M, Scout, creep, tolerates
from datagen.search import CLOSE_STEPS, LIFT, REACH, SLIDING_M, Plan, check_step, plan_motion
from datagen.stage import Mark, Stage, Take
from envs import spec

UNPROVEN_TRIALS = 2  # so many candidates are carried out without asking the scout
MAX_TRIALS, ENOUGH_TRIALS = 30, 6  # ENOUGH: once something holds, if not as well as it should
LIFTED_M = 0.005
BRAKE_STEPS, OPEN_STEPS, WAIT_STEPS = 8, 8, 20
RESTING_M_S = 0.03


@dataclass(frozen=True, eq=False)
class _Weaker:
    """A grasp that holds, if not as firmly as it should. ending: None if it was not carried out."""

    crept_m: float
    plan: Plan
    ending: Mark | None


class Script:
    """What is done on a take. Plans begin where the take stands at that moment."""

    def __init__(self, take: Take, tolerance: np.random.Generator | None = None, *, habit: bool = False) -> None:
        """tolerance: draws the errors with which grasps are tested; None leaves that test out. habit: see there."""
        self.take = take
        self.scout = Scout(take.stage.scene)
        self._tolerance = tolerance
        self._habit = habit
        self.vain = 0  # grasps that were looked at, by the scout or for real, and not taken
        self.flat = pushing.is_flat(take.stage.scene.objects[0])

    @property
    def stage(self) -> Stage:
        """Where it is played."""
        return self.take.stage

    def grasp(self, most_trials: int = MAX_TRIALS) -> bool:
        """Take hold of the target, lift it and hold it up; False, and back where it was, if nothing holds.

        most_trials: of grasps clear of the neighbours, and once more of those that may push them aside.
        """
        start = self.take.mark()
        for brush in (False, True):
            weaker: list[_Weaker] = []
            for trials, plan in enumerate(self.motions(brush), start=1):
                crept_m, ending = 0.0 if trials <= UNPROVEN_TRIALS else creep(self.scout, plan), None
                if crept_m <= CREEP_M:
                    crept_m = self.carry_out(plan)
                    if crept_m <= CREEP_M and self._tolerates(plan):
                        return True
                    ending = self.take.mark()
                    self.take.back_to(start)
                self.vain += 1
                if crept_m <= SLIDING_M:
                    weaker.append(_Weaker(crept_m, plan, ending))
                if trials >= min(most_trials, ENOUGH_TRIALS if weaker else MAX_TRIALS):
                    break
            for found in sorted(weaker, key=lambda found: found.crept_m):
                if found.ending is not None:
                    self.take.back_to(found.ending)
                if found.ending is not None or self.carry_out(found.plan) < float("inf"):
                    self.vain -= 1
                    return True
                self.take.back_to(start)
        return False

    def motions(self, brush: bool = False) -> Iterator[Plan]:
        """Motions from where the take stands, in order of preference; not yet known to hold. See `plan_motion`.

        Of a flat target there is one at most, which has been tried out.
        """
        stage = self.stage
        arm_rad = stage.servo.reference_rad
        if self.flat:
            yield from () if brush else self._pulls(arm_rad)
            return
        self.scout.snapshot(stage.data, stage.servo)
        wanted, turned_over_cost = grasps.ranked(self.scout), 0.0
        if self._habit:
            wanted, turned_over_cost = itertools.chain(habitual(self.scout), wanted), TURNED_OVER_COST
        for grasp in wanted:
            plan = plan_motion(self.scout, arm_rad, grasp, brush, turned_over_cost)
            if plan is not None:
                yield plan

    def _pulls(self, arm_rad: np.ndarray) -> Iterator[Plan]:
        branch = Branch(self.stage.scene)
        branch.snapshot(self.stage.data, self.stage.servo)
        plan = pushing.find_plan(branch, arm_rad)
        if plan is not None:
            yield plan

    def _tolerates(self, plan: Plan) -> bool:
        # A pull ends at the edge wherever it began: there is no other place to test it with.
        return self._tolerance is None or self.flat or tolerates(self.scout, plan, self._tolerance)

    def carry_out(self, plan: Plan) -> float:
        """Play a whole plan: how far (m) the target crept in the hand at last, inf unless it is a gentle success.

        Gives up as soon as it is plain that it will not be one.
        """
        take, stage = self.take, self.stage
        closed, lifted = plan.reach_steps + CLOSE_STEPS - 1, check_step(plan)
        for step, (action, phase) in enumerate(zip(plan.actions, plan.phases, strict=True)):
            take.do(action, int(phase))
            in_vain = (step == closed and not stage.on_target) or (step == lifted and stage.lowest_m < LIFTED_M)
            if in_vain or (step in (closed, lifted) and not stage.is_gentle()):
                return float("inf")
        while take.goes_on and stage.lowest_m >= spec.LIFT_HEIGHT_M:
            take.do(plan.actions[-1], LIFT)
        good = stage.outcome == "success" and stage.is_gentle() and stage.is_sound()
        return min(stage.crept_m, SLIDING_M) if good else float("inf")

    def fail(self) -> None:
        """Where nothing holds: try it all the same, and stand still until the attempt is over."""
        plan = next(itertools.chain(self.motions(), self.motions(brush=True)), None)
        for action, phase in zip(plan.actions, plan.phases, strict=True) if plan is not None else ():
            self.take.do(action, int(phase))
        while plan is not None and self.take.goes_on:
            self.take.do(plan.actions[-1], LIFT)

    def brake(self, plan: Plan, at: int) -> None:
        """Come to rest on the planned path, from full speed after action `at`; the hand keeps its shape."""
        place, hand = float(at), self.take.rows[-1].action[spec.HAND]
        for k in range(1, BRAKE_STEPS):
            place += 1.0 - k / BRAKE_STEPS
            low = int(place)
            high, share = min(low + 1, len(plan.actions) - 1), place - low
            action = plan.actions[low] * (1 - share) + plan.actions[high] * share
            if plan.phases[at] != REACH:
                action[spec.HAND] = hand
            self.take.do(action, REACH)

    def let_go(self) -> None:
        """Open the hand where it is."""
        last = self.take.rows[-1].action.astype(float)
        opened = np.asarray(self.stage.scene.hand.rest_action)
        action = last.copy()
        for k in range(1, OPEN_STEPS + 1):
            action[spec.HAND] = last[spec.HAND] + (opened - last[spec.HAND]) * k / OPEN_STEPS
            self.take.do(action, REACH)

    def wait(self) -> bool:
        """Stand still until the target does; False if it will not."""
        for _ in range(WAIT_STEPS):
            if self.stage.target_speed < RESTING_M_S:
                return True
            self.take.do(self.take.rows[-1].action, REACH)
        return self.stage.target_speed < RESTING_M_S
