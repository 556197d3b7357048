"""Active contrastive learning of audio-visual video representations."""
