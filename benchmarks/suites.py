"""The published lists of episodes. What an index means is decided by `envs.episode`; here it is described."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.errors import UsageError
from envs.changes import FILAMENT
from envs.episode import LIST_SUFFIX, USER_SUITE, Listed, distribution, distributions
from envs.interface import EpisodeError
from envs.suites import HELD_MOMENTS, Cell, cell

DESCRIPTIONS = {
    "unseen_objects": "each of the 360 unseen objects once as the target, in clutter of other unseen objects",
    "unseen_backgrounds": "103 unseen objects on each of six table tops, under white light",
    "unseen_lighting": "the same 103 objects in disco light, beside a lamp and in the dark, on the white table",
    "generalization": "unseen_objects, unseen_backgrounds and unseen_lighting in one: the published headline",
    "seen_objects": "each of the 36 seen objects ten times as the target, in clutter of other seen objects",
    "baselines": "12 seen and 24 unseen objects, two lightings, two table tops: for comparing families of policies",
    "single_object": "13 seen and 8 unseen objects alone on the table, each twice at five places",
    "long_horizon": "prompts for several objects, each to be put into the tray: clear the table, all bottles and so on",
    "density": "60 unseen targets among 1, 3, 6, 9 and 12 objects",
    "adversarial": "polished, transparent and camouflaged objects, and neighbours that look like the target",
    "camera_shift": "60 scenes of unseen_objects, the head camera moved and turned by up to 8 cm and degrees",
    "physics_shift": "60 scenes of unseen_objects with less friction, and with lighter or heavier objects",
    "latency": "60 scenes of unseen_objects in which the world runs on for up to 400 ms while the policy thinks",
    "renderer_shift": "120 scenes of unseen_objects, drawn by MuJoCo's Filament renderer",
    "disturbance": "the target is shoved by 3 to 6 cm while the hand reaches for it",
    "nonprehensile": "18 unseen flat objects that must be pulled over the table's edge to be grasped, in four looks",
    "planner_boxes": "the planner alone: its box around one of six objects, under the published distractions",
    "planner_verdicts": "the planner alone: is it held, is it done? Asked of true and of false moments in physics",
    "smoke": "a mix of the others that takes under a minute, for continuous integration",
    "train": "seen objects under training looks, for demonstrations; no claim is made on it",
    "train_shapes": "shapes at random among them and seen objects, likewise; what the shipped policy is also taught on",
    "nonprehensile_train": "32 seen flat objects under training looks, for demonstrations; no claim is made on it",
}

# In these no policy acts: a planner is asked, see benchmarks.looking.
LOOKING = BOXES, VERDICTS = ("planner_boxes", "planner_verdicts")
VERIFICATION, COMPLETION = "grasp verification", "completion check"  # what is asked about moments

# CPU seconds that the expert takes for an episode, scene and all, as measured; a shove costs it a second grasp. Where
# a planner is asked, what it takes to make the pictures.
USUAL_EXPERT_S = 2.4
EXPERT_S: Mapping[str, float] = {
    "disturbance": 4.5, "long_horizon": 5.2, "planner_boxes": 0.2, "planner_verdicts": 1.0,
}  # fmt: skip

# What reports may group a suite by. A suite that is not named here has no axes.
AXES: Mapping[str, tuple[str, ...]] = {
    "unseen_backgrounds": ("table",),
    "unseen_lighting": ("lighting",),
    "generalization": ("part", "table", "lighting"),
    "baselines": ("part", "table", "lighting"),
    "single_object": ("part", "place"),
    "long_horizon": ("prompt",),
    "density": ("objects",),
    "adversarial": ("difficulty",),
    "camera_shift": ("camera",),
    "physics_shift": ("physics",),
    "latency": ("latency",),
    "renderer_shift": ("renderer",),
    "nonprehensile": ("table", "lighting"),
    "planner_boxes": ("distraction", "table", "lighting"),
    "planner_verdicts": ("question", "moment"),
    "smoke": ("part",),
}


def _physics(at: Cell) -> str:
    factors = {"friction": at.condition.friction, "mass": at.condition.mass}
    return ", ".join(f"{what} x {factor:g}" for what, factor in factors.items() if factor != 1.0) or "as usual"


def _distraction(table: str, lighting: str) -> str:
    return "background" if table != "white" else "lighting" if lighting != "white" else "none"


# Axis -> the level of an episode on it.
LEVELS: Mapping[str, Callable[[Cell], str]] = {
    "part": lambda at: at.name.rpartition("/")[2],
    "table": lambda at: at.condition.looks[0][0],
    "lighting": lambda at: at.condition.looks[0][1],
    "place": lambda at: at.condition.place_name,
    "prompt": lambda at: at.condition.prompt,
    "objects": lambda at: str(at.condition.objects),
    "difficulty": lambda at: at.condition.finish or "look-alikes",
    "camera": lambda at: f"{at.condition.camera:g} cm and deg",
    "physics": _physics,
    "latency": lambda at: f"{at.condition.latency_ms:g} ms",
    "renderer": lambda at: at.condition.renderer,
    "distraction": lambda at: _distraction(*at.condition.looks[0]),
    "question": lambda at: VERIFICATION if at.condition.moment in HELD_MOMENTS else COMPLETION,
    "moment": lambda at: at.condition.moment,
}


@dataclass(frozen=True)
class Suite:
    """A named list of episodes: indices 0 to size - 1 are published.

    The indices go on without end: from `size` upwards lie more scenes of the same distribution (but not of a list in
    a file). `version` changes whenever any number of any episode, or any setting of the physics, changes. `axes` are
    the names by which its episodes can be grouped, see `axis_levels`.
    """

    name: str
    version: int
    size: int
    description: str
    axes: tuple[str, ...] = ()


def suite_names() -> tuple[str, ...]:
    """Every published suite, as they are listed."""
    return tuple(DESCRIPTIONS)


def get_suite(name: str) -> Suite:
    """The suite called `name`: a published one, "user:NAME" of one's own objects, or a JSON file of episodes.

    Raises UsageError for any other, and says what there is.
    """
    try:
        made = distribution(name)
    except EpisodeError as fault:
        raise UsageError(str(fault)) from fault
    return Suite(name, made.version, made.size, _description(name), AXES.get(name, ()))


def asks_for_several(name: str) -> bool:
    """Whether the episodes of a suite are prompts for several objects; of a list in a file, whether any is."""
    made = distribution(name)
    if isinstance(made, Listed):
        return any(episode.relevant for episode in made.episodes)
    return bool(cell(name, made, 0).condition.prompt)


def is_drawn_by_filament(name: str) -> bool:
    """Whether what a policy sees in a suite is drawn by Filament; of a list in a file, whether any of it is."""
    made = distribution(name)
    if isinstance(made, Listed):
        return any(episode.changes.renderer == FILAMENT for episode in made.episodes)
    return cell(name, made, 0).condition.renderer == FILAMENT


def expert_minutes(suite: Suite, cores: int) -> float:
    """About how long the scripted expert takes for the published episodes on so many cores."""
    return suite.size * EXPERT_S.get(suite.name, USUAL_EXPERT_S) / 60 / cores


def axis_levels(suite: Suite, index: int) -> dict[str, str]:
    """Axis -> level of the episode at `index`, for each of the suite's axes. Builds no scene."""
    if not suite.axes:
        return {}
    at = cell(suite.name, distributions()[suite.name], index)
    return {axis: LEVELS[axis](at) for axis in suite.axes}


def _description(name: str) -> str:
    if name.startswith(USER_SUITE):
        return f"{', '.join(distribution(name).targets)} in clutter of seen objects"
    if name.endswith(LIST_SUFFIX):
        return "episodes of one's own, from a file"
    return DESCRIPTIONS[name]
