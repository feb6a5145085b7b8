"""Files that assistants look things up in: cut into passages, and searched by words and by what sentences mean."""
