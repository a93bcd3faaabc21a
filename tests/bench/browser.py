"""A real browser to look at a page with: Chromium without a window, spoken to by its own protocol over two pipes."""

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE = 60  # seconds for an answer


class Page:
    """A page that has been loaded. `trouble`: errors and warnings of its console; `requests`: addresses it asked for."""

    def __init__(self, commands: int, answers: int) -> None:
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self._commands, self._answers = commands, answers
        self._unread = b""
        self._number = 0
        self._session: dict[str, str] = {}
        self._loaded = False

    def open(self, path: Path) -> None:
        """Loads a file and waits until all of it is there."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.navigate", url=path.as_uri())
        while not self._loaded:
            self._take(self._next())

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The answer to a command of the protocol."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])
            self._take(message)

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], max(0, until - time.monotonic()))
            assert ready, "the browser does not answer"
            read = os.read(self._answers, 1 << 16)
            assert read, "the browser is gone"
            self._unread += read
        message, _, self._unread = self._unread.partition(b"\0")
        return dict(json.loads(message))

    def _take(self, message: dict[str, Any]) -> None:
        """Notes what the browser says unasked."""
        params = message.get("params", {})
        match message.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.trouble.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled":
                self.trouble.append(str(params["args"]))
            case "Log.entryAdded":
                self.trouble.append(params["entry"]["text"])


@contextmanager
def opened(path: Path, profile: Path) -> Iterator[Page]:
    """A page in a browser of its own. profile: a folder for what the browser keeps."""
    assert BROWSER is not None, "no browser: install chromium"
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()

    joined = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'  # it reads commands from 3 and answers on 4
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    flags += ["--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage", "--hide-scrollbars"]
    browser = subprocess.Popen(
        ["bash", "-c", joined, BROWSER, *flags],
        pass_fds=(theirs_in, theirs_out),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        page = Page(ours_out, ours_in)
        page.open(path)
        yield page
        page.ask("Browser.close")
    finally:
        os.close(ours_out)  # without it, the browser ends by itself
        os.close(ours_in)
        try:
            browser.wait(timeout=20)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()
