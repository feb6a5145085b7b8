"""Conversations in text: a turn with an assistant, what a model reads out of a transcript, and evaluations."""
