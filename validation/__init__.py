"""What data may be: the contract, request decoding, pandera gates, wire formats and the error tree."""
