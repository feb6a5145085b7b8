"""Samples in, samples out: codecs, resampling, framing, reordering, concealment, levels, echo and WAV files.

Pure numpy: no clock, no asyncio, no logging; only ``wav`` touches files.
"""
