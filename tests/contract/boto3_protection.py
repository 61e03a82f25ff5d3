"""Object Lock, ACLs and customer keys over HTTP."""

from collections.abc import Mapping
from typing import Any

from tests.contract.boto3_buckets import Boto3Buckets
from tests.contract.boto3_protection_words import grant_arguments
from tests.contract.protection import Grants, Lock

_UNBLOCKED = (
    b'<ServerSideEncryptionConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Rule>'
    b"<ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
    b"</ApplyServerSideEncryptionByDefault><BlockedEncryptionTypes>"
    b"<EncryptionType>NONE</EncryptionType></BlockedEncryptionTypes></Rule>"
    b"</ServerSideEncryptionConfiguration>"
)
_PUT_ENCRYPTION = "before-call.s3.PutBucketEncryption"


def _line(right: str, grantee: str) -> dict[str, Any]:
    kind, name = ("Group", "URI") if "/" in grantee else ("CanonicalUser", "ID")
    return {"Permission": right, "Grantee": {"Type": kind, name: grantee}}


class Boto3Protection(Boto3Buckets):
    """`Protection` over HTTP."""

    def set_lock(self, bucket: str, *, mode: str | None = None, days: int | None = None) -> None:
        asked: dict[str, Any] = {"ObjectLockEnabled": "Enabled"}
        if mode is not None:
            asked["Rule"] = {"DefaultRetention": {"Mode": mode, "Days": days}}
        self.call("put_object_lock_configuration", Bucket=bucket, ObjectLockConfiguration=asked)

    def default_retention(self, bucket: str) -> tuple[str, int] | None:
        answer = self.call("get_object_lock_configuration", Bucket=bucket)
        rule = answer["ObjectLockConfiguration"].get("Rule")
        if rule is None:
            return None
        return rule["DefaultRetention"]["Mode"], rule["DefaultRetention"]["Days"]

    def retain(
        self,
        bucket: str,
        key: str,
        lock: Lock,
        *,
        version_id: str | None = None,
        is_bypassed: bool = False,
    ) -> None:
        asked = {
            name: value
            for name, value in (("Mode", lock.mode), ("RetainUntilDate", lock.until))
            if value is not None
        }
        self.call(
            "put_object_retention",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            Retention=asked,
            BypassGovernanceRetention=is_bypassed or None,
        )

    def hold(self, bucket: str, key: str, status: str, *, version_id: str | None = None) -> None:
        self.call(
            "put_object_legal_hold",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            LegalHold={"Status": status},
        )

    def lock_of(self, bucket: str, key: str) -> Lock:
        told = self.call("get_object_retention", Bucket=bucket, Key=key)["Retention"]
        return Lock(mode=told.get("Mode"), until=told.get("RetainUntilDate"))

    def hold_of(self, bucket: str, key: str) -> str:
        told = self.call("get_object_legal_hold", Bucket=bucket, Key=key)
        status: str = told["LegalHold"]["Status"]
        return status

    def remove(self, bucket: str, key: str, version_id: str | None, *, is_bypassed: bool) -> None:
        self.call(
            "delete_object",
            Bucket=bucket,
            Key=key,
            VersionId=version_id,
            BypassGovernanceRetention=is_bypassed or None,
        )

    def set_ownership(self, bucket: str, ownership: str) -> None:
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        self.call("put_bucket_ownership_controls", Bucket=bucket, OwnershipControls=rules)

    def allow_public(self, bucket: str) -> None:
        self.call("delete_public_access_block", Bucket=bucket)

    def acl(self, bucket: str, key: str, *, version_id: str | None = None) -> tuple[str, Grants]:
        answer = self.call("get_object_acl", Bucket=bucket, Key=key, VersionId=version_id)
        grants = [
            (line["Permission"], line["Grantee"].get("ID") or line["Grantee"]["URI"])
            for line in answer["Grants"]
        ]
        return answer["Owner"]["ID"], tuple(sorted(grants))

    def put_acl(
        self,
        bucket: str,
        key: str,
        *,
        canned: str | None = None,
        grants: Grants = (),
        document: tuple[str, Grants] | None = None,
    ) -> None:
        policy = None
        if document is not None:
            owner, lines = document
            policy = {"Owner": {"ID": owner}, "Grants": [_line(*line) for line in lines]}
        self.call(
            "put_object_acl",
            Bucket=bucket,
            Key=key,
            ACL=canned,
            AccessControlPolicy=policy,
            **grant_arguments(grants),
        )

    def allow_customer_keys(self, bucket: str) -> None:
        # Today's boto3 of ours does not know the element that says it.
        events = self._client.meta.events
        events.register(_PUT_ENCRYPTION, _say_unblocked)
        try:
            self.set_encryption(bucket, "AES256", None)
        finally:
            events.unregister(_PUT_ENCRYPTION, _say_unblocked)


def _say_unblocked(params: dict[str, Any], **_: Mapping[str, Any]) -> None:
    params["body"] = _UNBLOCKED
