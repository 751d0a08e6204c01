"""Does the regression gate catch what it must, and only that? Twenty baselines, each of other episodes.

    PYTHONPATH=. python tests/external/check_gate.py --policy expert
    PYTHONPATH=. python tests/external/check_gate.py --policy default

Each baseline is judged against an unchanged world, and against worlds with half the friction, with a hand that is 20 %
weaker and, for a policy that looks, with the head camera 3 cm off. It takes 10 to 30 minutes on two cores, since real
episodes are played; what was judged is printed as it comes.
"""

import argparse
import contextlib
import io
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from planted import askew, slippery, weak

from benchmarks import regress, run
from benchmarks.worker import make_runner

UNCHANGED = "unchanged"


def main() -> int:
    """Exit code 0 when every fault was caught and no unchanged world was blamed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--policy", default="expert")
    options.add_argument("--suite", default="unseen_objects")
    options.add_argument("--runs", type=int, default=20)
    options.add_argument("--episodes", type=int, default=4, help="episodes of each baseline")
    given = options.parse_args()
    worlds = {UNCHANGED: make_runner, "half the friction": slippery, "a weak hand": weak}
    if given.policy != "expert":
        worlds["camera 3 cm off"] = askew
    caught = dict.fromkeys(worlds, 0)
    for number in range(given.runs):
        with tempfile.TemporaryDirectory() as folder:
            words = ["--suite", given.suite, "--policy", given.policy, "--first", str(number * given.episodes)]
            before, baseline = f"{folder}/before", f"{folder}/baseline.json"
            with contextlib.redirect_stdout(io.StringIO()):
                assert run.main([*words, "--episodes", str(given.episodes), "--out", before]) == 0
                assert regress.main(["--run", before, "--write", baseline]) == 0
                for count, (world, factory) in enumerate(worlds.items()):
                    code = regress.main(["--baseline", baseline, "--out", f"{folder}/{count}"], factory)
                    assert code in (0, 1), f"{world}: exit code {code}"
                    caught[world] += code
        print(f"{number + 1} of {given.runs}: " + ", ".join(f"{w} {n}" for w, n in caught.items()), flush=True)
    return int(caught.pop(UNCHANGED) > 0 or any(count < given.runs for count in caught.values()))


if __name__ == "__main__":
    sys.exit(main())
