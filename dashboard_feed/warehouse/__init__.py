"""Everything that was read of a federation, kept as Parquet in a folder or a bucket."""
