"""Engines and vendors behind five small protocols (``base``). A provider file translates, and does nothing else."""
