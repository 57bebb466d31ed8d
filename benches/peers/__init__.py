"""What `benches/compare` and `benches/instructions` are made of."""
