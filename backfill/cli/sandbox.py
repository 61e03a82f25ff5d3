"""`backfill sandbox`: the embedded S3, served on loopback until a signal ends it.

Never listens anywhere else, and keeps nothing: what was written is gone when it stops.
Law: stdout holds exactly the shell exports, so that `eval` may read them.
"""

import argparse
import os
import shlex
import sys

HELP = "serve the embedded S3 with two accounts on loopback"
DESCRIPTION = """\
Serve a strict S3 with two accounts in two Regions on loopback, with the IAM, STS, KMS, SQS, SNS,
Lambda and CloudWatch that replication needs, and print the exports with which aws cli, boto3 and
others talk to it.

  backfill sandbox --port 9000 > exports.sh &     # then: . ./exports.sh; aws s3 mb s3://bucket
  backfill sandbox --config-dir profiles          # for both accounts: aws --profile destination ...

Account 111111111111 (source) works in us-east-1, 222222222222 (destination) in eu-west-1. Nothing
is kept when it stops. HTTP_PROXY is among the exports because SDKs put the account before S3
Control's host name, which no resolver knows: the sandbox answers for that name as their proxy.
"""

_STEP_S = 0.02


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="settles version IDs and opaque ETags"
    )
    parser.add_argument(
        "--lag",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="longest lag of live replication (default: 0)",
    )
    parser.add_argument(
        "--strict-accounts",
        action="store_true",
        help="let roles and KMS keys that nobody made not exist, instead of allowing everything",
    )
    parser.add_argument(
        "--account",
        choices=("source", "destination"),
        default="source",
        help="whose keys or profile the exports hold (default: source)",
    )
    parser.add_argument(
        "--config-dir",
        metavar="DIR",
        default="",
        help="write AWS config files with profiles 'source' and 'destination' there, and export"
        " these instead of keys",
    )


def call(arguments: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; return 130 or 143."""
    import asyncio
    import signal
    from pathlib import Path

    from backfill.errors import UsageError
    from backfill.sandbox.model.batch_operations.settings import BatchSettings
    from backfill.sandbox.model.replication.settings import ReplicationSettings
    from backfill.sandbox.service import Sandbox

    sandbox = Sandbox(
        seed=arguments.seed,
        port=arguments.port,
        replication=ReplicationSettings(longest_lag_s=max(0.0, arguments.lag)),
        # A pause after each 1,000 tasks: other requests are answered while a large job runs.
        batch_operations=BatchSettings(step_s=_STEP_S),
        has_strict_accounts=arguments.strict_accounts,
    )
    profiles = Path(arguments.config_dir).resolve() if arguments.config_dir else None
    received: list[int] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()

        def end(number: int) -> None:
            received.append(number)
            ended.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
        with sandbox:
            if profiles is not None:
                # Keys and a Region in the environment would outweigh those of a profile.
                _tell({**sandbox.write_profiles(profiles), "AWS_PROFILE": arguments.account})
            else:
                _tell(sandbox.environment(arguments.account))
            print(f"sandbox: listening on {sandbox.endpoint_url}", file=sys.stderr, flush=True)
            await ended.wait()

    try:
        asyncio.run(serve())
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"the sandbox cannot listen on port {arguments.port}: {error}",
            hint="leave --port out for a free one",
        ) from error
    return 128 + received[0]


def _tell(environment: dict[str, str]) -> None:
    for name, value in environment.items():
        print(f"export {name}={shlex.quote(value)}", flush=True)
        if name.endswith("_PROXY") and name.lower() in os.environ:
            # Where the shell has it, SDKs in Python let the lower-case name outweigh ours.
            print(f"export {name.lower()}={shlex.quote(value)}", flush=True)
