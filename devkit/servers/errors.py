class EmbeddedError(Exception):
    """One sentence for the person at the keyboard: what happened, and what to do about it."""
