"""How long a policy server takes to answer: round trips with and without pictures, and one chunk."""

import time
import uuid
from collections.abc import Callable

import numpy as np
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from envs import spec
from policy import wire
from policy.link import OPEN_S, RemoteError
from policy.wire import Message

ROUNDS, CHUNKS = 40, 5
_GRAIN = 8  # pixels: a test picture is neither flat nor noise, so that its JPEG is of a usual size


def check(url: str) -> str:
    """A table in words for the server at `url`. Raises RemoteError where none answers, or it is busy."""
    try:
        with connect(url, compression=None, proxy=None, max_size=wire.MAX_BYTES, open_timeout=OPEN_S) as socket:

            def ask(question: Message, pictures: str = wire.RAW) -> Message:
                socket.send(wire.pack(question, pictures))
                answer = wire.unpack(socket.recv())
                if answer.kind in (wire.REFUSED, wire.FAILED):
                    raise RemoteError(f"{url}: {answer.values.get('reason')}")
                return answer

            welcome = ask(Message(wire.HELLO, {"protocol": wire.PROTOCOL, "session": uuid.uuid4().hex})).values
            return "\n".join([f"{welcome['name']} {welcome['fingerprint']} at {url}", *_measured(ask)])
    except (OSError, WebSocketException, wire.WireError) as fault:
        raise RemoteError(f"no policy can be measured at {url} ({type(fault).__name__}: {fault})") from fault


def _measured(ask: Callable[..., Message]) -> list[str]:
    state = {spec.STATE: np.zeros(spec.ACTION_DIM, np.float32)}
    seen = state | {camera: _picture(number) for number, camera in enumerate(spec.CAMERAS)}
    kinds = (
        ("round trip, state alone", state, wire.RAW),
        ("round trip, two raw pictures", seen, wire.RAW),
        ("round trip, two JPEG pictures", seen, wire.JPEG),
    )
    lines = []
    for words, arrays, pictures in kinds:
        question = Message(wire.ECHO, {}, arrays)
        times_ms = [_timed_ms(lambda q=question, p=pictures: ask(q, p)) for _ in range(ROUNDS)]
        lines.append(f"{words:<30} {_spread(times_ms)}, {len(wire.pack(question, pictures)) / 1000:.0f} kB")
    chunks_ms = [ask(Message(wire.REHEARSE)).values["compute_ms"] for _ in range(CHUNKS)]
    lines.append(f"{'one chunk on the server':<30} {_spread(chunks_ms) if None not in chunks_ms else 'not known'}")
    return lines


def _timed_ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - began)


def _spread(times_ms: list[float]) -> str:
    return f"median {np.median(times_ms):6.1f} ms, 95 % below {np.percentile(times_ms, 95):6.1f} ms"


def _picture(seed: int) -> np.ndarray:
    width, height = spec.IMAGE_SIZE
    coarse = np.random.default_rng(seed).integers(0, 256, (height // _GRAIN, width // _GRAIN, 3), np.uint8)
    return coarse.repeat(_GRAIN, axis=0).repeat(_GRAIN, axis=1)
