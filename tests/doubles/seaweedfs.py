"""SeaweedFS, a real S3 server on disk: started on free ports, stopped by its process.

    with SeaweedFS(folder) as server:
        client = boto3.client("s3", **server.client_settings())

Never shares a server or its data between two owners. One law: whoever started it has waited for its
end, so that no port and no process outlives a test run.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

ACCOUNT_ID = "111111111111"
REGION = "us-east-1"
_ACCESS_KEY_ID = "SEAWEEDFSADMIN00"
_SECRET_ACCESS_KEY = "seaweedfs-opens-nothing-else"
_HOST = "127.0.0.1"

_STARTS_MAX = 3
"""A free port may be taken between our look at it and the server's."""
_READY_TIMEOUT_S = 60.0
"""It is ready in 4 s on an idle machine."""
_POLL_S = 0.1

_CONFIGURATION = {
    "kms": {
        "default_provider": "local",
        "providers": {"local": {"type": "local", "enableOnDemandCreate": True}},
    },
    "accounts": [{"id": ACCOUNT_ID, "displayName": "tests", "emailAddress": "tests@example.com"}],
    "identities": [
        {
            "name": "admin",
            "account": {"id": ACCOUNT_ID},
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{"accessKey": _ACCESS_KEY_ID, "secretKey": _SECRET_ACCESS_KEY}],
        }
    ],
}


class SeaweedFS:
    """One server process with its data in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def endpoint_url(self) -> str:
        """Of its S3 door."""
        return f"http://{_HOST}:{self.port}"

    def client_settings(self) -> dict[str, str]:
        """Keyword arguments for a boto3 client signed by its administrator."""
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": REGION,
            "aws_access_key_id": _ACCESS_KEY_ID,
            "aws_secret_access_key": _SECRET_ACCESS_KEY,
        }

    def start(self) -> Self:
        """Start the process and wait until it answers that it is healthy."""
        assert self._process is None, "started already"
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "s3.json").write_text(json.dumps(_CONFIGURATION), encoding="utf-8")
        for _ in range(_STARTS_MAX):
            self._launch()
            if self._is_healthy_in_time():
                return self
            self.stop()
        raise TimeoutError(f"SeaweedFS did not start:\n{self._log_tail()}")

    def stop(self) -> None:
        """End the process and wait for its end.

        By SIGKILL: on SIGTERM it lingers for half a minute, and its data is thrown away anyway.
        """
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _launch(self) -> None:
        ports = _free_ports(8)
        self.port = ports[0]
        names = ("s3", "master", "volume", "filer")
        command = [
            str(Path(sys.executable).parent / "weed"),
            "server",
            f"-dir={self._folder}",
            f"-ip={_HOST}",
            f"-ip.bind={_HOST}",
            *(f"-{name}.port={port}" for name, port in zip(names, ports[:4], strict=True)),
            *(f"-{name}.port.grpc={port}" for name, port in zip(names, ports[4:], strict=True)),
            "-filer",
            "-s3",
            f"-s3.config={self._folder / 's3.json'}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-master.volumeSizeLimitMB=64",
            "-master.volumePreallocate=false",
            "-master.telemetry=false",
            "-volume.max=8192",  # every bucket takes one; by default as many as would fit if full
        ]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            # One volume for each bucket; by default it is seven, and after a few buckets none is
            # left and writes fail.
            "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
            # SSE-S3 has no key without it.
            "WEED_S3_SSE_KEK": bytes(range(32)).hex(),
        }
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _is_healthy_in_time(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if self._health_status() == 200:
                    return True
            except (HTTPException, OSError):
                pass  # not listening yet, or not answering in full
            time.sleep(_POLL_S)
        return False

    def _health_status(self) -> int:
        connection = HTTPConnection(_HOST, self.port, timeout=1)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status
        finally:
            connection.close()

    def _log_tail(self) -> str:
        text = (self._folder / "server.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-20:])


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; all held at once, so that they differ."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_HOST, 0))
        return [each.getsockname()[1] for each in sockets]
