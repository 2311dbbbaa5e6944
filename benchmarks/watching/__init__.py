"""How soon a changed market is noticed, how often an unchanged one is called changed, and by whom."""
