"""The same agent across a socket: equal actions, and a safe stop whatever happens to server, wire and clock."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from agent_parts import OPEN, Scene, failing_agent, made_agent, observation
from cut_wire import Proxy

from envs import spec
from envs.interface import GAVE_UP, Policy

pytest.importorskip("websockets", reason='needs the extra "remote"')
from policy import link, wire
from policy.remote import RemoteError, RemotePolicy
from policy.serve import PolicyServer, ServeError, main

ROOT = Path(__file__).parent.parent
PATIENT_S = 20.0


@pytest.fixture(autouse=True)
def quick_to_notice(monkeypatch):
    """Dead connections are noticed, and made again, within tenths of a second."""
    for name, seconds in {"OPEN_S": 2.0, "PING_S": 0.1, "DEAD_S": 0.4, "FIRST_PAUSE_S": 0.02}.items():
        monkeypatch.setattr(link, name, seconds)


@contextmanager
def serving(policy: Policy, port: int = 0, fingerprint: str = "f00d"):
    server = PolicyServer(policy, port=port, fingerprint=fingerprint)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(10)
        assert not thread.is_alive()


def played(policy: Policy, steps: int, seed: int = 7, first: int = 0) -> np.ndarray:
    if first == 0:
        policy.reset(Scene(), seed)
    return np.array([policy.act(observation(step)) for step in range(first, first + steps)])


def until(condition) -> None:
    deadline = time.monotonic() + PATIENT_S
    while not condition():
        assert time.monotonic() < deadline, "this never happens"
        time.sleep(0.01)


def test_a_remote_agent_acts_as_the_same_agent_here_bit_by_bit():
    with serving(made_agent()) as server, RemotePolicy(server.url, timeout_s=None) as remote:
        assert (remote.name, remote.cameras, remote.privileged) == ("counting", spec.CAMERAS, ())
        here = made_agent()
        for seed in (7, 8):
            np.testing.assert_array_equal(played(remote, 20, seed), played(here, 20, seed))
        assert (remote.held_steps, remote.restarts, remote.connections, remote.trouble) == (0, 0, 1, "")


def test_jpeg_pictures_are_an_option():
    with serving(made_agent()) as server, RemotePolicy(server.url, timeout_s=None, pictures=wire.JPEG) as remote:
        actions = played(remote, 7)
        assert [round(1000 * a[0]) for a in actions] == [0] * 6 + [1]
        assert not np.array_equal(actions, played(made_agent(), 7))  # the controller saw other pixels
    with pytest.raises(RemoteError, match="choose from: raw, jpeg"):
        RemotePolicy("ws://127.0.0.1:1", pictures="gif")


def test_a_late_answer_is_carried_out_late_and_the_arm_stands_still_meanwhile():
    with serving(made_agent()) as server:
        proxy = Proxy(server.port)
        with RemotePolicy(proxy.url, timeout_s=0.05) as remote:
            wanted = played(made_agent(), 4)
            remote.reset(Scene(), 7)
            until(lambda: not np.array_equal(remote.act(observation(0)), OPEN))
            held = remote.held_steps
            np.testing.assert_array_equal(remote.act(observation(1)), wanted[1])
            proxy.delay_s = 0.3
            began = time.monotonic()
            waiting = [remote.act(observation(2)) for _ in range(5)]
            assert time.monotonic() - began < 0.25
            np.testing.assert_array_equal(waiting, [wanted[1]] * 5)
            assert remote.held_steps == held + 5
            time.sleep(0.4)
            np.testing.assert_array_equal(remote.act(observation(9)), wanted[2])
        proxy.close()


def test_a_cut_wire_is_mended_and_the_attempt_goes_on_where_it_was():
    """Every action that the server makes is carried out once, also when its answer was lost on the way."""
    with serving(made_agent()) as server:
        proxy = Proxy(server.port)
        with RemotePolicy(proxy.url, timeout_s=None) as remote:
            wanted, actions = played(made_agent(), 20), []
            remote.reset(Scene(), 7)
            for step in range(20):
                if step in (5, 6, 12):
                    proxy.cut()
                actions.append(remote.act(observation(step)))
            np.testing.assert_array_equal(actions, wanted)
            assert (remote.restarts, remote.held_steps) == (0, 0)
            assert remote.connections == 4
            proxy.delay_s = 0.2  # the server has answered, and its answer is under way
            threading.Timer(0.1, proxy.cut).start()
            remote.act(observation(20))
            assert (remote.restarts, remote.connections) == (0, 5)
        proxy.close()


@pytest.mark.parametrize("how", ["cut", "silent"])
def test_while_there_is_no_server_the_last_command_is_held(how):
    with serving(made_agent()) as server:
        proxy = Proxy(server.port)
        with RemotePolicy(proxy.url, timeout_s=0.5) as remote:
            actions = played(remote, 8)
            proxy.refusing = proxy.silent = True
            if how == "cut":
                proxy.cut()
            remote.timeout_s = 0.02
            until(lambda: remote.act(observation(8)) is not None and remote.trouble)
            lost = [remote.act(observation(8)) for _ in range(20)]
            np.testing.assert_array_equal(lost, [actions[-1]] * 20)
            assert remote.verdict == ""
            proxy.refusing = proxy.silent = False
            remote.timeout_s = None
            np.testing.assert_array_equal(remote.act(observation(8)), played(made_agent(), 9)[-1])
            assert (remote.restarts, remote.connections) == (0, 2)
        proxy.close()


@contextmanager
def process(port: int, policy: str = "agent_parts:made_agent"):
    """A real server, as on a machine of its own."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    words = [sys.executable, "-m", "policy.serve", "--policy", policy, "--port", str(port)]
    started = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_killed_server_stops_the_arm_and_a_new_one_begins_the_attempt_anew():
    port = free_port()
    with process(port) as first, RemotePolicy(f"ws://127.0.0.1:{port}", timeout_s=2.0, connect_s=PATIENT_S) as remote:
        actions = played(remote, 8)
        np.testing.assert_array_equal(actions, played(made_agent(), 8))
        remote.timeout_s = 0.05
        first.send_signal(signal.SIGKILL)
        first.wait()
        lost = [remote.act(observation(8)) for _ in range(10)]
        np.testing.assert_array_equal(lost, [actions[-1]] * 10)
        with process(port) as second:
            remote.timeout_s = PATIENT_S
            # From where the arm stands, in a server that knows nothing of what was: its first chunk acts.
            again = np.array([remote.act(observation(step)) for step in range(7)])
            np.testing.assert_array_equal(again, played(made_agent(), 7))
            assert (remote.restarts, remote.verdict) == (1, "")
            second.send_signal(signal.SIGTERM)
            assert second.wait(10) == 0
            assert "a chunk takes" in second.stdout.read()


