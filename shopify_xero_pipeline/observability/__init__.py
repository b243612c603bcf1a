"""Events, logs with secrets masked, and escaping of text for the places that display it. Any room may use it."""
