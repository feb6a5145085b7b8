"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# Tests share the machine with each other: that one example took long says nothing about the code.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")
