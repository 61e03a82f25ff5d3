"""STS: who signs, and sessions of roles with temporary keys that really sign.

Never carries session policies, tags or MFA: they are refused, not ignored. One law: a role is
assumed only as its trust policy says, and never by a root (STS API: AssumeRole).
"""

import hashlib
import re
from collections import deque
from collections.abc import Mapping
from datetime import timedelta

from backfill.sandbox.authorization.identities import Identity
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.http.xml import branch, leaf
from backfill.sandbox.services.calls import Call, Doorkeeper, XmlOperation
from backfill.sandbox.services.fields import invalid
from backfill.sandbox.services.iam.store import IamStore, Role
from backfill.sandbox.services.protocols import instant

_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
_CHAINED_LIMIT_S = 3600
"""A session of a role that a session assumed lasts an hour at most (STS API: AssumeRole)."""
_SESSIONS_LIMIT = 10_000
"""The oldest keys are forgotten beyond: nobody signs with that many, and they would pile up."""
_NOT_CARRIED = ("Policy", "PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "TokenCode")
_FACT = "STS API: AssumeRole"


class Sts:
    """The calls of STS."""

    def __init__(self, store: IamStore, doorkeeper: Doorkeeper) -> None:
        self._store = store
        self._doorkeeper = doorkeeper
        self._sessions: deque[str] = deque()
        self._sessions_count = 0

    @property
    def operations(self) -> Mapping[str, XmlOperation]:
        """By name."""
        return {"GetCallerIdentity": self.caller_identity, "AssumeRole": self.assume_role}

    def caller_identity(self, call: Call) -> list[str]:
        """GetCallerIdentity: whoever signs truly may ask, no policy can forbid it."""
        who = call.identity
        return [leaf("Arn", who.arn), leaf("UserId", who.user_id), leaf("Account", who.account_id)]

    def assume_role(self, call: Call) -> list[str]:
        """AssumeRole."""
        fields = call.fields
        arn, name = fields.required("RoleArn"), fields.required("RoleSessionName")
        external_id = fields.text("ExternalId")
        for member in _NOT_CARRIED:
            if member in fields:
                raise invalid(f"{member} is not carried by this sandbox")
        if _SESSION_NAME.fullmatch(name) is None:
            raise invalid(f"1 validation error detected: Value '{name}' at 'roleSessionName'")
        if external_id is not None and _EXTERNAL_ID.fullmatch(external_id) is None:
            raise invalid(f"1 validation error detected: Value '{external_id}' at 'externalId'")
        duration_s = fields.bounded("DurationSeconds", 3600, least=900, most=43_200)
        role = self._trusted(call, arn, name, external_id)
        self._check_duration(call, role, duration_s)
        return self._session(call, role, name, duration_s)

    def _trusted(self, call: Call, arn: str, name: str, external_id: str | None) -> Role:
        """The role, for whom it trusts and who may assume it."""
        if call.identity.is_root:
            raise refused(
                code="AccessDenied",
                status=403,
                message="Roles may not be assumed by root accounts.",
                fact=_FACT,
            )
        trust, role = self._store.trusts.get(arn), self._store.role_with_arn(arn)
        if trust is None or role is None:  # it may be there and not have settled
            raise self._doorkeeper.denied(call, "sts:AssumeRole", arn)
        conditions = [("sts:RoleSessionName", name)]
        if external_id is not None:
            conditions.append(("sts:ExternalId", external_id))
        self._doorkeeper.require(
            call,
            "sts:AssumeRole",
            arn,
            policy=trust,
            conditions=tuple(conditions),
            is_grant_needed=True,
        )
        return role

    def _check_duration(self, call: Call, role: Role, duration_s: int) -> None:
        if duration_s > role.longest_session_s:
            raise invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
            )
        if call.identity.role_arn is not None and duration_s > _CHAINED_LIMIT_S:
            raise invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                "by role chaining"
            )

    def _session(self, call: Call, role: Role, name: str, duration_s: int) -> list[str]:
        self._sessions_count += 1
        digest = hashlib.sha512(
            f"{role.role_id}/{name}/{self._sessions_count}".encode()
        ).hexdigest()
        session = Identity(
            account_id=role.account_id,
            arn=f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{name}",
            user_id=f"{role.role_id}:{name}",
            access_key_id=f"ASIA{digest[:16].upper()}",
            secret_access_key=digest[16:56],
            session_token=f"sandbox{digest}",
            expires_at=call.now + timedelta(seconds=duration_s),
            role_arn=role.arn,
        )
        self._store.directory.add(session)
        self._sessions.append(session.access_key_id)
        if len(self._sessions) > _SESSIONS_LIMIT:
            self._store.directory.forget_key(self._sessions.popleft())
        assert session.expires_at is not None
        credentials = [
            leaf("AccessKeyId", session.access_key_id),
            leaf("SecretAccessKey", session.secret_access_key),
            leaf("SessionToken", session.session_token),
            leaf("Expiration", instant(session.expires_at)),
        ]
        user = [leaf("AssumedRoleId", session.user_id), leaf("Arn", session.arn)]
        return [branch("Credentials", credentials), branch("AssumedRoleUser", user)]
