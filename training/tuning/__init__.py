"""Which parameters of LightGBM suit a table: tried on held-out rows, judged with an interval, written where asked."""
