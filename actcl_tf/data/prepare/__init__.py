"""Lists of clips -> shards of records, written by processes of this machine, Dask or Beam."""
