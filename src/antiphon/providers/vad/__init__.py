"""Voice-activity models: windows of audio in, speech probability out, many calls at a time."""
