"""How clients reach a sandbox: endpoints, client settings, environment variables, profiles.

Never listens: it only knows the port. S3 Control is the hard one. SDKs put `ACCOUNT.` before its
endpoint's host name, and no name of that form resolves everywhere; before an address it is no name
at all. So clients are told to take the sandbox for their HTTP proxy, which spares them the
resolving. No SDK needs a hook for it, the Host header that is signed is the one that is sent, and
where `*.localhost` resolves (RFC 6761) the name works even without the proxy.

One law: all but S3 Control go past the proxy, so that nothing else depends on it.
"""

from dataclasses import dataclass
from pathlib import Path

from backfill.sandbox.accounts import ACCOUNTS, home_region
from backfill.sandbox.authorization.identities import Identity

HOST = "127.0.0.1"
SERVICES = ("s3", "sts", "iam", "kms", "sqs", "sns", "lambda", "cloudwatch")
"""All that one endpoint serves, by the names under which SDKs look for it."""
_CONTROL_HOST = "s3-control.localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """The ways into the sandbox that listens on this port."""

    port: int

    @property
    def endpoint_url(self) -> str:
        """Of every service but S3 Control."""
        return f"http://{HOST}:{self.port}"

    @property
    def control_endpoint_url(self) -> str:
        """Of S3 Control; to be asked through the sandbox as proxy."""
        return f"http://{_CONTROL_HOST}:{self.port}"

    def client_settings(self, identity: Identity) -> dict[str, str]:
        """Keyword arguments for a boto3 client of any service but S3 Control."""
        settings = {
            "endpoint_url": self.endpoint_url,
            "region_name": home_region(identity),
            "aws_access_key_id": identity.access_key_id,
            "aws_secret_access_key": identity.secret_access_key,
        }
        if identity.session_token is not None:
            settings["aws_session_token"] = identity.session_token
        return settings

    def control_settings(self, identity: Identity) -> dict[str, str]:
        """Keyword arguments for a boto3 client of S3 Control."""
        return self.client_settings(identity) | {"endpoint_url": self.control_endpoint_url}

    def environment(self, identity: Identity) -> dict[str, str]:
        """Environment variables by which SDKs sign for the identity and find the sandbox."""
        variables = {
            "AWS_ACCESS_KEY_ID": identity.access_key_id,
            "AWS_SECRET_ACCESS_KEY": identity.secret_access_key,
            "AWS_REGION": home_region(identity),
            "AWS_DEFAULT_REGION": home_region(identity),
            **{f"AWS_ENDPOINT_URL_{name.upper()}": self.endpoint_url for name in SERVICES},
            "AWS_ENDPOINT_URL_S3_CONTROL": self.control_endpoint_url,
        }
        if identity.session_token is not None:
            variables["AWS_SESSION_TOKEN"] = identity.session_token
        return variables | self._surroundings()

    def write_profiles(self, folder: Path) -> dict[str, str]:
        """Write `config` and `credentials`; returns what makes SDKs read and obey them."""
        folder.mkdir(parents=True, exist_ok=True)
        config, credentials = folder / "config", folder / "credentials"
        settings, secrets = [], []
        for account in ACCOUNTS.values():
            settings.append(
                f"[profile {account.name}]\nregion = {account.region}\n"
                f"services = sandbox\ns3 =\n  addressing_style = path\n"
            )
            secrets.append(
                f"[{account.name}]\naws_access_key_id = {account.root.access_key_id}\n"
                f"aws_secret_access_key = {account.root.secret_access_key}\n"
            )
        urls = dict.fromkeys(SERVICES, self.endpoint_url)
        urls["s3_control"] = self.control_endpoint_url
        settings.append(
            "[services sandbox]\n"
            + "".join(f"{name} =\n  endpoint_url = {url}\n" for name, url in urls.items())
        )
        config.write_text("\n".join(settings), encoding="utf-8")
        credentials.write_text("\n".join(secrets), encoding="utf-8")
        credentials.chmod(0o600)
        return {
            "AWS_CONFIG_FILE": str(config),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            **self._surroundings(),
        }

    def _surroundings(self) -> dict[str, str]:
        """What no profile can say.

        NO_PROXY has no `localhost`: Python's proxy_bypass would take S3 Control's name for it.
        """
        return {
            "HTTP_PROXY": self.endpoint_url,
            "NO_PROXY": HOST,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
