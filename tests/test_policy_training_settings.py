"""Options and overrides: typed, complete, and refused with the choices."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from policy.controller.config import CONFIGS, ConfigError, View, get_config
from policy.training import schedule
from policy.training.settings import RECIPES, Options, _flat, overridden

OPTIONS = Options(data=(Path("a.h5"),), out=Path("run"))


@pytest.mark.parametrize(
    ("change", "read", "value"),
    [
        ("width=240", lambda c: c.width, 240),
        ("predicts=noise", lambda c: c.predicts, "noise"),
        ("state_noise=0.05", lambda c: c.state_noise, 0.05),
        ("mask_noise=false", lambda c: c.mask_noise, False),
        ("mask.depth=5", lambda c: c.mask.depth, 5),
        ("head.size=320,224", lambda c: c.head.size, (320, 224)),
        ("head.crop=0,0,1,0.5", lambda c: c.head.crop, (0.0, 0.0, 1.0, 0.5)),
        ("jitter=0,0.1,0,0", lambda c: c.jitter, (0.0, 0.1, 0.0, 0.0)),
        ("target=none", lambda c: c.target, None),
        ("target.size=64,64", lambda c: c.target, View("efficientnet_lite0", (64, 64))),
    ],
)
def test_a_field_is_changed_with_its_type(change, read, value):
    changed = overridden(get_config("small"), [change])
    assert read(changed) == value
    assert type(read(changed)) is type(value)


@pytest.mark.parametrize("name", CONFIGS)
def test_every_number_can_be_set_to_itself(name):
    config = get_config(name)
    for key, value in _flat(config.as_dict()):
        if isinstance(value, int | float):
            assert overridden(config, [f"{key}={value}"]) == config, key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("widht=3", "choose from: .*width"),
        ("width=3.5", "should be int"),
        ("head.size=3", "should be 2 numbers"),
        ("mask_noise=perhaps", "should be bool"),
        ("width", "NAME=VALUE"),
        ("width=7", "multiple of 6 heads"),
    ],
)
def test_what_cannot_be_set_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        overridden(get_config("small"), [change])


def test_recipes_give_what_was_not_chosen():
    assert set(RECIPES) == set(CONFIGS)
    recipe = replace(OPTIONS, batch=5, learning_rate=0.0).recipe
    assert (recipe.batch, recipe.learning_rate) == (5, 0.0)
    assert recipe.updates == RECIPES["small"].updates
    with pytest.raises(ConfigError, match="stride is 0"):
        replace(OPTIONS, stride=0).recipe  # noqa: B018


def test_the_rate_rises_and_falls():
    rates = [schedule.learning_rate(2.0, u, 10, 110) for u in range(110)]
    np.testing.assert_allclose(rates[:10], 0.2 * np.arange(1, 11))
    assert rates[10] == 2.0
    np.testing.assert_allclose(rates[60], 1.0)
    assert 0 < rates[-1] < 0.001
    assert all(a >= b for a, b in itertools.pairwise(rates[10:]))


def test_the_average_begins_with_the_weights_and_slows_down():
    assert schedule.ema_decay(0) == 0.0
    np.testing.assert_allclose(schedule.ema_decay(9), 1 - 10**-0.75)
    assert schedule.ema_decay(10**9) == 0.9999
