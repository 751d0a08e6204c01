"""Cached features: what the predictor would compute, once, whole shards only, and keyed by all that decides them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from datagen.windows import WindowReader
from policy.controller.config import View
from policy.controller.controller import Controller
from policy.controller.predictor import Predictor
from policy.training import extract as extracting
from policy.training import features
from policy.training.demos import VALID
from policy.training.errors import TrainingError
from policy.training.extract import extract
from policy.training.features import FeatureStore, data_hash, shard_path
from tests.tiny_training import CONFIG, DATA, made, plan


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def store(cache):
    return made(cache, plan())


def test_features_are_those_of_the_predictor(store):
    """A controller is trained on what it will see: same crop, same tower, target and mask of the first frame."""
    predictor, reader = Predictor(Controller(CONFIG)), WindowReader(DATA)
    shown = 0
    for window in (0, 7, len(store) - 1):
        track = store.plan.tracks[store.demos[window]]
        now = reader[track.first + int(store.steps[window])]
        start = reader[track.first]
        assert (now.demo, start.demo, start.step) == (track.name, track.name, 0)
        images = now.images
        wanted = predictor.inputs(images["head"], images["wrist"], images["mask"], now.state)
        wanted |= predictor.start_inputs(start.images["head"], start.images["mask"])
        found = store.read(window, 0)
        assert found.keys() == wanted.keys() - {"state"}
        for key in ("head", "wrist", "target"):
            assert found[key].dtype == np.float16
            np.testing.assert_allclose(found[key], wanted[key][0].numpy(), rtol=2e-3, atol=2e-3)
        for key in ("mask", "start_mask"):
            np.testing.assert_array_equal(found[key], wanted[key][0].numpy() > 0.5)
        assert found["start_mask"].any()
        shown += bool(found["mask"].any())
    assert shown >= 2  # the hand may hide a small target at one of the moments


def test_every_learned_start_is_there_once(store):
    tracks = store.plan.tracks
    rows = [(tracks[d].name, int(s)) for d, s in zip(store.demos, store.steps, strict=True)]
    assert rows == [(t.name, s) for t in tracks for s in range(len(t)) if s in t.starts(20).tolist()]
    assert len(set(rows)) == len(store) > 15


def test_jittered_views_differ_and_repeat(cache, tmp_path):
    wanted = plan(jitter_views=2, stride=45)
    store, again = made(cache, wanted), made(tmp_path, wanted)
    plain = made(cache, plan(stride=45)).read(1, 0)
    views = [store.read(1, k) for k in range(2)]
    for key in ("head", "wrist", "target"):
        one, two = (view[key].astype(np.float32) for view in views)
        assert 0.01 < np.abs(one - two).mean() < 10.0
        assert np.abs(one - plain[key]).mean() > 0.01
        np.testing.assert_array_equal(one, again.read(1, 0)[key])
    np.testing.assert_array_equal(views[0]["mask"], views[1]["mask"])


def test_only_missing_shards_are_made(tmp_path):
    wanted = plan(stride=45, shard_demos=2)
    assert len(wanted.shards) == 3
    shown = []
    extract(tmp_path, [wanted], 1, lambda done, total: shown.append((done, total)))
    assert shown[0] == (0, wanted.frames())
    assert shown[-1] == (wanted.frames(), wanted.frames())
    folder = wanted.folder(tmp_path)
    stamps = {n: shard_path(folder, n).stat().st_mtime_ns for n in range(3)}
    before = FeatureStore(tmp_path, wanted).read(2, 0)["head"].copy()
    lost = shard_path(folder, 1)
    for file in lost.iterdir():
        file.unlink()
    lost.rmdir()
    assert wanted.missing(tmp_path) == [1]
    shown.clear()
    extract(tmp_path, [wanted], 1, lambda done, total: shown.append((done, total)))
    assert 0 < shown[0][0] < wanted.frames()
    assert {n: shard_path(folder, n).stat().st_mtime_ns for n in (0, 2)} == {n: stamps[n] for n in (0, 2)}
    np.testing.assert_array_equal(FeatureStore(tmp_path, wanted).read(2, 0)["head"], before)


def test_a_shard_that_fails_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "save", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space"):
        extract(tmp_path, [plan(stride=45)], 1, lambda done, total: None)
    folder = plan(stride=45).folder(tmp_path)
    assert [path.name for path in folder.iterdir()] == ["about.json"]


@pytest.mark.slow
def test_workers_make_the_same_features(store, tmp_path):
    wanted = plan(shard_demos=3)
    both = made(tmp_path, wanted, workers=2)
    assert len(both) == len(store)
    for window in range(len(store)):
        np.testing.assert_array_equal(both.read(window, 0)["head"], store.read(window, 0)["head"])


def test_a_failing_tower_is_reported(tmp_path, monkeypatch):
    class Infinite(torch.nn.Module):
        def forward(self, images):
            return torch.full((len(images), 2, 448), float("inf"))

    names = {view.tower: Infinite() for view in CONFIG.views.values()}
    monkeypatch.setattr(extracting, "make_towers", lambda plan: names)
    with pytest.raises(TrainingError, match="16 bits"):
        extract(tmp_path, [plan()], 1, lambda done, total: None)


@pytest.mark.parametrize(
    "change",
    [
        {"data_hash": "other"},
        {"digests": {"efficientnet_lite0": "other"}},
        {"stride": 21},
        {"jitter_views": 1},
        {"config": replace(CONFIG, head=View("efficientnet_lite0", (96, 32)))},
        {"config": replace(CONFIG, head=replace(CONFIG.head, crop=(0.0, 0.0, 1.0, 1.0)))},
        {"config": replace(CONFIG, target=None)},
        {"config": replace(CONFIG, antialias=False)},
    ],
    ids=str,
)
def test_the_key_hangs_on_what_decides_features(cache, change):
    assert plan(**change).folder(cache) != plan().folder(cache)


def test_the_key_does_not_hang_on_the_controller(cache):
    same = plan(config=replace(CONFIG, width=64, depth=3, horizon=16), path=DATA.with_name("moved.h5"))
    assert same.folder(cache) == plan().folder(cache)
    assert plan(seed=1).folder(cache) == plan().folder(cache)
    assert plan(seed=1, jitter_views=1).folder(cache) != plan(jitter_views=1).folder(cache)
    assert plan(VALID).folder(cache) != plan().folder(cache)


def test_the_hash_of_a_file_is_remembered_until_it_changes(tmp_path, monkeypatch):
    file, calls = tmp_path / "data.h5", []
    file.write_bytes(b"one")
    monkeypatch.setattr(features, "content_hash", lambda path: calls.append(path) or path.read_bytes().hex())
    assert data_hash(file, tmp_path) == data_hash(file, tmp_path) == b"one".hex()
    assert len(calls) == 1
    file.write_bytes(b"three")
    assert data_hash(file, tmp_path) == b"three".hex()
