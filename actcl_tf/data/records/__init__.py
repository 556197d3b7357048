"""The record contract: how clips are stored in shards, and what checks that they are."""
