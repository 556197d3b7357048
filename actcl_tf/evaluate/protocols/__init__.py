"""How labels are predicted from features: probes, neighbours, searches, fine-tuning."""
