"""The lean client: S3's hot calls for a fraction of the SDK's CPU, behind the same `Calls`."""
