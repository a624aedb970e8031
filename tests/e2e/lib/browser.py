"""Debian's Chromium without a window, driven by its own protocol over one WebSocket.

    with Browser() as browser:
        page = browser.open(url, width=390, height=844, dark=True)
        page.evaluate("document.title")
        page.screenshot("listing.png")

It knows nobody but the loopback: everything that phones home is off, and it has a profile of its own
that goes with it.  What the page complains of (its console, errors, policy) is in `page.complaints`.
"""

import asyncio
import base64
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import websockets

from lib.runner import BUILD

ARTEFACTS = BUILD.parent / "screenshots"
START_S = 60
CALL_S = 60
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars "
    "--disable-background-networking --disable-component-update --disable-sync --disable-extensions "
    "--disable-dev-shm-usage --no-default-browser-check --disable-default-apps --mute-audio "
    "--remote-debugging-port=0 --proxy-server=direct://"
).split()


class Page:
    def __init__(self, browser, session):
        self._browser = browser
        self._session = session
        self.complaints = []

    def call(self, method, **params):
        return self._browser.call(method, self._session, **params)

    def evaluate(self, expression):
        """The value of a JavaScript expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def go(self, url):
        """Opens a page and waits until it has loaded."""
        self._browser.loads = 0
        answer = self.call("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        self.wait_loaded()

    def click(self, selector):
        """A click of the mouse, where the element is, on a link that opens another page."""
        box = self.evaluate(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.left + Math.min(r.width, 40) / 2, r.top + r.height / 2]; })()")
        self._browser.loads = 0
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self.wait_loaded()

    def wait_loaded(self):
        self._browser.wait(lambda: self._browser.loads > 0)

    def resize(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 700)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def screenshot(self, name):
        """Kept under build/screenshots."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        image = self.call("Page.captureScreenshot", format="png")["data"]
        (ARTEFACTS / name).write_bytes(base64.b64decode(image))


class Browser:
    def __enter__(self):
        self._profile = tempfile.mkdtemp(prefix="pollux-browser-")
        self._process = subprocess.Popen(
            ["chromium", *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            start_new_session=True, env={**os.environ, "HOME": self._profile})
        self._loop = asyncio.new_event_loop()
        self._page = None
        self._answers = {}
        self._last = 0
        self.loads = 0
        try:
            self._socket = self._run(self._connect())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._run(self._socket.close())
        finally:
            self._end()

    async def _connect(self):
        return await websockets.connect(self._address(), max_size=None, ping_interval=None)

    def _address(self):
        """It says on stderr where it listens."""
        for line in self._process.stderr:
            found = re.search(rb"DevTools listening on (ws://\S+)", line)
            if found:
                return found[1].decode()
        raise AssertionError("chromium ended before it listened")

    def _end(self):
        # All of its processes are one group, made for it.
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(10)
        self._process.stderr.close()
        self._loop.close()
        shutil.rmtree(self._profile, ignore_errors=True)

    def _run(self, awaitable, seconds=START_S):
        async def bounded():
            return await asyncio.wait_for(awaitable, seconds)
        return self._loop.run_until_complete(bounded())

    def _take(self):
        """One message: an answer is kept, an event is looked at."""
        message = json.loads(self._run(self._socket.recv(), CALL_S))
        if "id" in message:
            self._answers[message["id"]] = message
        elif message["method"] == "Page.loadEventFired":
            self.loads += 1
        elif self._page and message["method"] in ("Log.entryAdded", "Runtime.exceptionThrown",
                                                  "Runtime.consoleAPICalled", "Audits.issueAdded"):
            self._page.complaints.append(message["params"])

    def wait(self, condition):
        while not condition():
            self._take()

    def call(self, method, session=None, **params):
        self._last += 1
        number = self._last
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._run(self._socket.send(json.dumps(message)))
        self.wait(lambda: number in self._answers)
        answer = self._answers.pop(number)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, url, width=1200, height=900, dark=False):
        """A new tab, in place of the last one."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._page = page = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Audits"):
            page.call(f"{domain}.enable")
        page.resize(width, height, dark)
        page.go(url)
        return page
