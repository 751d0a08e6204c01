"""The planner on a server, over a real socket: what it sends, what it makes of replies, and how it meets faults."""

import base64
import io
import json
import socket
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from PIL import Image

from policy.planner import PlannerConfig, PlannerError, Understanding, make_planner
from policy.planner.prompts import REQUESTS
from policy.planner.retrying import asked_wait_s, is_worth_another_try, wait_s
from policy.planner.workspace import STATION_WINDOW, crop
from tests.vlm_server import Play, vlm_server

pytest.importorskip("openai")
pytest.importorskip("json_repair")

from policy.planner.server import ServerPlanner


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def picture(seed: int) -> np.ndarray:
    """640x480, coarse so that it is quickly packed, and no two alike."""
    coarse = np.random.default_rng(seed).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    return coarse.repeat(40, axis=0).repeat(40, axis=1)


INITIAL, HEAD, WRIST = picture(1), picture(2), picture(3)
YES, NO = Play('{"reasoning": "seen", "verdict": true}'), Play('{"reasoning": "seen", "verdict": false}')


class Planning:
    """A planner on a scripted server, with waits that are noted instead of spent."""

    def __init__(self, *script: Play, models=("Qwen2.5-VL-72B-Instruct", "other"), **settings):
        self._server = vlm_server(*script, models=models)
        self.waits: list[float] = []
        self._settings = settings

    def __enter__(self):
        self.server = self._server.__enter__()
        config = PlannerConfig(name="server", url=self.server.url, **self._settings)
        self.planner = ServerPlanner(config, sleep=self.waits.append)
        return self

    def __exit__(self, *error):
        self.planner.close()
        self._server.__exit__(*error)


def sent_pictures(asked) -> list[np.ndarray]:
    parts = asked.body["messages"][1]["content"]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    assert all(url.startswith("data:image/png;base64,") for url in urls)
    return [np.array(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))) for url in urls]


def sent_text(asked) -> str:
    return asked.body["messages"][1]["content"][-1]["text"]


