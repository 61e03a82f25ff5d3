"""Object Lock, ACLs and customer keys, asked of the model itself."""

from backfill.sandbox.model.documents.public_access import delete_public_access_block
from backfill.sandbox.model.identities import canonical_id
from backfill.sandbox.model.operations import buckets, objects
from backfill.sandbox.model.values import RequestedEncryption
from tests.contract.model_buckets import ModelBuckets
from tests.contract.model_protection_words import grants_of
from tests.contract.model_words import refusing
from tests.contract.protection import Grants, Lock


class ModelProtection(ModelBuckets):
    """`Protection` on an `S3Model`."""

    def set_lock(self, bucket: str, *, mode: str | None = None, days: int | None = None) -> None:
        default = None if mode is None else buckets.DefaultRetention(mode=mode, days=days)
        request = buckets.PutObjectLockConfigurationRequest(
            bucket=bucket, default_retention=default
        )
        with refusing("put_object_lock_configuration"):
            self.model.put_object_lock_configuration(self.caller, request)

    def default_retention(self, bucket: str) -> tuple[str, int] | None:
        request = buckets.BucketRequest(bucket=bucket)
        with refusing("get_object_lock_configuration"):
            told = self.model.get_object_lock_configuration(self.caller, request)
        default = told.default_retention
        return None if default is None else (default.mode, default.days or 0)

    def retain(
        self,
        bucket: str,
        key: str,
        lock: Lock,
        *,
        version_id: str | None = None,
        is_bypassed: bool = False,
    ) -> None:
        request = objects.PutObjectLockRequest(
            bucket=bucket,
            key=key,
            version_id=version_id,
            mode=lock.mode,
            retain_until=lock.until,
            is_governance_bypassed=is_bypassed,
        )
        with refusing("put_object_retention"):
            self.model.put_object_lock(self.caller, request)

    def hold(self, bucket: str, key: str, status: str, *, version_id: str | None = None) -> None:
        request = objects.PutObjectLockRequest(
            bucket=bucket, key=key, version_id=version_id, has_legal_hold=status == "ON"
        )
        with refusing("put_object_legal_hold"):
            self.model.put_object_lock(self.caller, request)

    def lock_of(self, bucket: str, key: str) -> Lock:
        request = objects.VersionRequest(bucket=bucket, key=key)
        with refusing("get_object_retention"):
            told = self.model.get_object_retention(self.caller, request)
        return Lock(mode=told.mode, until=told.retain_until)

    def hold_of(self, bucket: str, key: str) -> str:
        request = objects.VersionRequest(bucket=bucket, key=key)
        with refusing("get_object_legal_hold"):
            told = self.model.get_object_legal_hold(self.caller, request)
        return "ON" if told.has_legal_hold else "OFF"

    def remove(self, bucket: str, key: str, version_id: str | None, *, is_bypassed: bool) -> None:
        request = objects.DeleteObjectRequest(
            bucket=bucket, key=key, version_id=version_id, is_governance_bypassed=is_bypassed
        )
        with refusing("delete_object"):
            self.model.delete_object(self.caller, request)

    def set_ownership(self, bucket: str, ownership: str) -> None:
        request = buckets.PutBucketOwnershipControlsRequest(
            bucket=bucket, object_ownership=ownership
        )
        with refusing("put_bucket_ownership_controls"):
            self.model.put_bucket_ownership_controls(self.caller, request)

    def allow_public(self, bucket: str) -> None:
        with refusing("delete_public_access_block"):
            delete_public_access_block(
                self.model.world, self.caller, buckets.BucketRequest(bucket=bucket)
            )

    def acl(self, bucket: str, key: str, *, version_id: str | None = None) -> tuple[str, Grants]:
        request = objects.VersionRequest(bucket=bucket, key=key, version_id=version_id)
        with refusing("get_object_acl"):
            told = self.model.get_object_acl(self.caller, request)
        grants = sorted((grant.permission, grant.grantee) for grant in told.grants)
        return canonical_id(told.owner_id), tuple(grants)

    def put_acl(
        self,
        bucket: str,
        key: str,
        *,
        canned: str | None = None,
        grants: Grants = (),
        document: tuple[str, Grants] | None = None,
    ) -> None:
        owner, lines = document or (None, ())
        request = objects.PutObjectAclRequest(
            bucket=bucket,
            key=key,
            acl=canned,
            grants=grants_of(grants or lines),
            owner=owner,
            is_empty=document is not None and not lines,
        )
        with refusing("put_object_acl"):
            self.model.put_object_acl(self.caller, request)

    def allow_customer_keys(self, bucket: str) -> None:
        request = buckets.PutBucketEncryptionRequest(
            bucket=bucket,
            encryption=RequestedEncryption(algorithm="AES256"),
            blocks_sse_c=False,
        )
        with refusing("put_bucket_encryption"):
            self.model.put_bucket_encryption(self.caller, request)
