"""A controller in one file: there and back, and files that are none."""

# ruff: noqa: E402 (what needs torch is imported once torch is known to be there)

import json
import struct

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")
pytest.importorskip("diffusers")

from safetensors import safe_open
from safetensors.torch import save_file

from policy.controller import checkpoint
from policy.controller.checkpoint import CheckpointError, Origin
from tests.controller_factory import inputs, made, tiny

ORIGIN = Origin(data=("abc",), updates=7, versions={"torch": "2"}, notes={"suite": "train"})


@pytest.fixture
def saved(tmp_path):
    controller = made(tiny(), seed=5).eval()
    controller.actions.fit(torch.full((13,), -0.4), torch.full((13,), 0.9))
    path = tmp_path / "deep" / "controller.safetensors"
    checkpoint.save(path, controller, ORIGIN)
    return controller, path


def test_a_saved_controller_acts_as_before(saved):
    controller, path = saved
    loaded, origin = checkpoint.load(path)
    assert (loaded.config, origin) == (controller.config, ORIGIN)
    assert not loaded.training
    given = inputs(controller.config, 1)
    chunks = [c.sample(given, torch.Generator().manual_seed(0)) for c in (controller, loaded)]
    assert torch.equal(*chunks)


def test_saving_leaves_nothing_beside_the_file_and_replaces_it_whole(saved):
    controller, path = saved
    before = path.read_bytes()
    checkpoint.save(path, controller, ORIGIN)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert checkpoint.load(path)[1] == ORIGIN
    assert len(path.read_bytes()) == len(before)


def test_a_failed_save_keeps_the_old_file(saved, monkeypatch):
    controller, path = saved
    before = path.read_bytes()

    def broken(state, file, header):
        file.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", broken)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, controller, ORIGIN)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def rewritten(path, change):
    with safe_open(path, framework="pt") as file:
        header, state = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, state)
    save_file(state, path, header)


DAMAGES = {
    "empty": (lambda path: path.write_bytes(b""), "no safetensors file"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-1000]), "damaged"),
    "cut in the header": (lambda path: path.write_bytes(path.read_bytes()[:200]), "damaged"),
    "something else": (lambda path: path.write_bytes(struct.pack("<Q", 10**12) + b"{}"), "no safetensors file"),
    "without a header": (lambda path: rewritten(path, lambda h, s: h.clear()), "format 'none'"),
    "another format": (lambda path: rewritten(path, lambda h, s: h.update(format="x/9")), "format 'x/9'"),
    "no origin": (lambda path: rewritten(path, lambda h, s: h.pop("origin")), "does not fit"),
    "broken origin": (lambda path: rewritten(path, lambda h, s: h.update(origin='{"dat')), "does not fit"),
    "foreign origin": (lambda path: rewritten(path, lambda h, s: h.update(origin='{"x": 1}')), "does not fit"),
    "a weight missing": (lambda path: rewritten(path, lambda h, s: s.pop("transformer.head.bias")), "head.bias"),
    "a weight too many": (lambda path: rewritten(path, lambda h, s: s.update(x=torch.zeros(1))), "x"),
    "other sizes": (
        lambda path: rewritten(path, lambda h, s: h.update(config=json.dumps({**tiny().as_dict(), "width": 64}))),
        "size mismatch",
    ),
    "unknown settings": (lambda path: rewritten(path, lambda h, s: h.update(config='{"x": 1}')), "no configuration"),
    "missing": (lambda path: path.unlink(), "does not exist"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_whatever_is_no_controller_is_refused_by_name(saved, name):
    _, path = saved
    damage, words = DAMAGES[name]
    damage(path)
    with pytest.raises(CheckpointError, match=words) as refusal:
        checkpoint.load(path)
    assert str(path) in str(refusal.value)
