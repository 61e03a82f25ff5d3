"""A whole run by the role of its container, whose session ends in the middle, with both clients."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.authorization.policies import identity_policy
from backfill.sandbox.http.faults import Call, Fault
from backfill.sandbox.service import DESTINATION, Sandbox
from tests.doubles.command import Command
from tests.doubles.old_world import OldWorld, Rule
from tests.doubles.own_eyes import S3Client, versions

KEYS = 60
ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    }
)


class Agent:
    """EKS' agent on loopback: gives sessions of one role to who shows the pod's token."""

    def __init__(self, sandbox: Sandbox, token: str) -> None:
        self._sandbox = sandbox
        self._token = token
        self.sessions: list[Identity] = []
        self.revoked = 0

    def session(self) -> Identity:
        """Return a new session of the pod's role, known to the sandbox."""
        number = len(self.sessions) + 1
        account_id = DESTINATION.account_id
        session = Identity(
            account_id=account_id,
            arn=f"arn:aws:sts::{account_id}:assumed-role/pod/backfill-{number}",
            user_id=f"AROAPODPODPODPODPODPO:backfill-{number}",
            access_key_id=f"ASIAPODPODPODPODPO{number:02}",
            secret_access_key=f"secret-{number}",
            session_token=f"session-{number}",
            policies=(identity_policy(ALL),),
        )
        with self._sandbox.held():
            self._sandbox.directory.add(session)
        self.sessions.append(session)
        return session

    def revoke(self) -> None:
        """Let S3 call all sessions of now expired; the server's thread calls this."""
        ended = datetime.now(UTC) - timedelta(hours=1)
        self.revoked = len(self.sessions)
        for session in self.sessions:
            self._sandbox.directory.add(replace(session, expires_at=ended))

    @contextmanager
    def listening(self) -> Iterator[str]:
        """Answer meanwhile; gives the URL."""
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.headers["authorization"] != agent._token:
                    self.send_error(401)
                    return
                session = agent.session()
                document = {
                    "AccessKeyId": session.access_key_id,
                    "SecretAccessKey": session.secret_access_key,
                    "Token": session.session_token,
                    "Expiration": (datetime.now(UTC) + timedelta(hours=6)).isoformat(),
                }
                body = json.dumps(document).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/v1/credentials"
            finally:
                server.shutdown()
                thread.join()


def test_a_run_goes_on_when_the_session_of_its_containers_role_ends_in_the_middle(
    sandbox: Sandbox, command: Command, world: OldWorld, destination_client: S3Client
) -> None:
    """If this fails, a job of hours fails every copy after its first session's end."""
    with world.days_ago(30):
        for number in range(KEYS):
            world.put(f"key/{number:03}")
    world.set_rules(Rule(to=world.destination))
    token_file = command.folder / "token"
    token_file.write_text("of-this-pod")
    agent, copies = Agent(sandbox, "of-this-pod"), 0

    def end_it(call: Call) -> Fault | None:
        nonlocal copies
        copies += call.operation == "CopyObject"
        if copies == KEYS // 3 and call.operation == "CopyObject":
            agent.revoke()
        return None

    sandbox.set_fault_hook(end_it)
    surroundings = sandbox.environment("destination")
    del surroundings["AWS_ACCESS_KEY_ID"], surroundings["AWS_SECRET_ACCESS_KEY"]
    with agent.listening() as url:
        pod = command.beside(
            **surroundings,
            BACKFILL_DESTINATION_PROFILE="",
            AWS_CONTAINER_CREDENTIALS_FULL_URI=url,
            AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(token_file),
        )
        words = ("--run-dir", "run", "--yes", "--concurrency", "4")
        ended = pod.run("run", world.source, *words, code=0)
    assert len(agent.sessions) > agent.revoked > 0
    renewed = [event for event in ended.events if event["event"] == "aws.credentials_renewed"]
    assert {event["operation"] for event in renewed} == {"CopyObject"}
    assert len(renewed) <= 4, "only what was in flight was refused"
    there = [one.key for one in versions(destination_client, world.destination)]
    assert sorted(there) == [f"key/{number:03}" for number in range(KEYS)]
    assert "secret-" not in ended.stderr
    assert "session-1" not in ended.stderr
