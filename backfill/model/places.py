"""Where buckets are: name, Region and the account that is expected to own them.

Never resolves anything: the control plane asks AWS, this only holds the answer.
Law: every request carries the expected bucket owner, so a place without one cannot be written to.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketPlace:
    """A bucket, its Region, and the 12-digit account ID sent as the expected bucket owner.

    `owner_origin` says where the expected owner came from (`flag`, `rule Account`, `STS`), because
    a plan must show it.
    """

    bucket: str
    region: str
    expected_owner: str
    owner_origin: str

    def __post_init__(self) -> None:
        assert self.bucket, "a place names a bucket"
        assert len(self.expected_owner) == 12, "an account ID has 12 digits"
        assert self.expected_owner.isdigit(), "an account ID has 12 digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketFacts:
    """What the control plane tells about a bucket. `versioning` is Enabled, Suspended or empty."""

    region: str
    versioning: str
    has_object_lock: bool
    object_ownership: str
    """BucketOwnerEnforced, BucketOwnerPreferred, ObjectWriter; empty when it cannot be read."""
    owner_id: str = ""
    """Canonical user ID of the owner, where ACLs count; empty when it cannot be read."""
    blocks_public_acls: bool = False
    """Whether the bucket's Block Public Access refuses public ACLs, as far as that can be read."""
