"""What goes wrong when encoders are exported."""

from actcl_tf import config


class ExportError(config.UserError, ValueError):
    """An export that cannot be written; the message says why and what to do."""
