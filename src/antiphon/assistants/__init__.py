"""Assistants as data: Vapi's assistant object in YAML or JSON, checked, and what the conversation makes of its numbers."""
