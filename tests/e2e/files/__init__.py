"""Serving files: what is on disk, what must come back, and a slow model of it."""
