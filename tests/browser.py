"""A headless Chromium, driven by the WebDriver protocol through Debian's chromedriver."""

import base64
import json
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

_FLAGS = [
    "--headless=new",
    "--no-sandbox",  # Needed where tests run as root.
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
    # WebGL, which the projector needs, without a graphics card.
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
]
# Looks through shadow roots and frames, which TensorBoard's pages are made of.
_DEEP = """
function deep(root, found) {
  for (const each of root.querySelectorAll('*')) {
    found.push(each);
    if (each.shadowRoot) deep(each.shadowRoot, found);
    if (each.tagName === 'IFRAME') {
      try { if (each.contentDocument) deep(each.contentDocument, found); } catch (error) {}
    }
  }
  return found;
}
const all = deep(document, []);
"""


def require() -> None:
    """Skips the test where there is no Chromium to drive."""
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if missing:
        pytest.skip(
            f"{' and '.join(missing)} not found: pages are not looked at; Debian has them as "
            "chromium and chromium-driver"
        )


class Browser:
    """One window; a context that ends it."""

    def __init__(self, folder: pathlib.Path, width: int = 1400, height: int = 1000):
        """Starts it.

        Args:
          folder: where it keeps its profile.
          width: of the page, in pixels.
          height: of the page, in pixels.
        """
        self._driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._session: str | None = None
        try:
            for line in self._driver.stdout:
                port = re.search(r"started successfully on port (\d+)", line)
                if port:
                    break
            else:
                raise RuntimeError("chromedriver did not start")
            self._url = f"http://127.0.0.1:{port[1]}"
            options = {
                "binary": shutil.which("chromium"),
                "args": [*_FLAGS, f"--window-size={width},{height}", f"--user-data-dir={folder}"],
            }
            capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
            answer = self._call("POST", "/session", {"capabilities": capabilities})
            self._session = answer["sessionId"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Ends browser and driver."""
        try:
            if self._session is not None:
                self._call("DELETE", "")
        finally:
            self._session = None
            self._driver.terminate()
            self._driver.wait(120)
            self._driver.stdout.close()

    def open(self, url: str) -> None:
        """Goes to a page."""
        self._call("POST", "/url", {"url": url})

    def run(self, script: str) -> Any:
        """What a script returns; `all` is every element of the page, whatever it is hidden in."""
        return self._call("POST", "/execute/sync", {"script": _DEEP + script, "args": []})

    def text(self) -> str:
        """The visible text of the page, of frames and shadow roots too."""
        return self.run(
            "return all.filter(e => !['SCRIPT', 'STYLE'].includes(e.tagName) && e.offsetParent)"
            ".flatMap(e => [...e.childNodes]).filter(n => n.nodeType === 3)"
            ".map(n => n.data.trim()).filter(t => t).join('\\n');"
        )

    def wait(self, script: str, seconds: float = 300.0) -> Any:
        """What a script returns once that is true; fails with the page's text."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.run(script)
            if found:
                return found
            if time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for {script!r} on:\n{self.text()[:3000]}")
            time.sleep(0.3)

    def screenshot(self, path: pathlib.Path) -> bytes:
        """Takes a picture of the page, as PNG."""
        png = base64.b64decode(self._call("GET", "/screenshot"))
        path.write_bytes(png)
        return png

    def _call(self, method: str, path: str, body: dict | None = None) -> Any:
        prefix = f"/session/{self._session}" if self._session else ""
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(
            f"{self._url}{prefix}{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:1000]) from error
