"""Replication set-up from a spec: desired state, difference, policies; apply and destroy."""
