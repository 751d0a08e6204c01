"""What models really write, and what is made of each: every reply has one defined outcome."""

import random

import pytest

pytest.importorskip("json_repair")

from policy.planner.boxes import parse_box
from policy.planner.families import FAMILIES, get_family
from policy.planner.interface import PlannerError, Understanding, UnreadableReply
from policy.planner.parsing import parse_proposal, parse_understanding, parse_verdict
from policy.planner.replies import number, read_reply

UNREADABLE = UnreadableReply

VERDICTS = {
    # JSON: bare, fenced, in prose, sloppy, other keys, other types
    '{"reasoning": "held", "verdict": true}': True,
    '{"reasoning": "held", "verdict": false}': False,
    '```json\n{"reasoning": "It is true that it fell.", "verdict": false}\n```': False,
    'Let me see. {"verdict": true} I hope that helps, false alarms aside.': True,
    "{'reasoning': 'x', 'verdict': True}": True,
    '{"verdict": "True",}': True,
    '{verdict: false, reasoning: "no quotes"}': False,
    '{"Verdict": "yes"}': True,
    '{"result": 0}': False,
    '{"answer": {"verdict": "FALSE."}}': False,
    '[{"verdict": true}]': True,
    '{"object_grasped_by_hand": false, "reasoning": "no"}': False,
    '{"结论": "是"}': True,
    # both words: the last field, else the last explicit clause
    '{"verdict": true} No, wait: {"verdict": false}': False,
    '{"verdict": false}\n\nCorrected: {"verdict": true}': True,
    "True. No, wait: false.": False,
    "It is false that it stands on the table. Verdict: true": True,
    "Verdict: true. That it slipped is false": True,
    "**Answer:** False\n\nA true grasp would look different.": False,
    "At first glance this is true, but the final answer is false.": False,
    "Grasped? False! The object being on the table is true.": False,
    # plain words
    "True": True,
    "**false**": False,
    "no": False,
    "Yes.": True,
    "No, the mug still stands there.": False,
    "The mug has left the table, and the fingers enclose it. True.": True,
    "I would say this is true": UNREADABLE,
    "The statement is not true.": False,
    "The statement is not false.": True,
    "There is no mug on the table. The answer is true.": True,
    "verdict = TRUE": True,
    # a True has to be meant
    "Yes, I can see both pictures. The mug still stands on the table.": UNREADABLE,
    "Yes. Correct. The mug is held. Yes": True,
    "True, the hand is near the mug, but the fingers are open.": UNREADABLE,
    "True. However, the mug has slipped.": UNREADABLE,
    "It looked held, but it slipped. False.": False,
    "It is true that the hand touches the mug.": UNREADABLE,
    "It is false that the hand holds the mug.": False,
    "That isn't true.": False,
    "True?": UNREADABLE,
    '{"held": true, "verdict": false}': False,
    '{"verdict": false, "held": true}': False,
    '{"held": true, "success": false}': UNREADABLE,
    '{"verdict": true} but the list [1, 2] stands': True,
    "Of the points [1, 2] and [3, 4] the first is right. False.": False,
    # other languages
    "是的，杯子已经被抓住了。": True,
    "否。": False,
    "没有": False,
    "结论是：否": False,
    "无法确定是否抓住": UNREADABLE,
    "Sí, la taza está en la mano.": True,
    "Nein, die Tasse steht noch da.": False,
    "Der Becher steht auf dem Tisch und sieht gut aus.": UNREADABLE,
    # undecided, empty, cut off: never true
    "": UNREADABLE,
    "   \n": UNREADABLE,
    "true or false": UNREADABLE,
    "Is it true/false? Hard to say.": UNREADABLE,
    "I cannot tell whether it is true.": UNREADABLE,
    "It would be true if the mug had been lifted": UNREADABLE,
    "It is true that A holds and false that B holds": UNREADABLE,
    "I'm sorry, I can't help with that.": UNREADABLE,
    '{"reasoning": "the mug is true to its': UNREADABLE,
    '{"reasoning": "the mug is held", "verdict": tr': UNREADABLE,
    '{"reasoning": "the mug is held", "verdict"': UNREADABLE,
    '{"verdict": null} true': UNREADABLE,
    '{"verdict": "unsure"} True?': UNREADABLE,
    '{"verdict": 2}': UNREADABLE,
    '{"touched": true, "lifted": false}': UNREADABLE,
    "{}": UNREADABLE,
    "<think>It is true.": UNREADABLE,
    "<think>true? no, false</think>\n{\"verdict\": true}": True,
    "so it is false...</think> True": True,
    "1. The mug is off the table. 2. The fingers are open. False.": False,
}  # fmt: skip


