"""How lines look: cut out of bytes, cleaned, wrapped, coloured."""
