"""A headless Chromium without a network, driven as the DevTools are: over two pipes."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

#: Longer than anything takes on a busy machine, in seconds; what needs it has failed.
PATIENCE = 120.0

_FLAGS = [
    "--headless=new",
    "--no-sandbox",  # root may not have one
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-component-update",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
    # Nothing has an address, so nothing can be fetched.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-pipe",
]


class Browser:
    """One Chromium with one page.

    Args:
        folder: for its profile, which is new.
        width, height: of the page, in CSS pixels.

    Attributes:
        pid: its process, which leads a group of its own.
        requests: the addresses that the page has asked for, but for data within it.
        complaints: what the page has said on its console, and its uncaught errors.
    """

    def __init__(self, folder: Path, width: int = 1280, height: int = 800) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number = 0
        self._received = b""
        self._load_fired = False
        self._start(folder, [f"--window-size={width},{height}"])
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session: str | None = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.resize(width, height)

    def _start(self, folder: Path, flags: list[str]) -> None:
        program = shutil.which("chromium")
        assert program, "the tests need chromium: apt-get install -y chromium"
        self._session = None
        their_in, self._out = _pipe()
        self._in, their_out = _pipe()
        arguments = ["chromium", *_FLAGS, *flags, f"--user-data-dir={folder / 'chromium'}"]
        with open(folder / "chromium.log", "wb") as log:
            actions = [
                (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                (os.POSIX_SPAWN_DUP2, their_in, 3),
                (os.POSIX_SPAWN_DUP2, their_out, 4),
            ]
            environment = {**os.environ, "HOME": str(folder), "TZ": "UTC"}
            self.pid = os.posix_spawn(
                program, arguments, environment, file_actions=actions, setsid=True
            )
        os.close(their_in)
        os.close(their_out)

    def end(self) -> None:
        """End it, and all that it has started."""
        for descriptor in (self._in, self._out):
            os.close(descriptor)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    # What the page is told.

    def open(self, path: Path) -> None:
        """Open a file and wait until all of its scripts have run."""
        self._load_fired = False
        self.call("Page.navigate", url=path.resolve().as_uri())
        deadline = time.monotonic() + PATIENCE
        while not self._load_fired:
            self._take(deadline, "the page")

    def run(self, script: str) -> Any:
        """Return what an expression in JavaScript yields, once that is there."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Wait until an expression in JavaScript is true."""
        deadline = time.monotonic() + PATIENCE
        while not self.run(f"Boolean({condition})"):
            assert time.monotonic() < deadline, f"waited in vain for {condition}"
            time.sleep(0.05)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def prefer(self, scheme: str) -> None:
        """Prefer a `dark` or a `light` page, as a person may have set for all pages."""
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def press(self, key: str) -> None:
        """Press and release a key, such as `Tab` or `Enter`."""
        codes = {"Enter": 13, "Tab": 9, " ": 32}
        more = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        fields = {"key": key, "windowsVirtualKeyCode": codes[key]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **fields, **more)
        self.call("Input.dispatchKeyEvent", type="keyUp", **fields)

    def type(self, text: str) -> None:
        """Type a text where the focus is."""
        self.call("Input.insertText", text=text)

    def point_at(self, x: float, y: float) -> None:
        """Move the mouse there, in CSS pixels of what is seen of the page."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        """Click there; the mouse must be there already, as with people."""
        button = {"x": x, "y": y, "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", type="mousePressed", **button)
        self.call("Input.dispatchMouseEvent", type="mouseReleased", **button)

    def screenshot(self, path: Path, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG."""
        answer = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))

    # The protocol: JSON, with a NUL byte behind each message.

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Have the page do something, in the words of the DevTools protocol."""
        return self._call(method, **parameters)

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = memoryview(json.dumps(message).encode() + b"\0")
        while data:
            data = data[os.write(self._out, data) :]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._take(deadline, method)
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _take(self, deadline: float, what: str) -> dict[str, Any]:
        """Return the next message, of which notice has been taken."""
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {what}"
            if select.select([self._in], [], [], left)[0]:
                data = os.read(self._in, 1 << 20)
                assert data, f"chromium has ended before {what}; its words are in chromium.log"
                self._received += data
        line, self._received = self._received.split(b"\0", 1)
        message: dict[str, Any] = json.loads(line)
        self._notice(message.get("method"), message.get("params", {}))
        return message

    def _notice(self, method: str | None, fields: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._load_fired = True
        elif method == "Network.requestWillBeSent":
            url = str(fields["request"]["url"])
            if not url.startswith(("data:", "blob:")):
                self.requests.append(url)
        elif method == "Log.entryAdded":
            self.complaints.append(str(fields["entry"]["text"]))
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(fields["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(fields["args"]))


@contextmanager
def browsing(folder: Path, **size: int) -> Iterator[Browser]:
    """Have a browser for a `with` block."""
    browser = Browser(folder, **size)
    try:
        yield browser
    finally:
        browser.end()


def _pipe() -> tuple[int, int]:
    """Return a pipe whose ends have numbers that a child's 3 and 4 do not meet."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high[0], high[1]
