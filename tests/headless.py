"""A headless Chromium driven through its DevTools protocol: as much of it as tests of pages need."""

import base64
import io
import itertools
import json
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image
from websockets.sync.client import connect

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--enable-unsafe-swiftshader",
    "--use-angle=swiftshader",
    "--window-size=1400,900",
    "--remote-debugging-port=0",
)
PATIENCE_S = 60.0


class Page:
    """One page of a browser of its own, whose profile lies in `folder`. A context manager."""

    def __init__(self, folder: Path, address: str) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
        self._process = subprocess.Popen([BROWSER, *FLAGS, f"--user-data-dir={folder}", address], **quiet)
        try:
            told = folder / "DevToolsActivePort"
            wait_for(lambda: told.exists() and told.read_text().count("\n") >= 1)
            port = told.read_text().split("\n")[0]
            wait_for(lambda: _pages(port))
            self._socket = connect(_pages(port)[0], max_size=None, open_timeout=PATIENCE_S)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []  # errors and warnings of the console, from `listen` on

    def listen(self, address: str) -> None:
        """Load another page, with an ear to what the console says of it."""
        for domain in ("Runtime", "Log", "Page"):
            self.call(f"{domain}.enable")
        self.call("Page.navigate", url=address)
        wait_for(lambda: self.value(f"document.readyState === 'complete' && location.href === {address!r}"))

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers to a command of the protocol."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE_S))
            if answer.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"]))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def value(self, script: str) -> Any:
        """The plain value of an expression of JavaScript on the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def type(self, words: str) -> None:
        """Put words into the field that has the focus, and press Enter."""
        self.call("Input.insertText", text=words)
        for kind in ("keyDown", "keyUp"):
            enter = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
            self.call("Input.dispatchKeyEvent", type=kind, **enter, **({"text": "\r"} if kind == "keyDown" else {}))

    def picture(self, element: str) -> np.ndarray:
        """(H, W, 3) uint8: what the first element that a CSS selector finds looks like."""
        box = self.value(
            f"(r => [r.x, r.y, r.width, r.height])(document.querySelector('{element}').getBoundingClientRect())"
        )
        clip = dict(zip(("x", "y", "width", "height"), box, strict=True)) | {"scale": 1}
        png = base64.b64decode(self.call("Page.captureScreenshot", clip=clip)["data"])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))

    def close(self) -> None:
        """End the browser."""
        try:
            self.call("Browser.close")
            self._socket.close()
            self._process.wait(10)
        except Exception:  # however it hangs, it must not outlive the test
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wait_for(condition, seconds: float = PATIENCE_S) -> None:
    """Come back as soon as something holds; an AssertionError when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def _pages(port: str) -> list[str]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=PATIENCE_S) as answer:
        return [page["webSocketDebuggerUrl"] for page in json.load(answer) if page["type"] == "page"]