@pytest.mark.parametrize("text", VERDICTS)
def test_verdicts(text):
    outcome(parse_verdict, VERDICTS[text], text)


PROPOSALS = {
    '{"reasoning": "furthest right", "instruction": "Grasp the red mug."}': "Grasp the red mug",
    '```json\n{"instruction": "Grasp the \\"cola\\" can beside the box"}\n```': 'Grasp the "cola" can beside the box',
    '{"instruction": "Grasp the red mug", "reasoning": "it is': "Grasp the red mug",
    "Grasp the blue box on the right.": "Grasp the blue box on the right",
    'Sure! Here it is:\n\n"Pick up the green bottle."': "Pick up the green bottle",
    "**Instruction:** Grasp the green cup.": "Grasp the green cup",
    "First I look for free objects. Grasp the cup beside the can.": "Grasp the cup beside the can",
    "抓取右边的红色杯子。": "抓取右边的红色杯子",
    "指令：抓取右边的红色杯子": "抓取右边的红色杯子",
    "Возьми красную кружку справа": "Возьми красную кружку справа",
    '{"instruction": null, "reasoning": "empty table"}': None,
    '{"instruction": "none"}': None,
    "None": None,
    "Nothing left to grasp.": None,
    "There are no more objects left on the table.": None,
    "没有物体": None,
    "": UNREADABLE,
    '{"instruction": ""}': UNREADABLE,
    '{"instruction": 7}': UNREADABLE,
    '{"reasoning": "grasp the nearest"}': UNREADABLE,
    '```json\n{"instruction": "Grasp the red': UNREADABLE,
    '{"reasoning": "Grasp the mug since': UNREADABLE,
    "I am sorry, I cannot help with that.": UNREADABLE,
    '{"instruction": "' + "Grasp the mug and then " * 20 + '"}': UNREADABLE,
}  # fmt: skip


@pytest.mark.parametrize("text", PROPOSALS)
def test_proposals(text):
    outcome(parse_proposal, PROPOSALS[text], text)


def test_prose_that_the_token_limit_cut_is_no_instruction_unless_its_sentence_ended():
    outcome(parse_proposal, UNREADABLE, "Grasp the red", cut=True)
    outcome(parse_proposal, "Grasp the red mug", "Grasp the red mug.", cut=True)
    outcome(parse_proposal, "Grasp the red mug", '{"instruction": "Grasp the red mug", "why": "it', cut=True)


UNDERSTANDINGS = {
    '{"type": "I", "objects": ["red mug", "can"]}': Understanding("objects", ("red mug", "can")),
    '{"type": 1, "objects": [{"name": "red mug"}, {"name": "can"}]}': Understanding("objects", ("red mug", "can")),
    '{"objects": "red mug, can"}': Understanding("objects", ("red mug", "can")),
    'Here you are: ["red mug", "can"]': Understanding("objects", ("red mug", "can")),
    '{"type": "II", "objects": []}': Understanding("abstract"),
    '{"type": "type II", "objects": ["everything"]}': Understanding("abstract"),
    "This prompt is of Type II.": Understanding("abstract"),
    '{"类型": "抽象"}': Understanding("abstract"),
    '{"type": "I", "objects": []}': UNREADABLE,
    "Type I": UNREADABLE,
    "": UNREADABLE,
    '{"type": "I", "obj': UNREADABLE,
    "Clear the table, please.": UNREADABLE,
}


@pytest.mark.parametrize("text", UNDERSTANDINGS)
def test_understandings(text):
    outcome(parse_understanding, UNDERSTANDINGS[text], text)


