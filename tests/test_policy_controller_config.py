"""Configurations as data: there and back, and what does not fit together."""

import json
from dataclasses import fields, replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from policy.controller.config import (
    BATCH,
    CONFIGS,
    NOISE,
    SAMPLES,
    ConfigError,
    ControllerConfig,
    get_config,
    paper,
    small,
)
from tests.controller_factory import tiny


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_survives_json(name):
    config = get_config(name)
    assert ControllerConfig.from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert config.name == name


def test_unknown_names_list_the_choices():
    with pytest.raises(ConfigError, match="nonprehensile, paper, small"):
        get_config("large")


@pytest.mark.parametrize("change", [{"depht": 3}, {"mask": {"patch": 3}}, {"head": {"tower": "x"}}, {"head": 3}])
def test_fields_that_are_not_ours_are_refused(change):
    with pytest.raises(ConfigError, match="no configuration"):
        ControllerConfig.from_dict({**small().as_dict(), **change})


def test_what_an_older_file_does_not_say_is_the_default():
    values = {key: value for key, value in paper().as_dict().items() if key not in ("jitter_per", "hide")}
    assert ControllerConfig.from_dict(values) == paper()


WRONG = [
    ({"heads": 5}, "multiple of 5 heads"), ({"execute": 0}, "execute is 0"), ({"execute": 99}, "horizon of 8"),
    ({"predicts": "velocity"}, "velocity"), ({"arm": "delta"}, "delta"), ({"inference_steps": 51}, "inference_steps"),
    ({"inference_steps": 0}, "inference_steps"), ({"goal_weight": 0.0, "phase_weight": 0.0}, "goal_token"),
    ({"jitter_per": "pixel"}, "jitter_per"), ({"hide_per": "pixel"}, "hide_per"), ({"hide": (0.5, 0.5, 0.1)}, "hide"),
    ({"hide": (-0.1, 0.0, 0.0)}, "hide"), ({"jitter": (0.3, 0.3, 0.3, 0.6)}, "hue"), ({"jitter": (0.3,)}, "jitter"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_what_cannot_work_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        tiny(**{"goal_token": True, **change})


def test_paper_keeps_what_was_published_and_small_corrects_it():
    published = paper()
    assert (published.jitter_per, published.ignore_padding, published.hide) == (BATCH, False, (0.0, 0.0, 0.0))
    assert (published.horizon, published.execute, published.train_steps, published.inference_steps) == (64, 6, 50, 16)
    assert (published.predicts, published.jitter, published.dropout) == (NOISE, (0.3, 0.3, 0.3, 0.1), 0.1)
    assert (small().jitter_per, small().ignore_padding) == (SAMPLES, True)


def test_configurations_are_frozen():
    config = small()
    assert config == small()
    assert config is not replace(config)
    with pytest.raises(AttributeError):
        setattr(config, fields(config)[0].name, "other")
