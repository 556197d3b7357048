"""What encoders make of clips: loaded encoders, and features made, kept and normalised."""
