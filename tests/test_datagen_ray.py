"""Scale-out: on a Ray cluster that loses a machine in mid-run the dataset is whole, and equal to the local one."""

import os
from pathlib import Path

import pytest

from datagen import engines
from datagen.content import content_hash
from datagen.engines import run_ray
from datagen.generate import main
from datagen.generator import Generator
from datagen.jobs import Request
from datagen.storage import DemoFile

ROOT = Path(__file__).parent.parent
WORDS = ["--hold-seconds", "1", "--recovery", "0", "--cameras", "none"]
REQUEST = Request(episodes=6, tolerant=False, hold_s=1.0, recovery=0.0, cameras=())

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster(monkeypatch):
    pytest.importorskip("ray", reason="Ray is an extra: install this package with the extra 'ray'")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    from ray.cluster_utils import Cluster

    # The first node only keeps the books, so that any machine that works may be lost.
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_cluster_that_loses_a_node_makes_the_same_dataset(tmp_path, cluster, monkeypatch):
    nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
    local, scattered = tmp_path / "local.h5", tmp_path / "ray.h5"
    lost = []

    def losing(request, path, indices, address):
        for number, result in enumerate(run_ray(request, path, indices, address)):
            if number == 1:
                cluster.remove_node(nodes[1], allow_graceful=False)
                lost.append(number)
            assert DemoFile(path).names()  # written before it is reported
            yield result

    monkeypatch.setattr("datagen.generate.run_ray", losing)
    words = ["--episodes", str(REQUEST.episodes), *WORDS]
    assert main([*words, "--out", str(scattered), "--engine", "ray", "--ray-address", cluster.address]) == 0
    assert lost

    def here(request, path, indices, workers):
        maker, file = Generator(request), DemoFile(path)
        for index in indices:
            product = maker.make(index)
            engines._keep(file, product)
            yield product.result

    monkeypatch.setattr("datagen.generate.run_local", here)
    assert main([*words, "--out", str(local)]) == 0
    assert len(DemoFile(local).names()) == REQUEST.episodes
    assert content_hash(scattered) == content_hash(local)


def test_without_ray_the_command_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    assert main(["--out", str(tmp_path / "demos.h5"), "--engine", "ray"]) == 2
    assert "install this package with the extra 'ray'" in capsys.readouterr().err
    assert not os.listdir(tmp_path)