QUESTIONS = {
    "propose": (lambda p: p.propose(INITIAL, HEAD, "clear it"), '{"instruction": "Grasp the mug."}', "Grasp the mug"),
    "locate": (lambda p: p.locate(HEAD, "the mug"), '{"bbox_2d": [161, 119, 322, 238]}', (160.0, 120.0, 320.0, 240.0)),
    "verify": (lambda p: p.verify(HEAD, WRIST, "the mug"), YES.text, True),
    "completed": (lambda p: p.completed(INITIAL, HEAD, "clear it"), NO.text, False),
    "understand": (
        lambda p: p.understand(HEAD, "mug, then can"),
        '{"type": "I", "objects": ["mug", "can"]}',
        Understanding("objects", ("mug", "can")),
    ),
    "instruction_completed": (lambda p: p.instruction_completed(HEAD, "the mug"), YES.text, True),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_each_request_sends_its_pictures_and_words_and_reads_the_reply(name):
    ask, reply, expected = QUESTIONS[name]
    with Planning(Play(reply)) as on:
        assert ask(on.planner) == expected
        (asked,) = on.server.chats
    views = {"initial": INITIAL, "head": HEAD, "wrist": WRIST}
    request = REQUESTS[name]
    shown = [
        crop(views[view], STATION_WINDOW) if request.cropped and view != "wrist" else views[view]
        for view in request.pictures
    ]
    for sent, wanted in zip(sent_pictures(asked), shown, strict=True):
        np.testing.assert_array_equal(sent, wanted)
    words = {"propose": "clear it", "completed": "clear it", "understand": "mug, then can"}.get(name, "the mug")
    assert f'"{words}"' in sent_text(asked)
    assert asked.body["messages"][0]["role"] == "system"
    assert {key: asked.body[key] for key in ("model", "max_tokens", "temperature", "seed")} == {
        "model": "Qwen2.5-VL-72B-Instruct",
        "max_tokens": 512,
        "temperature": 0.0,
        "seed": 42,
    }


def test_the_first_listed_model_is_used_and_asked_for_once():
    with Planning(YES, NO, models=("first", "second")) as on:
        assert on.server.asked == []  # nothing is sent before the first question
        assert on.planner.verify(HEAD, WRIST, "x") is True
        assert on.planner.verify(HEAD, WRIST, "x") is False
        assert [asked.path for asked in on.server.asked].count("/v1/models") == 1
        assert {asked.body["model"] for asked in on.server.chats} == {"first"}
        assert on.planner.title == "server (first)"


def test_a_named_model_is_not_looked_up():
    with Planning(YES, model="second") as on:
        on.planner.verify(HEAD, WRIST, "x")
        assert [asked.body.get("model") for asked in on.server.asked] == ["second"]


def test_a_server_without_models_says_so():
    with Planning(models=()) as on, pytest.raises(PlannerError, match="lists no model"):
        on.planner.completed(INITIAL, HEAD, "x")


@pytest.mark.parametrize(
    ("model", "reply", "expected"),
    [
        ("Qwen/Qwen2.5-VL-7B-Instruct", '{"bbox_2d": [161, 119, 322, 238]}', (160.0, 120.0, 320.0, 240.0)),
        ("Qwen/Qwen-VL-Chat", "<ref>mug</ref><box>(250,250),(500,500)</box>", (160.0, 120.0, 320.0, 240.0)),
        ("Qwen/Qwen3-VL-8B-Instruct", '{"bbox_2d": [250, 250, 500, 500]}', (160.0, 120.0, 320.0, 240.0)),
        ("google/gemini-pro", '{"box_2d": [250, 250, 500, 500]}', (160.0, 120.0, 320.0, 240.0)),
    ],
)
def test_another_model_is_one_value(model, reply, expected):
    with Planning(Play(reply), model=model) as on:
        assert on.planner.locate(HEAD, "the mug") == pytest.approx(expected)


def test_a_model_of_unknown_convention_is_refused_until_its_family_is_named():
    with (
        Planning(model="mystery") as on,
        pytest.raises(PlannerError, match=r"'mystery'.*set family to one of.*qwen2\.5-vl"),
    ):
        on.planner.locate(HEAD, "x")
    with Planning(Play("[64, 48, 128, 96]"), model="mystery", family="pixels") as on:
        assert on.planner.locate(HEAD, "x") == (64.0, 48.0, 128.0, 96.0)


def test_the_key_comes_from_the_named_variable(monkeypatch):
    monkeypatch.setenv("MY_KEY", "abc")
    with Planning(YES, YES, api_key_env="MY_KEY") as on:
        on.planner.verify(HEAD, WRIST, "x")
        assert on.server.asked[-1].headers["authorization"] == "Bearer abc"


FAULTS = {
    "rate limited": (Play(status=429, raw=b'{"error": {"message": "slow down"}}'), "HTTP 429"),
    "server error": (Play(status=500, raw=b"oops", content_type="text/plain"), "HTTP 500"),
    "not json": (Play(raw=b'{"choices": [{"mess'), "malformed"),
    "a web page": (Play(raw=b"<html>hello</html>", content_type="text/html"), "malformed"),
    "another shape": (Play(raw=b'{"hello": 1}'), "malformed"),
    "no choices": (Play(raw=b'{"choices": []}'), "malformed"),
    "hung up": (Play(cut_after=0), "connection failed"),
    "cut off": (Play("x" * 300, cut_after=80), "connection failed"),
    "silent": (Play("late", after_s=0.6), "no answer within 0.2 s"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_passing_fault_the_answer_comes_and_the_fault_is_logged(fault, tmp_path):
    play, words = FAULTS[fault]
    with Planning(play, play, YES, model="qwen-vl", read_s=0.2, log=tmp_path) as on:
        assert on.planner.verify(HEAD, WRIST, "x") is True
        assert len(on.server.chats) == 3
        assert on.waits == [0.5, 1.0]
    (line,) = (tmp_path / "exchanges.jsonl").read_text().splitlines()
    troubles = json.loads(line)["troubles"]
    assert len(troubles) == 2
    assert all(words in trouble for trouble in troubles)


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "silent"])
def test_a_lasting_fault_ends_in_a_planner_error_that_names_it(fault, tmp_path):
    play, words = FAULTS[fault]
    with Planning(*[play] * 3, model="qwen-vl", retries=2, log=tmp_path) as on:
        with pytest.raises(PlannerError, match=words):
            on.planner.verify(HEAD, WRIST, "x")
        assert len(on.server.chats) == 3
    (line,) = (tmp_path / "exchanges.jsonl").read_text().splitlines()
    assert words in json.loads(line)["error"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_not_tried_again(status):
    refusal = Play(status=status, raw=b'{"error": {"message": "prompt too long"}}')
    with Planning(refusal, YES, model="qwen-vl") as on:
        with pytest.raises(PlannerError, match=f"HTTP {status}.*prompt too long"):
            on.planner.verify(HEAD, WRIST, "x")
        assert (len(on.server.chats), on.waits) == (1, [])


def test_retry_after_is_honoured():
    with Planning(
        Play(status=429, headers={"Retry-After": "7"}),
        Play(status=503, headers={"retry-after-ms": "250"}),
        YES,
        model="m",
    ) as on:
        assert on.planner.verify(HEAD, WRIST, "x") is True
        assert on.waits == [7.0, 0.25]


def test_the_wait_is_really_spent():
    with vlm_server(Play(status=429, headers={"Retry-After": "0.4"}), YES) as server:
        planner = make_planner("server", url=server.url, model="m")
        assert planner.verify(HEAD, WRIST, "x") is True
        first, second = (asked.at_s for asked in server.chats)
        planner.close()
    assert second - first >= 0.4


def test_a_server_that_asks_for_too_long_a_wait_is_given_up():
    with Planning(Play(status=429, headers={"Retry-After": "3600"}), YES, model="m") as on:
        with pytest.raises(PlannerError, match="wait 3600 s"):
            on.planner.verify(HEAD, WRIST, "x")
        assert on.waits == []


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    planner = ServerPlanner(PlannerConfig(url=url, retries=1), sleep=lambda _: None)
    with pytest.raises(PlannerError, match=r"connection failed.*connection failed"):
        planner.completed(INITIAL, HEAD, "x")
    planner.close()


def test_a_slow_server_is_waited_for_within_the_limit():
    with Planning(Play(YES.text, after_s=0.3), model="m", read_s=5.0) as on:
        began = time.monotonic()
        assert on.planner.verify(HEAD, WRIST, "x") is True
        assert time.monotonic() - began >= 0.3
        assert on.waits == []


def test_an_unreadable_reply_is_asked_again_with_a_reminder():
    with Planning(Play("Hmm."), YES, model="m") as on:
        assert on.planner.verify(HEAD, WRIST, "x") is True
        first, second = map(sent_text, on.server.chats)
    assert second.startswith(first)
    assert REQUESTS["verify"].reminder in second
    assert REQUESTS["verify"].reminder not in first


UNDECIDED = {
    "verify": False,
    "completed": False,
    "instruction_completed": False,
    "understand": Understanding("abstract"),
    "propose": PlannerError,
    "locate": PlannerError,
}


@pytest.mark.parametrize("name", REQUESTS)
def test_replies_that_stay_unreadable_have_a_defined_outcome(name):
    ask, expected = QUESTIONS[name][0], UNDECIDED[name]
    replies = [Play(None), Play('{"reasoning": "it is true that', finish="length"), Play("I am not sure.")]
    with Planning(*replies, model="qwen-vl", reasks=2) as on:
        if expected is PlannerError:
            with pytest.raises(PlannerError, match=f"{name}: 3 replies without an answer"):
                ask(on.planner)
        else:
            assert ask(on.planner) == expected
        assert len(on.server.chats) == 3


def test_a_proposal_that_the_token_limit_cut_is_not_half_used():
    with Planning(Play("Grasp the red", finish="length"), Play("Grasp the red mug.", finish="stop"), model="m") as on:
        assert on.planner.propose(INITIAL, HEAD, "x") == "Grasp the red mug"
        assert len(on.server.chats) == 2


def test_the_log_holds_prompt_picture_and_reply(tmp_path):
    with Planning(Play("Hmm."), YES, NO, model="m", log=tmp_path / "log") as on:
        on.planner.verify(HEAD, WRIST, "die grüne Tasse")
        on.planner.completed(INITIAL, HEAD, "clear it")
    records = [json.loads(line) for line in (tmp_path / "log" / "exchanges.jsonl").read_text("utf-8").splitlines()]
    assert [(r["request"], r["turn"], r["reply"]) for r in records] == [
        ("verify", 0, "Hmm."),
        ("verify", 1, YES.text),
        ("completed", 0, NO.text),
    ]
    assert [r.get("meaning") for r in records] == [None, True, False]
    assert "no verdict" in records[0]["unreadable"]
    assert all(r["model"] == "m" and r["seconds"] >= 0 and r["system"] and r["time"] for r in records)
    assert "die grüne Tasse" in records[0]["prompt"]
    kept = [np.array(Image.open(tmp_path / "log" / name)) for name in records[1]["pictures"]]
    np.testing.assert_array_equal(kept[0], HEAD)
    np.testing.assert_array_equal(kept[1], WRIST)
    assert records[0]["pictures"] == records[1]["pictures"]  # one file for one picture
    assert len(list((tmp_path / "log" / "pictures").iterdir())) == 4


def test_waits_double_up_to_the_longest():
    assert [wait_s(n, None, 0.5, 3.0) for n in range(1, 6)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert wait_s(10_000, None, 0.5, 3.0) == 3.0
    assert wait_s(1, 2.5, 0.5, 3.0) == 2.5
    assert wait_s(1, 3.5, 0.5, 3.0) is None


def test_retry_after_in_every_form():
    now = datetime(2025, 5, 20, 12, 0, 0, tzinfo=UTC)
    date = (now + timedelta(seconds=90)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    assert asked_wait_s({"retry-after": date}, now) == 90.0
    assert asked_wait_s({"retry-after": date}, now + timedelta(hours=1)) == 0.0
    assert asked_wait_s({"retry-after": "12"}) == 12.0
    assert asked_wait_s({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5
    for nonsense in ({}, {"retry-after": ""}, {"retry-after": "soon"}, {"retry-after": "-3"}, {"retry-after": "nan"}):
        assert asked_wait_s(nonsense) is None


def test_which_statuses_are_worth_another_try():
    assert [status for status in range(400, 600) if is_worth_another_try(status)][:4] == [408, 409, 425, 429]
    assert all(is_worth_another_try(status) for status in range(500, 600))
