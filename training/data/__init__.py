"""A raw table becomes rows that satisfy the contract, and each row gets its split."""
