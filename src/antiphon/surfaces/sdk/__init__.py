"""``/sdk``: how a web page of anybody's talks to an assistant. JavaScript without a build step, and the routes that serve it."""
