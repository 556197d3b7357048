"""Names of files and classes as text of one line that steers no terminal."""


def printable(name: str) -> str:
    """A name with escapes for line breaks, control characters and bytes that are no text."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name)
