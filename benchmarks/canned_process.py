"""The canned S3 server as a process of its own, and its control path.

Never imports the server: a measured child's peak begins with what its parent held.
Law: a server that was started is ended, by its own process.
"""

import http.client
import json
import ssl
import subprocess
import sys
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

SOURCE_BUCKET = "source-bucket"
DESTINATION_BUCKET = "destination-bucket"
Counts = dict[str, Any]
"""JSON of the server; what matters of it is compared, so its types need no check before."""


class CannedServer:
    """One server, from its start to its end."""

    def __init__(self, objects: int, *options: str) -> None:
        command = [sys.executable, "-m", "benchmarks.canned_server", "--objects", str(objects)]
        self._process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.objects = objects
        self.endpoint = ""
        self.ca: str | None = None

    def __enter__(self) -> Self:
        """Wait until it serves."""
        ready = self._line()
        self.endpoint, self.ca = ready["endpoint"], ready["ca"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()

    def counts(self) -> Counts:
        """Ask what it counted since the last reset."""
        return self._ask("counts")

    def reset(self) -> Counts:
        """Empty the destination, begin to count anew."""
        return self._ask("reset")

    @property
    def environment(self) -> dict[str, str]:
        """Return what its clients need to find it, to sign and to verify its certificate."""
        words = {
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if self.ca is not None:
            for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
                words[name] = self.ca
        return words

    def _ask(self, what: str) -> Counts:
        place = urlsplit(self.endpoint)
        assert place.hostname is not None, "the server told its endpoint"
        connection: http.client.HTTPConnection
        if self.ca is None:
            connection = http.client.HTTPConnection(place.hostname, place.port)
        else:
            context = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection(place.hostname, place.port, context=context)
        try:
            connection.request("GET", f"/_canned/{what}")
            told: Counts = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        return told

    def _line(self) -> Counts:
        assert self._process.stdout is not None, "opened with a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the canned server ended")
        told: Counts = json.loads(line)
        return told