BOX = (10.0, 20.0, 100.0, 200.0)
BOXES = {
    # shapes of JSON
    '{"label": "mug", "visible": true, "bbox_2d": [10, 20, 100, 200]}': BOX,
    '```json\n{"bbox_2d": [10, 20, 100, 200]}\n```': BOX,
    'The mug is here: {"bbox_2d": [10, 20, 100, 200]}. It is partly not visible.': BOX,
    '{"bbox_2d": [10, 20, 100, 200], "description": "its handle is not visible"}': BOX,
    "{'bbox': [10, 20, 100, 200]}": BOX,
    '{"bbox_2d": ["10", "20 px", "100.0", " 200 "]}': BOX,
    '{"bbox_2d": "[10, 20, 100, 200]"}': BOX,
    '{"bbox_2d": [[10, 20], [100, 200]]}': BOX,
    '{"box": {"x1": 10, "y1": 20, "x2": 100, "y2": 200}}': BOX,
    '{"xmin": "10", "ymin": 20, "xmax": 100, "ymax": 200}': BOX,
    '{"bbox": {"x": 10, "y": 20, "width": 90, "height": 180}}': BOX,
    "[10, 20, 100, 200]": BOX,
    '{"bbox_2d": [10, 20, 100, 200], "label": "re': BOX,
    # lists: the first that shows anything
    '[{"bbox_2d": [10, 20, 100, 200]}, {"bbox_2d": [1, 2, 30, 40]}]': BOX,
    "[[700, 500, 800, 600], [10, 20, 100, 200]]": BOX,
    '[{"bbox_2d": [10, 20, 100, 200], "label": "mug"}, {"bbox_2d": [1, 2, 3': BOX,
    # prose
    "The box is (10, 20) to (100, 200).": BOX,
    "(10,20),(100,200)": BOX,
    "（10，20），（100，200）": BOX,
    "10, 20, 100, 200": BOX,
    "x1=10, y1=20, x2=100, y2=200": BOX,
    "<box>(10,20),(100,200)</box>": BOX,
    "<ref>mug</ref><box>(10,20),(100,200)</box><box>(1,1),(2,9)</box>": BOX,
    # corners and edges
    '{"bbox_2d": [100, 200, 10, 20]}': BOX,
    '{"bbox_2d": [100, 20, 10, 200]}': BOX,
    '{"bbox_2d": [-50, -7.5, 800, 900]}': (0.0, 0.0, 640.0, 480.0),
    '{"bbox_2d": [600, 400, 700, 500]}': (600.0, 400.0, 640.0, 480.0),
    '{"bbox_2d": [700, 500, 900, 600]}': None,
    '{"bbox_2d": [-90, 10, -10, 60]}': None,
    '{"bbox_2d": [0, 0, 0, 0]}': None,
    '{"bbox_2d": [50, 50, 50, 200]}': None,
    # not visible
    '{"label": "mug", "visible": false, "bbox_2d": null}': None,
    '{"visible": "no", "bbox_2d": [10, 20, 100, 200]}': None,
    '{"bbox_2d": []}': None,
    '{"bbox_2d": null}': None,
    '{"bbox_2d": "not visible"}': None,
    '{"label": "the mug is not visible"}': None,
    "[]": None,
    "not visible": None,
    "The red mug isn't visible in the picture.": None,
    "I cannot see any red mug.": None,
    "There is no such object.": None,
    "The mug is not visible; a similar thing is at 10, 20, 100, 200.": None,
    "图中看不到红色杯子。": None,
    "Die Tasse ist nicht sichtbar.": None,
    # neither
    "": UNREADABLE,
    "Here is the mug.": UNREADABLE,
    "Le voici.": UNREADABLE,
    "I'm sorry, I can't help.": UNREADABLE,
    '{"bbox_2d": [10, 20, 100]}': UNREADABLE,
    '{"bbox_2d": [10, 20, 100, 2': UNREADABLE,  # half a number is a wrong number
    '{"bbox_2d": [10, 20, 100,': UNREADABLE,
    '{"bbox_2d": [': UNREADABLE,
    '{"bbox_2d": [10, 20, 100, NaN]}': UNREADABLE,
    '{"bbox_2d": [10, 20, 1e999, 200]}': UNREADABLE,
    '{"bbox_2d": [true, false, true, true]}': UNREADABLE,
    "<box>(10,20),(100</box>": UNREADABLE,
    "<think>(10,20),(100,200)": UNREADABLE,
}  # fmt: skip


@pytest.mark.parametrize("text", BOXES)
def test_boxes(text):
    outcome(parse_box, BOXES[text], text, FAMILIES["pixels"], 640, 480)


