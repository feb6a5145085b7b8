"""Antiphon: a self-hosted server for real-time voice agents."""

__version__ = "0.1.0"
