"""An environment that has PyTorch beside all that this one has; PyTorch is not installed here."""

import pathlib
import subprocess
import sys
import sysconfig
from importlib import metadata


def make(folder, *packages):
    """Makes an environment in a folder, some gigabytes, and installs packages of PyTorch's.

    Returns:
      Path of its Python.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = str(folder / "bin" / "python")
    purelib = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    done = subprocess.run([python, "-c", purelib], check=True, capture_output=True, text=True)
    (pathlib.Path(done.stdout.strip()) / "ours.pth").write_text(sysconfig.get_paths()["purelib"])
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-cache-dir", *packages]
    numpy = f"numpy=={metadata.version('numpy')}"
    subprocess.run([*install, numpy, "setuptools<81"], check=True)
    return python