def test_qwen_markup_in_thousandths():
    expected = (64.0, 96.0, 320.0, 480.0)
    for text in ("<ref>mug</ref><box>(100,200),(500,1000)</box>", "<|box_start|>(100,200),(500,1000)<|box_end|>"):
        assert parse_box(text, FAMILIES["qwen-vl"], 640, 480) == pytest.approx(expected)


CONVENTIONS = {
    "pixels": (64, 120, 320, 240),
    "thousandths": (100, 250, 500, 500),
    "fractions": (0.1, 0.25, 0.5, 0.5),
    "qwen-vl": (100, 250, 500, 500),
    "qwen2-vl": (100, 250, 500, 500),
    "qwen2.5-vl": (64.4, 119, 322, 238),  # it sees 644x476
    "qwen3-vl": (100, 250, 500, 500),
    "internvl": (100, 250, 500, 500),
    "gemini": (250, 100, 500, 500),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_familys_numbers_mean_the_same_place(name):
    text = f'{{"bbox_2d": {list(CONVENTIONS[name])}}}'
    assert parse_box(text, FAMILIES[name], 640, 480) == pytest.approx((64.0, 120.0, 320.0, 240.0))
    assert parse_box(text, FAMILIES[name], 640, 480) is not None


MODELS = {
    "Qwen/Qwen-VL-Chat": "qwen-vl",
    "Qwen/Qwen2-VL-7B-Instruct": "qwen2-vl",
    "Qwen/Qwen2.5-VL-72B-Instruct-AWQ": "qwen2.5-vl",
    "qwen2_5_vl": "qwen2.5-vl",
    "qwen2_vl": "qwen2-vl",
    "qwen2.5-vl-72b-instruct": "qwen2.5-vl",
    "Qwen/Qwen3-VL-30B-A3B-Instruct": "qwen3-vl",
    "qwen-vl-max-0809": "qwen-vl",
    "OpenGVLab/InternVL3-8B": "internvl",
    "gemini-2.5-pro": "gemini",
}


@pytest.mark.parametrize("model", MODELS)
def test_the_family_follows_from_the_models_name(model):
    assert get_family("auto", model).name == MODELS[model]
    assert get_family("fractions", model).name == "fractions"


def test_unknown_families_list_the_choices():
    with pytest.raises(PlannerError, match=r"'llava-7b'.*qwen2\.5-vl"):
        get_family("auto", "llava-7b")
    with pytest.raises(PlannerError, match=r"unknown family 'qwen9'; choose from: auto, .*fractions"):
        get_family("qwen9")


def test_numbers():
    assert [number(value) for value in (3, 2.5, "7", "-1.5 px", "4 pixels")] == [3.0, 2.5, 7.0, -1.5, 4.0]
    assert [number(v) for v in (True, None, "x", "1 2", "", float("nan"), float("inf"), [1])] == [None] * 8


def test_a_reply_is_taken_apart():
    reply = read_reply('before {"a": "}", "b": [1, {"c": 2}]} between [3] after')
    assert reply.values == ({"a": "}", "b": [1, {"c": 2}]}, [3])
    assert reply.prose.split() == ["before", "between", "after"]
    assert not reply.cut
    assert read_reply("a [ b { c ] d }").values == ()


@pytest.mark.parametrize("seed", range(3))
def test_no_reply_breaks_a_parser(seed):
    rng = random.Random(seed)
    scraps = ['{"', '"bbox_2d"', ":", "[", "]", "}", "{", "12", "-", ",", " true", "false ", "not visible", '"', "\\"]
    scraps += ["```json\n", "<box>", "(1,2)", "<think>", "</think>", "verdict", "是", "\n", "Grasp it", "NaN", "null"]
    parsers = (
        parse_verdict,
        parse_proposal,
        parse_understanding,
        lambda t: parse_box(t, FAMILIES["qwen2.5-vl"], 640, 480),
    )
    for _ in range(400):
        text = "".join(rng.choices(scraps, k=rng.randint(1, 14)))
        for parse in parsers:
            try:
                parse(text)
            except UnreadableReply:
                continue


def outcome(parse, expected, *args, **kwargs):
    """`parse` returns what is expected, of the same type, or raises it."""
    if expected is UNREADABLE:
        with pytest.raises(UnreadableReply, match=r"repl|essay"):
            parse(*args, **kwargs)
        return
    found = parse(*args, **kwargs)
    assert found == expected
    assert type(found) is type(expected)
