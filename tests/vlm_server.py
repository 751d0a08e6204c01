"""An OpenAI-compatible server on a real socket that plays what a test scripts: replies, delays, faults of all kinds."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Play:
    """One answer. text: the model's words. after_s: silence before it. cut_after: bytes of it before the line goes
    dead; 0: not even a status. raw: a body instead of a well-formed one. finish: the finish_reason.
    """

    text: str | None = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    after_s: float = 0.0
    cut_after: int | None = None
    raw: bytes | None = None
    content_type: str = "application/json"
    finish: str = "stop"


@dataclass
class Asked:
    """What a client sent, and when (s)."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    at_s: float


class VlmServer(ThreadingHTTPServer):
    """Plays its script in order, once; what comes after it is a 404."""

    daemon_threads = True

    def __init__(self, script: Sequence[Play], models: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.models, self.asked = list(script), list(models), []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    @property
    def chats(self) -> list[Asked]:
        return [asked for asked in self.asked if asked.path.endswith("/chat/completions")]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    server: VlmServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._note({})
        models = [{"id": name, "object": "model", "created": 0, "owned_by": "test"} for name in self.server.models]
        self._send(Play(raw=json.dumps({"object": "list", "data": models}).encode()))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._note(body)
        with self.server.lock:
            play = (
                self.server.script.pop(0)
                if self.server.script
                else Play(status=404, raw=b'{"error": "script is over"}')
            )
        self._send(play)

    def _note(self, body: dict[str, Any]) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        self.server.asked.append(Asked(self.path, headers, body, time.monotonic()))

    def _send(self, play: Play) -> None:
        time.sleep(play.after_s)
        body = play.raw if play.raw is not None else json.dumps(completion(play)).encode()
        if play.cut_after == 0:
            self._hang_up()
            return
        self.send_response(play.status)
        for name, value in {
            "Content-Type": play.content_type,
            "Content-Length": str(len(body)),
            **play.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: play.cut_after])
        if play.cut_after is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True


def completion(play: Play) -> dict[str, Any]:
    message = {"role": "assistant", "content": play.text}
    return {
        "id": "chat-1",
        "object": "chat.completion",
        "created": 0,
        "model": "test",
        "choices": [{"index": 0, "message": message, "finish_reason": play.finish}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }


@contextmanager
def vlm_server(*script: Play, models: Sequence[str] = ("Qwen2.5-VL-72B-Instruct", "other")) -> Iterator[VlmServer]:
    """A running server; stopped and its socket closed at the end."""
    server = VlmServer(script, models)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
