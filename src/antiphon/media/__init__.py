"""The media plane: all calls are heard and voiced together, on one 20 ms beat. Knows audio and time, no conversations.

Start reading at ``plane``; a call's own door is its ``port``.
"""
