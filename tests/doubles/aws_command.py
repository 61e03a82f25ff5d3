"""The aws command line, in an environment of its own: its botocore is another one than ours."""

import subprocess
import sys
from pathlib import Path

import pytest

_INSTALL_TIMEOUT_S = 240


@pytest.fixture(scope="session")
def aws(pytestconfig: pytest.Config) -> Path:
    """The `aws` command, installed once into pytest's cache folder."""
    home = pytestconfig.cache.mkdir("awscli") / "venv"
    command = home / "bin" / "aws"
    if command.exists():
        return command
    install = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "awscli"]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True, capture_output=True)
        subprocess.run(install, check=True, capture_output=True, timeout=_INSTALL_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"awscli cannot be installed here: {error}")
    return command