def test_a_policy_that_fails_ends_the_attempt_and_not_the_connection(capsys):
    class Broken(Policy):
        name, cameras = "broken", ()

        def reset(self, env, seed):
            self.left = seed

        def act(self, observation):
            self.left -= 1
            return np.full(13, 0.5, np.float32) / self.left if self.left else 1 // 0

    with serving(Broken()) as server, RemotePolicy(server.url, timeout_s=None) as remote:
        actions = played(remote, 5, seed=3)
        np.testing.assert_array_equal(actions[1:], [np.full(13, 0.5, np.float32)] * 4)
        assert (remote.verdict, remote.held_steps) == (GAVE_UP, 3)
        assert "ZeroDivisionError" in remote.trouble
        played(remote, 3, seed=9)
        assert (remote.verdict, remote.held_steps) == ("", 0)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_planner_that_gave_up_is_heard_of_at_the_robot():
    with serving(failing_agent()) as server, RemotePolicy(server.url, timeout_s=None) as remote:
        np.testing.assert_array_equal(played(remote, 3), [OPEN] * 3)
        assert remote.verdict == GAVE_UP


def test_a_server_of_another_version_is_refused_by_name(monkeypatch):
    with serving(made_agent()) as server:
        real = wire.pack

        def ours_is_older(message, pictures=wire.RAW):
            values = message.values | ({"protocol": "dexclutter-remote/0"} if message.kind == wire.HELLO else {})
            return real(wire.Message(message.kind, values, message.arrays), pictures)

        monkeypatch.setattr(wire, "pack", ours_is_older)
        with pytest.raises(RemoteError, match=r"robot speaks 'dexclutter-remote/0', this server 'dexclutter-remote/1'"):
            RemotePolicy(server.url)


def test_another_policy_under_the_same_address_is_not_taken_for_the_first():
    port = free_port()
    with serving(made_agent(), port):
        remote = RemotePolicy(f"ws://127.0.0.1:{port}", timeout_s=1.0)
        action = played(remote, 2)[-1]
    with remote, serving(made_agent(), port, fingerprint="beef"):
        until(lambda: remote.act(observation(2)) is not None and remote.verdict)
        assert remote.verdict == GAVE_UP
        assert "another policy" in remote.trouble
        np.testing.assert_array_equal(remote.act(observation(3)), action)


def test_a_server_serves_one_robot_at_a_time():
    with serving(made_agent()) as server:
        with RemotePolicy(server.url), pytest.raises(RemoteError, match="another robot is connected"):
            RemotePolicy(server.url, connect_s=0.3)
        with RemotePolicy(server.url, connect_s=PATIENT_S) as second:
            assert second.name == "counting"


def test_nobody_at_the_address_is_said_with_the_command_that_helps():
    with pytest.raises(RemoteError, match=r"no policy answers at ws://127.0.0.1:\d+ .*python -m policy.serve"):
        RemotePolicy(f"ws://127.0.0.1:{free_port()}", connect_s=0.2)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"state": np.zeros((1, 13), np.float32)}, "'state' of 13 numbers"),
        ({"head": np.zeros((4, 4), np.uint8)}, "'head', a picture"),
        ({"wrist": np.zeros((4, 4, 3), np.float32)}, "'wrist', a picture"),
    ],
)
def test_observations_that_do_not_fit_are_refused_with_words(change, what):
    with serving(made_agent()) as server, RemotePolicy(server.url, timeout_s=None) as remote:
        remote.reset(Scene(), 0)
        first = remote.act(observation() | change)
        np.testing.assert_array_equal(remote.act(observation(1)), first)
        assert remote.verdict == GAVE_UP
        assert what in remote.trouble


def test_a_privileged_policy_and_an_address_in_use_are_refused(capsys):
    class Seer(Policy):
        name, privileged = "seer", ("planner",)

        def reset(self, env, seed): ...

        def act(self, observation): ...

    with pytest.raises(ServeError, match=r"reads the simulation \(planner\), which no robot has"):
        PolicyServer(Seer(), port=0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["--policy", "agent_parts:made_agent", "--port", str(port)]) == 2
        assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_the_check_measures_a_running_server(capsys):
    with serving(made_agent()) as server:
        assert main(["--check", server.url]) == 0
    printed = capsys.readouterr().out
    assert printed.count("median") == 4
    assert "two JPEG pictures" in printed
    assert f"counting f00d at {server.url}" in printed
    assert main(["--check", server.url]) == 2
    assert "no policy can be measured" in capsys.readouterr().err
