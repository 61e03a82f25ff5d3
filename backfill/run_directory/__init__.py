"""A run directory on a local disk: artefacts, documents, the run's identity, and its lock.

An adapter of the ports `ArtifactStore`; stages never import it.
Law: what is visible here is complete and durable; what is incomplete is invisible.
"""
