"""What lies on disk, for all parts: files near and far, strict JSON, locks, and errors."""
