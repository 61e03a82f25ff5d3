"""Restores of archived versions: the third engine of execute, beside jobs and copies."""
