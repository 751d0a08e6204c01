"""Makes a dataset on a Ray cluster that loses a machine in mid-run. Takes the words of datagen.generate.

A program of its own, because Ray aborts in a process that has loaded CoACD before, as tests of imported meshes do: the
two libraries bring different builds of C++'s regular expressions under one name.
"""

import contextlib
import sys
from collections.abc import Iterator

import ray
from ray.cluster_utils import Cluster

from datagen import generate
from datagen.engines import run_ray
from datagen.generator import JobResult
from datagen.storage import DemoFile


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A head that only keeps the books, so that any machine that works may be lost."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def main(words: list[str]) -> int:
    """Run the command; its exit code, or 3 if no machine was lost."""
    lost = []
    with cluster() as made:
        nodes = [made.add_node(num_cpus=1) for _ in range(2)]

        def losing(request, path, indices, address) -> Iterator[JobResult]:
            for number, result in enumerate(run_ray(request, path, indices, address)):
                if number == 1:
                    made.remove_node(nodes[1], allow_graceful=False)
                    lost.append(number)
                assert DemoFile(path).names()  # written before it is reported
                yield result

        generate.run_ray = losing
        code = generate.main([*words, "--engine", "ray", "--ray-address", made.address])
    return code if lost else 3


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
