"""Windows and batches: right numbers, goals and paddings; a batch is a function of seed and update alone."""

import shutil

import h5py
import numpy as np
import pytest
import torch

from envs import spec
from policy.controller.actions import ActionSpace
from policy.controller.config import ABSOLUTE, RELATIVE
from policy.training.demos import Track, tracks
from policy.training.extract import make_towers
from policy.training.online import Eyes, PictureStore
from policy.training.windows import Augmentation, WindowSet
from tests.tiny_training import CONFIG, DATA, made, plan


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made(tmp_path_factory.mktemp("cache"), plan(jitter_views=2))


@pytest.fixture(scope="module")
def windows(store):
    return WindowSet(CONFIG, [store, store])


def track(phases, learned=True):
    actions = np.arange(len(phases), dtype=np.float32)[:, None].repeat(spec.ACTION_DIM, 1)
    return Track("demo_7", actions, actions / 10, np.array(phases), np.full(len(phases), learned), 0)


@pytest.mark.parametrize(
    ("phases", "goals"),
    [
        ([0, 0, 1, 2, 2, 3, 3], [3, 3, 3, 3, 3, 3, 3]),
        ([0, 1, 2, 3, 0, 1, 2, 3], [2, 2, 2, 2, 6, 6, 6, 6]),
        ([-1, -1, -1], [2, 2, 2]),
    ],
)
def test_the_goal_is_where_the_hand_begins_to_close(phases, goals):
    made_up = track(phases)
    assert [float(made_up.goal(step)[0]) for step in range(len(phases))] == goals


def test_chunks_repeat_the_last_action_where_they_are_padded():
    actions, padded = track([0] * 5).chunk(3, 4)
    assert actions[:, 0].tolist() == [3, 4, 4, 4]
    assert padded.tolist() == [False, False, True, True]


def test_rows_are_those_of_the_file(windows, store):
    assert len(windows) == 2 * len(store)
    for window in (0, 5, len(store) + 3):
        demo, step = store.demos[window % len(store)], int(store.steps[window % len(store)])
        source = store.plan.tracks[demo]
        inputs, targets = windows.batch(np.array([window]))
        np.testing.assert_array_equal(inputs["state"][0], source.state[step])
        np.testing.assert_array_equal(targets["actions"][0, 0], source.actions[step])
        assert int(targets["phase"][0]) == source.phases[step]
        np.testing.assert_array_equal(targets["padded"][0], step + np.arange(CONFIG.horizon) >= len(source))
        np.testing.assert_array_equal(inputs["head"][0], store.read(window % len(store), 0)["head"].astype(np.float32))
        np.testing.assert_array_equal(targets["goal"][0], source.goal(step))


def test_an_epoch_holds_every_window_once(windows):
    count = len(windows)
    places = windows.order(3, 0, 3 * count)
    for epoch in range(3):
        assert sorted(places[epoch * count : (epoch + 1) * count].tolist()) == list(range(count))
    assert places[:count].tolist() != places[count : 2 * count].tolist()
    np.testing.assert_array_equal(windows.order(3, 17, count), places[17 : 17 + count])
    assert windows.order(4, 0, count).tolist() != places[:count].tolist()


def equal(one, two):
    return all(torch.equal(a[key], b[key]) for a, b in zip(one, two, strict=True) for key in a)


def test_a_batch_is_a_function_of_seed_and_update(windows):
    noise = Augmentation(0.1, True)
    first = windows.training_batch(0, 5, 12, noise)
    windows.training_batch(0, 6, 12, noise)
    assert equal(first, windows.training_batch(0, 5, 12, noise))
    assert not equal(first, windows.training_batch(1, 5, 12, noise))
    assert not equal(first, windows.training_batch(0, 6, 12, noise))


def test_processes_share_the_batch_of_one(windows):
    noise = Augmentation(0.1, True)
    whole = windows.training_batch(0, 2, 12, noise)
    parts = [windows.training_batch(0, 2, 12, noise, slice(k, k + 4)) for k in (0, 4, 8)]
    joined = [{key: torch.cat([part[n][key] for part in parts]) for key in whole[n]} for n in range(2)]
    assert equal(whole, joined)


