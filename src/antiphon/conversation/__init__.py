"""The conversation: who may speak, when, and what was heard. Pure: no I/O, no clock, no randomness, no audio.

Start reading at ``machine``; the legal moves are in ``state``; the numbers are in ``policy``.
"""
