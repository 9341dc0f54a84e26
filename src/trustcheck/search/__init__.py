"""What attacks, recourse and proofs share: the valid values, a batched search, a checker."""
