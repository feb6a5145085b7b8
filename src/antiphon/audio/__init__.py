"""Samples in, samples out: codecs, resampling, reordering, concealment, limiting, echo and WAV files.

Pure numpy: no clock, no asyncio, no logging; only ``wav`` touches files.
"""
