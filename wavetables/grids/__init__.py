"""Grids of notes and tables on disk."""
