"""Recordings become tables."""
