"""KMS: keys, their policies and states. What is said here decides whether S3 may use a key.

Never encrypts anything. One law: the key's policy is asked before all else, and no key policy is
taken that shuts out whoever puts it (KMS API: PutKeyPolicy).
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from backfill.sandbox.authorization.evaluation import Inquiry, Verdict, decided
from backfill.sandbox.authorization.identities import Identity, root_arn
from backfill.sandbox.authorization.policies import Policy, PolicyError, resource_policy
from backfill.sandbox.http.refusals import refused
from backfill.sandbox.model.errors import S3Error
from backfill.sandbox.services.calls import Call, Doorkeeper, JsonOperation, owner_of
from backfill.sandbox.services.fields import Value
from backfill.sandbox.services.kms_keys import Key, KeyStore

_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")
_POLICY_LIMIT_BYTES = 32 * 1024
"""Of a key policy document (KMS Developer Guide: resource-limits)."""
_PAGE = 100
_PAGE_LIMIT = 1000
Answer = Mapping[str, object]


class Kms:
    """The calls of KMS."""

    def __init__(
        self,
        keys: KeyStore,
        doorkeeper: Doorkeeper,
        missing_principal: Callable[[Policy], str | None],
    ) -> None:
        self._keys = keys
        self._doorkeeper = doorkeeper
        self._missing_principal = missing_principal

    @property
    def operations(self) -> Mapping[str, JsonOperation]:
        """By name."""
        return {
            "CreateKey": self.create,
            "DescribeKey": self.describe,
            "ListKeys": self.list_all,
            "GetKeyPolicy": self.get_policy,
            "PutKeyPolicy": self.put_policy,
            "ListKeyPolicies": self.list_policies,
            "EnableKey": self.enable,
            "DisableKey": self.disable,
            "ScheduleKeyDeletion": self.schedule_deletion,
            "CancelKeyDeletion": self.cancel_deletion,
            "CreateAlias": self.create_alias,
            "DeleteAlias": self.delete_alias,
            "ListAliases": self.list_aliases,
            "ListGrants": self.list_grants,
            "ListResourceTags": self.list_tags,
        }

    # --- keys ---

    def create(self, call: Call) -> Answer:
        """CreateKey."""
        self._doorkeeper.require(call, "kms:CreateKey", "*")
        fields = call.fields
        is_multi_region = fields.flag("MultiRegion")
        arn = self._keys.new_arn(call.account_id, call.region, is_multi_region=is_multi_region)
        policy = fields.text("Policy") or _default_policy(call.account_id)
        is_bypassed = fields.flag("BypassPolicyLockoutSafetyCheck")
        self._check_policy(call, arn, policy, is_bypassed=is_bypassed)
        key = Key(
            arn=arn,
            created_at=call.now,
            description=fields.text("Description") or "",
            usage=fields.text("KeyUsage") or "ENCRYPT_DECRYPT",
            spec=fields.text("KeySpec") or "SYMMETRIC_DEFAULT",
            is_multi_region=is_multi_region,
            tags={
                tag.required("TagKey"): tag.required("TagValue")
                for tag in fields.structures("Tags")
            },
        )
        self._keys.make(key, policy)
        return {"KeyMetadata": self._metadata(key)}

    def _metadata(self, key: Key) -> Answer:
        state = self._keys.state_of(key)
        metadata: dict[str, object] = {
            "AWSAccountId": owner_of(key.arn),
            "KeyId": key.key_id,
            "Arn": key.arn,
            "CreationDate": _epoch(key.created_at),
            "Enabled": state == "Enabled",
            "Description": key.description,
            "KeyUsage": key.usage,
            "KeyState": state,
            "Origin": "AWS_KMS",
            "KeyManager": key.managed_by,
            "KeySpec": key.spec,
            "CustomerMasterKeySpec": key.spec,
            "EncryptionAlgorithms": [key.spec] if key.usage == "ENCRYPT_DECRYPT" else [],
            "MultiRegion": key.is_multi_region,
        }
        if key.deletion_at is not None:
            metadata["DeletionDate"] = _epoch(key.deletion_at)
        return metadata

    def _asked(self, call: Call, *, is_shared: bool = False) -> Key:
        """The key in question, for who may do this with it.

        `is_shared`: other accounts may, too, where the key policy says so. A key of another
        account that is not there looks like one that is not for the caller.
        """
        given = call.fields.required("KeyId")
        arn = self._keys.arn_of(given, call.account_id, call.region)
        action = f"kms:{call.operation}"
        is_own = owner_of(arn) == call.account_id
        key = self._keys.find(arn, call.now)
        if key is None or key.arn.split(":")[3] != call.region:
            if is_own:
                raise _not_found(f"Key '{arn}' does not exist")
            raise self._doorkeeper.denied(call, action, arn)
        if not is_own and not is_shared:
            raise self._doorkeeper.denied(call, action, arn)
        if key.managed_by == "AWS" and is_own:
            self._doorkeeper.require(call, action, arn)
        else:
            self._doorkeeper.require_of_key(call, action, arn)
        return key

    def _changed(self, call: Call, *, is_pending: bool = False) -> Key:
        """A key of the customer's to change; `is_pending`: one that waits for its deletion."""
        key = self._asked(call)
        if key.managed_by == "AWS":
            raise self._doorkeeper.denied(call, f"kms:{call.operation}", key.arn)
        if (key.deletion_at is not None) is not is_pending:
            state = "not pending deletion" if is_pending else "pending deletion"
            raise _wrong_state(f"{key.arn} is {state}.")
        return key

    def describe(self, call: Call) -> Answer:
        """DescribeKey."""
        return {"KeyMetadata": self._metadata(self._asked(call, is_shared=True))}

    def list_all(self, call: Call) -> Answer:
        """ListKeys."""
        self._doorkeeper.require(call, "kms:ListKeys", "*")
        keys = self._keys.of(call.account_id, call.region)
        rows = [{"KeyId": key.key_id, "KeyArn": key.arn} for key in keys]
        return _page(call, "Keys", rows)

    def enable(self, call: Call) -> Answer:
        """EnableKey."""
        self._keys.ring.disabled.discard(self._changed(call).arn)
        return {}

    def disable(self, call: Call) -> Answer:
        """DisableKey."""
        self._keys.ring.disabled.add(self._changed(call).arn)
        return {}

    def schedule_deletion(self, call: Call) -> Answer:
        """ScheduleKeyDeletion."""
        key = self._changed(call)
        days = call.fields.bounded("PendingWindowInDays", 30, least=7, most=30)
        deletion_at = self._keys.schedule(key, call.now, days)
        return {
            "KeyId": key.arn,
            "DeletionDate": _epoch(deletion_at),
            "KeyState": "PendingDeletion",
            "PendingWindowInDays": days,
        }

    def cancel_deletion(self, call: Call) -> Answer:
        """CancelKeyDeletion."""
        key = self._changed(call, is_pending=True)
        self._keys.cancel(key)
        return {"KeyId": key.arn}

    # --- key policies ---

    def get_policy(self, call: Call) -> Answer:
        """GetKeyPolicy."""
        key = self._asked(call)
        _check_policy_name(call)
        policy = self._keys.policies.get(key.arn) or _default_policy(call.account_id)
        return {"Policy": policy, "PolicyName": "default"}

    def put_policy(self, call: Call) -> Answer:
        """PutKeyPolicy."""
        key = self._asked(call)
        if key.managed_by == "AWS":
            raise self._doorkeeper.denied(call, "kms:PutKeyPolicy", key.arn)
        _check_policy_name(call)
        policy = call.fields.required("Policy")
        is_bypassed = call.fields.flag("BypassPolicyLockoutSafetyCheck")
        self._check_policy(call, key.arn, policy, is_bypassed=is_bypassed)
        self._keys.policies[key.arn] = policy
        return {}

    def list_policies(self, call: Call) -> Answer:
        """ListKeyPolicies: a key has one, named default."""
        self._asked(call)
        return {"PolicyNames": ["default"], "Truncated": False}

    def _check_policy(self, call: Call, arn: str, document: str, *, is_bypassed: bool) -> None:
        if len(document.encode()) > _POLICY_LIMIT_BYTES:
            raise _kms_error("LimitExceededException", "The key policy exceeds 32 kilobytes.")
        try:
            policy = resource_policy(document)
        except PolicyError as error:
            raise _malformed(str(error)) from error
        if self._missing_principal(policy) is not None:
            raise _malformed("Policy contains a statement with one or more invalid principals.")
        if not is_bypassed and not _keeps_in(call.identity, arn, policy):
            raise _malformed(
                "The new key policy will not allow you to update the key policy in the future."
            )

    # --- aliases, tags, grants ---

    def create_alias(self, call: Call) -> Answer:
        """CreateAlias."""
        name, key_id = call.fields.required("AliasName"), call.fields.required("TargetKeyId")
        if _ALIAS.fullmatch(name) is None or name.startswith("alias/aws/"):
            raise _kms_error("InvalidAliasNameException", f"Invalid alias name: {name}")
        alias = f"arn:aws:kms:{call.region}:{call.account_id}:{name}"
        arn = self._keys.arn_of(key_id, call.account_id, call.region)
        self._doorkeeper.require(call, "kms:CreateAlias", alias)
        if owner_of(arn) != call.account_id or self._keys.find(arn, call.now) is None:
            raise _not_found(f"Key '{arn}' does not exist")
        self._doorkeeper.require_of_key(call, "kms:CreateAlias", arn)
        if alias in self._keys.ring.aliases:
            raise _kms_error(
                "AlreadyExistsException", f"An alias with the name {alias} already exists"
            )
        self._keys.ring.aliases[alias] = arn
        return {}

    def delete_alias(self, call: Call) -> Answer:
        """DeleteAlias."""
        name = call.fields.required("AliasName")
        alias = f"arn:aws:kms:{call.region}:{call.account_id}:{name}"
        self._doorkeeper.require(call, "kms:DeleteAlias", alias)
        if self._keys.ring.aliases.pop(alias, None) is None:
            raise _not_found(f"Alias {alias} is not found.")
        return {}

    def list_aliases(self, call: Call) -> Answer:
        """ListAliases, of one key if one is named."""
        self._doorkeeper.require(call, "kms:ListAliases", "*")
        wanted = call.fields.text("KeyId")
        if wanted is not None:
            wanted = self._keys.arn_of(wanted, call.account_id, call.region)
        rows = [
            {
                "AliasName": alias.partition(f":{call.account_id}:")[2],
                "AliasArn": alias,
                "TargetKeyId": arn.rpartition("/")[2],
            }
            for alias, arn in self._keys.aliases_of(call.account_id, call.region).items()
            if wanted in {None, arn}
        ]
        return _page(call, "Aliases", rows)

    def list_grants(self, call: Call) -> Answer:
        """ListGrants: nobody can make any here."""
        self._asked(call)
        return {"Grants": [], "Truncated": False}

    def list_tags(self, call: Call) -> Answer:
        """ListResourceTags."""
        tags = self._asked(call).tags
        rows = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]
        return {"Tags": rows, "Truncated": False}