def test_augmentation_disturbs_state_and_masks_alone(windows):
    size = 64
    clean = windows.training_batch(0, 0, size, Augmentation())
    noisy = windows.training_batch(0, 0, size, Augmentation(0.02, True))
    for key in ("head", "wrist", "target"):
        assert torch.equal(clean[0][key], noisy[0][key])
    assert equal(clean[1:], noisy[1:])
    change = noisy[0]["state"] - clean[0]["state"]
    assert 0.018 < float(change.std()) < 0.022
    for key in ("mask", "start_mask"):
        shown = clean[0][key].flatten(1).any(1)  # there is nothing to disturb where the hand hides the target
        differs = (noisy[0][key] != clean[0][key])[shown].flatten(1).any(1).float().mean()
        assert 0.05 < float(differs) < 0.6
        assert set(noisy[0][key].unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("arm", [ABSOLUTE, RELATIVE])
def test_limits_span_what_is_not_padded(windows, arm):
    space = ActionSpace(arm)
    windows.fit(space)
    actions, state = torch.from_numpy(windows.actions), torch.from_numpy(windows.state)
    values = space.normalised(actions, state)[~torch.from_numpy(windows.padded)]
    moving = space.represented(actions, state)[~torch.from_numpy(windows.padded)].std(0) > 1e-3
    assert moving.sum() >= 10
    torch.testing.assert_close(values.amin(0)[moving], -torch.ones(int(moving.sum())), rtol=0, atol=1e-5)
    torch.testing.assert_close(values.amax(0)[moving], torch.ones(int(moving.sum())), rtol=0, atol=1e-5)
    windows.fit(space, quantile=0.05)
    beyond = (space.normalised(actions, state)[~torch.from_numpy(windows.padded)].abs() > 1.0).float().mean(0)
    assert 0.02 < float(beyond[spec.ARM].mean()) < 0.12


def test_towers_that_work_online_see_what_the_cache_holds(tmp_path):
    wanted, towers = plan(), make_towers(plan())
    cached = WindowSet(CONFIG, [made(tmp_path, wanted)])
    plain, colourful = (
        WindowSet(CONFIG, [PictureStore(wanted)], Eyes(CONFIG, towers, jitter=jitter, precision="fp32"), readers=2)
        for jitter in (False, True)
    )
    picked = np.array([0, 4, 9])
    expected, _ = cached.batch(picked)
    pictures, _ = plain.batch(picked)
    assert pictures["head"].dtype == torch.uint8
    found = plain.seen(pictures)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=2e-3, atol=2e-3)
    one, two, other = (colourful.seen(pictures, words) for words in ((0, 1), (0, 1), (0, 2)))
    assert equal([one], [two])
    assert not torch.equal(one["head"], other["head"])
    assert not torch.equal(one["head"], found["head"])
    assert torch.equal(one["mask"], found["mask"])


def test_nothing_begins_where_something_goes_wrong_on_purpose():
    with h5py.File(DATA) as file:
        imitate = {name: group["imitate"][()].astype(bool) for name, group in file["data"].items()}
    found = [t for subset in ("train", "valid") for t in tracks(DATA, subset)]
    assert {t.name for t in found} == set(imitate)
    assert not all(values.all() for values in imitate.values())
    for each in found:
        np.testing.assert_array_equal(each.starts(1), np.flatnonzero(imitate[each.name]))


def test_files_that_do_not_tell_lose_their_missed_grasps(tmp_path):
    path = shutil.copy(DATA, tmp_path / "old.h5")
    with h5py.File(path, "r+") as file:
        for group in file["data"].values():
            del group["imitate"]
        missed = next(name for name, group in file["data"].items() if group.attrs["recovery"] == "miss")
        again = int(np.flatnonzero(np.diff(file[f"data/{missed}/phases"][()].astype(int)) < 0)[0]) + 1
    found = {t.name: t for t in tracks(path, "train")}
    np.testing.assert_array_equal(found[missed].starts(1), np.arange(again, len(found[missed])))
    assert 30 < again < len(found[missed]) - 30
    assert all(t.learned.all() for name, t in found.items() if name != missed)


def test_every_demonstration_starts_at_its_own_offset():
    offsets = {int(t.starts(7)[0]) % 7 for t in tracks(DATA, "train")}
    assert len(offsets) > 1
    assert not len(track([0] * 9, learned=False).starts(1))
