"""Workflows: a conversation drawn as a graph, and a rule evaluator that holds it without a language model.

Start reading at ``engine``; ``spec`` is the file format, ``fold`` decides, ``slots`` understands dates, times and names.
"""
