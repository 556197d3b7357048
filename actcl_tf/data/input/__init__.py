"""Shards or media -> batches, in the phases PARSE, SAMPLE, DECODE, AUGMENT, BATCH."""
