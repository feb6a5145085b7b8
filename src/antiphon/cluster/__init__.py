"""What several worker processes of one server share: which of them holds a call, places for calls, tokens that were spent. In Redis; and in
memory, for tests of what is built on it."""
