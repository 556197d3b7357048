"""What goes wrong when encoders are exported."""


class ExportError(ValueError):
    """An export that cannot be written; the message says why and what to do."""
