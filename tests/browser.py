"""A headless browser at a given width, through chromedriver's own protocol; and axe-core, where npm has brought it.

Both are looked for, never installed: Debian's packages chromium and chromium-driver, and `npm install axe-core` in the
repository's root or the folder that AXE_CORE names.
"""

import base64
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
_AXE = Path(os.environ.get("AXE_CORE", "node_modules/axe-core")) / "axe.min.js"
AXE = _AXE if _AXE.is_file() else None
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage")


class Page:
    """A page shown in a browser."""

    def __init__(self, session: str) -> None:
        self._session = session

    def wait(self, seconds: int) -> None:
        """Give scripts so long: axe takes its time on a busy machine."""
        self._ask("timeouts", script=1000 * seconds)

    def open(self, url: str) -> None:
        self._ask("url", url=url)

    def width(self, pixels: int, dark: bool = False) -> None:
        """Show the page as a screen of that width does."""
        metrics = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self._ask("goog/cdp/execute", cmd="Emulation.setDeviceMetricsOverride", params=metrics)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self._ask("goog/cdp/execute", cmd="Emulation.setEmulatedMedia", params={"features": scheme})

    def run(self, script: str) -> Any:
        """Return what the body of a function in the page returns."""
        return self._ask("execute/sync", script=script, args=[])

    def findings(self) -> list[str]:
        """Return what axe finds: the rule, what it asks for, the first place."""
        assert AXE is not None
        script = AXE.read_text() + ";const done = arguments[arguments.length - 1]; axe.run().then(done);"
        found = self._ask("execute/async", script=script, args=[])
        return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]

    def screenshot(self) -> bytes:
        return base64.b64decode(requests.get(f"{self._session}/screenshot", timeout=60).json()["value"])

    def _ask(self, command: str, **body: Any) -> Any:
        answer = requests.post(f"{self._session}/{command}", json=body, timeout=180).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a browser with a profile of its own in the folder, and end it."""
    assert DRIVER is not None
    driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert driver.stdout is not None
        line = next(line for line in driver.stdout if "started successfully on port" in line)
        root = f"http://127.0.0.1:{line.rstrip().rstrip('.').rsplit(' ', 1)[1]}"
        options = {"args": [*FLAGS, f"--user-data-dir={folder / 'profile'}"], "binary": CHROMIUM}
        wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
        session = requests.post(f"{root}/session", json=wanted, timeout=120).json()["value"]["sessionId"]
        try:
            page = Page(f"{root}/session/{session}")
            page.wait(120)
            yield page
        finally:
            requests.delete(f"{root}/session/{session}", timeout=60)
    finally:
        driver.terminate()
        driver.communicate(timeout=60)
