"""What a vision-language model is asked: six requests in our own words, each with a reminder for a second try.

The four of the published planner: propose, locate, verify, completed; and two of its earlier version: understand,
instruction_completed. The rules of `propose` (right before centre before left, free before blocked, nothing toppled)
are the published ones.
"""

from dataclasses import dataclass
from string import Template

SYSTEM = (
    "You are the eyes and the judgement of a robot with one five-fingered hand at a table. You report only what the "
    "pictures show, and you answer in English with one JSON object and nothing around it."
)


@dataclass(frozen=True)
class Request:
    """One kind of question.

    pictures: which views go with it, in this order, out of "initial", "head", "wrist".
    cropped: whether the head views show the workspace only. The wrist view is never cropped.
    text: the question; $words stands for the user's prompt or the instruction, $frame for the box convention.
    reminder: added to the question when the last reply could not be read.
    """

    name: str
    pictures: tuple[str, ...]
    cropped: bool
    text: str
    reminder: str

    def question(self, words: str, frame: str = "", again: bool = False) -> str:
        """The text to send."""
        asked = Template(self.text).substitute(words=words.strip(), frame=frame)
        return f"{asked}\n\nYour last answer could not be used. {self.reminder}" if again else asked


_VERDICT_REMINDER = 'Answer with {"reasoning": "...", "verdict": true} or {"reasoning": "...", "verdict": false}.'

PROPOSE = Request(
    name="propose",
    pictures=("initial", "head"),
    cropped=True,
    text="""The first picture shows the table before the robot began, the second shows it now. The user asked for this:
"$words"

Choose the one object that the hand should grasp next so that the request comes closer to being fulfilled. Leave out
what has already been taken away and what the user did not ask for. If several objects qualify, decide in this order:
1. the one furthest to the right, then those in the middle, then those on the left;
2. one that the hand can reach, rather than one that others block or surround;
3. one that can be taken without knocking over what stands beside it;
4. the one that fits the request best.

Describe it in one sentence that begins with "Grasp", with its colour, its shape and where it lies relative to its
neighbours, so that nobody could mean a different object.
Answer: {"reasoning": "<one sentence>", "instruction": "Grasp ..."}
If no object on the table is left to be grasped for this request: {"reasoning": "...", "instruction": null}""",
    reminder='Answer with {"reasoning": "...", "instruction": "Grasp ..."}, or with null for the instruction.',
)

LOCATE = Request(
    name="locate",
    pictures=("head",),
    cropped=True,
    text="""The robot was told: "$words"

Find the one object that is meant and draw the tightest box around all of it that can be seen. Give $frame.
Answer: {"label": "<two to four words>", "visible": true, "bbox_2d": [a, b, c, d]}
Exactly one object. If it is not in the picture, do not guess: {"label": "...", "visible": false, "bbox_2d": null}""",
    reminder='Answer with {"label": "...", "visible": true, "bbox_2d": [a, b, c, d]} and four plain numbers.',
)

VERIFY = Request(
    name="verify",
    pictures=("head", "wrist"),
    cropped=False,
    text="""The first picture is the view from above, the second comes from a camera at the wrist of the hand, and both
were taken now. The robot was told: "$words"

Has the hand got hold of that object? It has if two things are true: the object no longer stands or lies on the table,
and the fingers enclose it firmly, so that it moves with the hand. An object that is only touched, that has slipped out
of the fingers, or another object in the hand, means no.
Answer: {"reasoning": "<one or two short sentences>", "verdict": true or false}""",
    reminder=_VERDICT_REMINDER,
)

COMPLETED = Request(
    name="completed",
    pictures=("initial", "head"),
    cropped=True,
    text="""The first picture shows the table before the robot began, the second shows it now. The user asked for this:
"$words"

Is the request fulfilled, that is, has every object that it asks to take been removed from the table or is held in the
hand? Count solid things only: marks, patterns, cloths, shadows and reflections on the table are not objects.
Answer: {"reasoning": "<one or two short sentences>", "verdict": true or false}""",
    reminder=_VERDICT_REMINDER,
)

UNDERSTAND = Request(
    name="understand",
    pictures=("head",),
    cropped=True,
    text="""The picture shows the table. The user asked for this: "$words"

There are two types of requests. Type I names the things to grasp, or a property that picks them out (a colour, a
material, a kind of thing). Type II states a goal and leaves open which things serve it.
For type I, list what is on the table and meant, in the order in which it is to be grasped (the user's order if there
is one, else from right to left), each with its colour, shape and place.
Answer: {"type": "I", "objects": ["...", "..."]} or {"type": "II", "objects": []}""",
    reminder='Answer with {"type": "I", "objects": ["..."]} or {"type": "II", "objects": []}.',
)

INSTRUCTION_COMPLETED = Request(
    name="instruction_completed",
    pictures=("head",),
    cropped=True,
    text="""The robot was told: "$words"

Look for that object in the picture, which was taken now. Is it gone from the table?
Answer: {"reasoning": "<one short sentence>", "verdict": true or false}, where true means gone.""",
    reminder=_VERDICT_REMINDER,
)

REQUESTS: dict[str, Request] = {
    request.name: request for request in (PROPOSE, LOCATE, VERIFY, COMPLETED, UNDERSTAND, INSTRUCTION_COMPLETED)
}
LABELS = {
    "initial": "View from above, before the robot began:",
    "head": "View from above, now:",
    "wrist": "Wrist, now:",
}
