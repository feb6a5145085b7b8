"""The imperative shell: one ``Session`` per call carries out what the pure conversation decides.

Start reading at ``pump``; ``session`` puts the parts together.
"""