def _keeps_in(identity: Identity, arn: str, policy: Policy) -> bool:
    """Whether the caller may still change the policy once this one holds."""
    inquiry = Inquiry(action="kms:PutKeyPolicy", resource=arn, context={})
    verdict = decided(
        identity=identity,
        owner_account_id=owner_of(arn) or "",
        statements=policy.statements,
        inquiry=inquiry,
        is_grant_needed=True,
    )
    return verdict is Verdict.ALLOWED


def _default_policy(account_id: str) -> str:
    """What a key gets that is made without one (KMS Developer Guide: key-policy-default)."""
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Id": "key-default-1",
            "Statement": [
                {
                    "Sid": "Enable IAM User Permissions",
                    "Effect": "Allow",
                    "Principal": {"AWS": root_arn(account_id)},
                    "Action": "kms:*",
                    "Resource": "*",
                }
            ],
        }
    )


def _check_policy_name(call: Call) -> None:
    if (call.fields.text("PolicyName") or "default") != "default":
        raise _not_found("No such policy exists")


def _page(call: Call, name: str, rows: Sequence[Mapping[str, Value]]) -> Answer:
    size = call.fields.bounded("Limit", _PAGE, least=1, most=_PAGE_LIMIT)
    first = call.fields.integer("Marker", 0)
    is_truncated = first + size < len(rows)
    answer: dict[str, object] = {name: rows[first : first + size], "Truncated": is_truncated}
    if is_truncated:
        answer["NextMarker"] = str(first + size)
    return answer


def _epoch(moment: datetime) -> float:
    return moment.timestamp()


def _kms_error(code: str, message: str) -> S3Error:
    return refused(code=code, status=400, message=message, fact="KMS API: errors of the action")


def _not_found(message: str) -> S3Error:
    return _kms_error("NotFoundException", message)


def _malformed(message: str) -> S3Error:
    return _kms_error("MalformedPolicyDocumentException", message)


def _wrong_state(message: str) -> S3Error:
    return _kms_error("KMSInvalidStateException", message)
