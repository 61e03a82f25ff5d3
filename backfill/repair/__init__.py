"""The repair stage: what is wrong becomes a new manifest, or a sentence for a person."""
