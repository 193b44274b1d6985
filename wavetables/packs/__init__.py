"""Packs: many tables under one roof, named, levelled, checked, and made so that a crash loses nothing."""
