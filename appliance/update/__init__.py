"""The other slot of the card: what is fetched, checked, written, tried and kept."""
