"""A proxy between robot and server that delays, cuts and goes silent on demand."""

import contextlib
import socket
import threading
import time


class Proxy:
    """Forwards every connection to (host, port). `delay_s` holds back what the server says; `cut` ends all at once.

    silent: bytes are swallowed in both directions, and no connection is ended: a cable that was pulled.
    """

    def __init__(self, port: int) -> None:
        self.target, self.delay_s, self.silent, self.refusing = port, 0.0, False, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.port = self._listener.getsockname()[1]
        self.url = f"ws://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection, as a router that restarts."""
        opened, self._open = self._open, []
        for end in opened:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                robot, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.refusing:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                robot.close()
                continue
            self._open += [robot, server]
            threading.Thread(target=self._forward, args=(robot, server, False), daemon=True).start()
            threading.Thread(target=self._forward, args=(server, robot, True), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, delayed: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if delayed and self.delay_s:
                    time.sleep(self.delay_s)
                if not self.silent:
                    sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
