"""Scale-out: on a Ray cluster that loses a machine in mid-run the dataset is whole, and equal to the local one."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from datagen import engines
from datagen.content import content_hash
from datagen.generate import main
from datagen.generator import Generator
from datagen.storage import DemoFile

ROOT = Path(__file__).parent.parent
WORDS = ["--hold-seconds", "1", "--recovery", "0", "--cameras", "none"]
EPISODES = 6
LIMIT_S = 200

pytestmark = pytest.mark.slow


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is an extra: install with the extra 'ray'")
def test_a_cluster_that_loses_a_node_makes_the_same_dataset(tmp_path, monkeypatch):
    local, scattered = tmp_path / "local.h5", tmp_path / "ray.h5"
    words = ["--episodes", str(EPISODES), *WORDS]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    command = [sys.executable, str(ROOT / "tests" / "ray_cluster.py"), *words, "--out", str(scattered)]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert ended.returncode == 0, ended.stderr[-3000:]

    def here(request, path, indices, workers):
        maker = Generator(request)
        for index in indices:
            product = maker.make(index)
            engines.keep(path, product)
            yield product.result

    monkeypatch.setattr("datagen.generate.run_local", here)
    assert main([*words, "--out", str(local)]) == 0
    assert len(DemoFile(local).names()) == EPISODES
    assert content_hash(scattered) == content_hash(local)


def test_without_ray_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    assert main(["--out", str(tmp_path / "demos.h5"), "--engine", "ray"]) == 2
    assert "install this package with the extra 'ray'" in capsys.readouterr().err
    assert not os.listdir(tmp_path)
