"""The inventory stage: what is there, in both buckets, as sorted streams that can be joined."""
