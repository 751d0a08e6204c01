"""The planner with a model in this process: real processors and networks, tiny and random, without a download."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import json

import numpy as np
import pytest

pytest.importorskip("transformers")
pytest.importorskip("json_repair")

import torch

from policy.planner import PlannerError, make_planner
from policy.planner.families import FAMILIES
from policy.planner.prompts import SYSTEM, VERIFY
from policy.planner.vlm import Question
from policy.planner.workspace import crop
from tests.tiny_vlm import build

SIZES = {"qwen2_5_vl": "qwen2.5-vl", "qwen2_vl": "qwen2-vl"}


@pytest.fixture(scope="module", params=SIZES)
def folder(request, tmp_path_factory):
    return build(tmp_path_factory.mktemp("models") / request.param, request.param)


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def picture(seed: int, width: int = 112, height: int = 84) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


def listen(planner, monkeypatch, reply: str | None = None) -> list[dict]:
    """Everything handed to the network's generate, which answers with `reply` where one is given."""
    heard, real = [], planner._network.generate

    def generate(**kwargs):
        heard.append(kwargs)
        if reply is None:
            return real(**kwargs)
        ids = planner._processor.tokenizer(reply, return_tensors="pt")["input_ids"]
        return torch.cat([kwargs["input_ids"], ids], dim=1)

    monkeypatch.setattr(planner._network, "generate", generate)
    return heard


def test_the_network_really_answers_and_the_same_each_time(folder, monkeypatch):
    planner = make_planner("local", model=str(folder), max_tokens=5)
    heard = listen(planner, monkeypatch)
    question = Question("What is it?", ("Above:", "Wrist:"), (picture(0), picture(1)), (b"", b""))
    first, second = planner.complete(question), planner.complete(question)
    assert first == second
    assert first.cut  # a random network does not end its sentence within five bytes
    inputs = heard[0]
    assert inputs["max_new_tokens"] == 5
    assert inputs["do_sample"] is False
    image = planner._processor.image_token_id
    assert int((inputs["input_ids"] == image).sum()) == 2 * 12  # 112x84 in tiles of 28
    assert inputs["image_grid_thw"].tolist() == [[1, 6, 8], [1, 6, 8]]
    words = planner._processor.decode(inputs["input_ids"][0], skip_special_tokens=True)
    assert SYSTEM in words
    assert words.index("Above:") < words.index("Wrist:") < words.index("What is it?")
    other = Question(question.text, question.labels, (picture(2), picture(1)), question.files)
    planner.complete(other)
    assert not torch.equal(heard[2]["pixel_values"], inputs["pixel_values"])


def test_a_random_networks_babble_has_the_defined_outcomes(folder):
    planner = make_planner("local", model=str(folder), max_tokens=3, reasks=0)
    assert planner.verify(picture(0), picture(1), "the mug") is False
    with pytest.raises(PlannerError, match="without an answer"):
        planner.locate(picture(0), "the mug")


def test_sampling_leaves_the_global_generator_alone(folder):
    planner = make_planner("local", model=str(folder), max_tokens=4, temperature=1.0, seed=5)
    question = Question("What?", ("Above:",), (picture(0),), (b"",))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = planner.complete(question)
    assert torch.equal(torch.get_rng_state(), before)
    assert planner.complete(question) == first


def test_a_good_reply_goes_through_processor_and_parser(folder, monkeypatch, tmp_path):
    planner = make_planner("local", model=str(folder), log=tmp_path)
    heard = listen(planner, monkeypatch, '{"reasoning": "im Griff", "verdict": true}<|im_end|>')
    assert planner.verify(picture(0), picture(1), "the grüne mug") is True
    words = planner._processor.decode(heard[0]["input_ids"][0], skip_special_tokens=True)
    assert VERIFY.question("the grüne mug") in words
    record = json.loads((tmp_path / "exchanges.jsonl").read_text("utf-8"))
    assert (record["reply"], record["planner"]) == ('{"reasoning": "im Griff", "verdict": true}', "local")


def test_the_box_convention_is_the_one_of_the_models_type(folder, monkeypatch):
    planner = make_planner("local", model=str(folder))
    assert planner.family.name == SIZES[folder.name]
    head = picture(0, 640, 480)
    expected = {"qwen2.5-vl": (100 * 640 / 644, 100 * 480 / 476), "qwen2-vl": (64.0, 48.0)}[planner.family.name]
    heard = listen(planner, monkeypatch, '{"bbox_2d": [100, 100, 400, 400]}')
    assert planner.locate(head, "the mug")[:2] == pytest.approx(expected)
    pixels = planner._processor.image_processor(images=[crop(head)], return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(heard[0]["pixel_values"], pixels)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (320, 240), (160, 120), (848, 480)])
def test_the_frame_of_qwen25_is_that_of_its_processor(tmp_path_factory, width, height):
    from transformers import Qwen2VLImageProcessor

    processed = Qwen2VLImageProcessor()(images=[picture(0, width, height)], return_tensors="pt")
    _, rows, columns = processed["image_grid_thw"][0].tolist()
    assert FAMILIES["qwen2.5-vl"].seen_size(width, height) == (columns * 14, rows * 14)


def test_missing_weights_are_named_with_the_command_that_fetches_them(tmp_path):
    with pytest.raises(PlannerError, match=r"'Qwen/Qwen2\.5-VL-7B-Instruct' cannot be loaded.*hf download Qwen/"):
        make_planner("local", model="Qwen/Qwen2.5-VL-7B-Instruct")
    (tmp_path / "notes.txt").write_text("nothing here")
    with pytest.raises(PlannerError, match=r"it holds: notes\.txt.*hf download"):
        make_planner("local", model=str(tmp_path))
    with pytest.raises(PlannerError, match="needs a model"):
        make_planner("local")


def test_a_folder_without_its_weights_is_named(folder, tmp_path):
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(PlannerError, match=r"it holds: .*config\.json.*hf download"):
        make_planner("local", model=str(tmp_path))


def test_settings_that_torch_does_not_know(folder):
    with pytest.raises(PlannerError, match="unknown dtype 'float17'"):
        make_planner("local", model=str(folder), dtype="float17")


def test_dtype_and_device_are_taken(folder):
    planner = make_planner("local", model=str(folder), dtype="bfloat16", device="cpu", max_tokens=2)
    assert planner._network.dtype is torch.bfloat16
    assert planner.complete(Question("What?", ("Above:",), (picture(0),), (b"",))).cut
