"""Events, the log with secrets masked, and text made safe for where people read it. Any room may use it."""
