"""Telephone companies. One folder each: ``wire`` (pure), ``webhook``, ``transport``, ``control``; one line in ``registry``."""
