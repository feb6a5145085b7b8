"""Written text as people say it: "$1,250.50" is "one thousand two hundred fifty dollars and fifty cents".

Every voice is given the spoken form; the conversation, its history and its transcript keep the written one. ``text.spoken`` is the door.
"""
