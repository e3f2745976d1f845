"""How good a stream is, and how it stands beside the standard codecs: metrics on decoded bytes."""
